"""What user code waits for: an inspectable wait-for graph, in which nobody may come to wait for itself (P11).

A node is a speech or the quiet of the session (``idle``). A tool that waits for a speech makes its own speech, which
ends after its tools, wait for that one. User code outside of tools (a hook, a callback, a task of its own) is waited
for by no speech and cannot close a circle; it is listed all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from sessionactors.interfaces.speech_in_hand import SPEECH_IN_HAND, SpeechInHand
from sessionactors.model.errors import SessionStateError

from .caller import CALLER, running_task

IDLE: Final = "idle"
"""The quiet of the session, as something to wait for."""


@dataclass(frozen=True, slots=True)
class RunningTool:
    """The tool call in which user code runs."""

    call_id: str
    name: str
    speech_id: str
    """Whose end waits for it."""


CURRENT_TOOL: Final[ContextVar[RunningTool | None]] = ContextVar("sessionactors_current_tool", default=None)
"""Set while a tool runs, and in the tasks that it starts."""


@dataclass(frozen=True, slots=True)
class WaitEdge:
    """Somebody's user code waits for something."""

    waiter: str
    """A speech, whose tool waits; or ``user code``."""
    tool: str
    """Which tool, as ``name (call id)``, or which node; empty outside of these."""
    waits_for: str
    """A speech, or ``idle``."""

    def __str__(self) -> str:
        who = f"{self.tool} of {self.waiter}" if self.tool else self.waiter
        return f"{who} waits for {self.waits_for}"


@dataclass(slots=True)
class KeepsBusy:
    """User code that the session is not idle without the end of."""

    session: object
    what: str
    over: bool = False
    task: asyncio.Task[object] | None = field(default_factory=running_task)
    """In which it runs."""


KEEPS_BUSY: Final[ContextVar[KeepsBusy | None]] = ContextVar("sessionactors_keeps_busy", default=None)
"""Set in such code, and in the tasks that it starts."""


IN_FRONT: Final[ContextVar[bool]] = ContextVar("sessionactors_in_front", default=False)
"""Set inside of ``RunContext.foreground()``: the quiet is held by who asks."""


@contextmanager
def keeping_busy(session: object, what: str) -> Iterator[None]:
    """While the body runs, the session cannot become idle."""
    code = KeepsBusy(session, what)
    inside = KEEPS_BUSY.set(code)
    try:
        yield
    finally:
        KEEPS_BUSY.reset(inside)
        code.over = True


def awaited_by_close(session: object) -> bool:
    """Whether this is asked in a tool or a hook whose end the close of the session waits for."""
    return any(
        code is not None and not code.over and code.session is session for code in (CALLER.get(), KEEPS_BUSY.get())
    )


def refuse_wait_for_close(session: object) -> None:
    """The end of the session is not waited for by code that it waits for itself. A task which that code started may.

    Raises:
        SessionStateError: it would be.
    """
    for code in (CALLER.get(), KEEPS_BUSY.get()):
        if code is not None and not code.over and code.session is session and code.task is running_task():
            raise SessionStateError(
                f"{code.what} waits for the end of the session, which waits for the end of {code.what}: return, "
                "and use session.on('close', ...), or let a task of its own wait"
            )


class Waits:
    """The waits of one session's user code, on the user's loop."""

    def __init__(self) -> None:
        self._edges: list[WaitEdge] = []
        self._binding: set[str] = set()
        self._in_line: list[asyncio.Future[None]] = []
        """Of waits that look again when another speech is the current one."""

    @property
    def edges(self) -> tuple[WaitEdge, ...]:
        """Who waits for what, the longest wait first."""
        return tuple(self._edges)

    def tool_began(self, call_id: str) -> None:
        """A tool runs: its speech is over only when it has returned."""
        self._binding.add(call_id)

    def let_go(self, call_id: str) -> None:
        """A tool is over, or has answered its call and goes on in the background: its speech does not wait for it."""
        self._binding.discard(call_id)

    def binding_tool(self) -> RunningTool | None:
        """The tool in which this is asked, if its speech waits for it."""
        tool = CURRENT_TOOL.get()
        return tool if tool is not None and tool.call_id in self._binding else None

    async def until_over(self, target: str, done: asyncio.Future[None], is_behind: Callable[[str], bool]) -> None:
        """Wait for the end of a speech.

        Args:
            target: its name.
            done: is done then; never cancelled here.
            is_behind: whether it will be heard only when another speech is over.

        Raises:
            SessionStateError: the wait would never end, since the target waits for the waiter.
        """
        work = SPEECH_IN_HAND.get()
        with self.waiting_for(target) as edge:
            while not done.done():
                if work is not None and not work.over and is_behind(work.speech):
                    raise SessionStateError(
                        f"{edge}, which is heard only when {work.speech} is over: go on without waiting, "
                        "or let a task of its own wait"
                    )
                moved: asyncio.Future[None] = done.get_loop().create_future()
                self._in_line.append(moved)
                try:
                    await asyncio.wait((done, moved), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    self._in_line.remove(moved)

    def line_moved(self) -> None:
        """Another speech is the current one."""
        for moved in self._in_line:
            if not moved.done():
                moved.set_result(None)

    @contextmanager
    def waiting_for(self, target: str) -> Iterator[WaitEdge]:
        """While the body waits.

        Raises:
            SessionStateError: the wait would never end, since the target waits for the waiter.
        """
        tool, work = self.binding_tool(), SPEECH_IN_HAND.get()
        if target == IDLE:
            _refuse_busy(work)
        if work is not None and not work.over:
            edge = WaitEdge(work.speech, work.what, target)
        elif tool is not None:
            edge = WaitEdge(tool.speech_id, f"{tool.name} ({tool.call_id})", target)
        else:
            edge = WaitEdge("user code", "", target)
        if tool is not None or edge.tool:
            self._refuse_circle(edge)
        self._edges.append(edge)
        try:
            yield edge
        finally:
            self._edges.remove(edge)

    def _refuse_circle(self, edge: WaitEdge) -> None:
        if edge.waits_for == edge.waiter:
            raise SessionStateError(
                f"{edge}, which is over only when that is: in a tool, wait for what was said before it with "
                "RunContext.wait_for_playout()"
            )
        path = self._path(edge.waits_for, edge.waiter)
        if path:
            raise SessionStateError(f"{edge.tool} of {edge.waiter} would wait for ever: " + "; ".join(map(str, path)))

    def _path(self, start: str, end: str) -> list[WaitEdge]:
        """Edges by which ``start`` waits for ``end``; empty if it does not."""
        reached: dict[str, list[WaitEdge]] = {start: []}
        waiting = [start]
        while waiting:
            node = waiting.pop()
            for edge in self._edges:
                if edge.waiter == node and edge.waits_for not in reached:
                    reached[edge.waits_for] = [*reached[node], edge]
                    waiting.append(edge.waits_for)
        return reached.get(end, [])


def _refuse_busy(work: SpeechInHand | None) -> None:
    """Refuse a wait for the quiet by code that the quiet waits for.

    Raises:
        SessionStateError: it does.
    """
    code = KEEPS_BUSY.get()
    if work is not None and not work.over:
        what, whose = work.what, f"as {work.speech} is, for which it works and which is over"
    elif code is not None and not code.over:
        what, whose = code.what, "which is over"
    else:
        return
    raise SessionStateError(
        f"{what} waits until the session is idle, {whose} only when it has returned: "
        "wait for the handles of what it says, or let a task of its own wait"
    )
