"""What user code waits for: an inspectable wait-for graph, in which nobody may come to wait for itself (P11).

A node is a speech or the quiet of the session (``idle``). A tool that waits for a speech makes its own speech, which
ends after its tools, wait for that one. User code outside of tools (a hook, a callback, a task of its own) is waited
for by no speech and cannot close a circle; it is listed all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from sessionactors.model.errors import SessionStateError

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
    """Which tool, as ``name (call id)``; empty outside of tools."""
    waits_for: str
    """A speech, or ``idle``."""

    def __str__(self) -> str:
        who = f"{self.tool} of {self.waiter}" if self.tool else self.waiter
        return f"{who} waits for {self.waits_for}"


@dataclass(slots=True)
class KeepsBusy:
    """User code that the session is not idle without the end of."""

    what: str
    over: bool = False


KEEPS_BUSY: Final[ContextVar[KeepsBusy | None]] = ContextVar("sessionactors_keeps_busy", default=None)
"""Set in such code, and in the tasks that it starts."""


IN_FRONT: Final[ContextVar[bool]] = ContextVar("sessionactors_in_front", default=False)
"""Set inside of ``RunContext.foreground()``: the quiet is held by who asks."""


@contextmanager
def keeping_busy(what: str) -> Iterator[None]:
    """While the body runs, the session cannot become idle."""
    code = KeepsBusy(what)
    inside = KEEPS_BUSY.set(code)
    try:
        yield
    finally:
        KEEPS_BUSY.reset(inside)
        code.over = True


class Waits:
    """The waits of one session's user code, on the user's loop."""

    def __init__(self) -> None:
        self._edges: list[WaitEdge] = []
        self._let_go: set[str] = set()

    @property
    def edges(self) -> tuple[WaitEdge, ...]:
        """Who waits for what, the longest wait first."""
        return tuple(self._edges)

    def let_go(self, call_id: str) -> None:
        """A tool has answered its call and goes on in the background: its speech does not wait for it any more."""
        self._let_go.add(call_id)

    def tool_ended(self, call_id: str) -> None:
        """A tool is over."""
        self._let_go.discard(call_id)

    @contextmanager
    def waiting_for(self, target: str) -> Iterator[None]:
        """While the body waits.

        Raises:
            SessionStateError: the wait would never end, since the target waits for the waiter.
        """
        tool = CURRENT_TOOL.get()
        if target == IDLE:
            self._refuse_busy(tool)
        if tool is None or tool.call_id in self._let_go:
            edge = WaitEdge("user code", "", target)
        else:
            self._refuse_circle(tool, target)
            edge = WaitEdge(tool.speech_id, f"{tool.name} ({tool.call_id})", target)
        self._edges.append(edge)
        try:
            yield
        finally:
            self._edges.remove(edge)

    def _refuse_busy(self, tool: RunningTool | None) -> None:
        code = KEEPS_BUSY.get()
        if code is None or code.over or (tool is not None and tool.call_id in self._let_go):
            return
        if tool is None:
            what, instead = "which is over", "wait for the handles of what it says"
        else:
            what = f"as {tool.speech_id} is, which runs it and is over"
            instead = "wait for what was said before it with RunContext.wait_for_playout(), or go on after update()"
        raise SessionStateError(
            f"{code.what} waits until the session is idle, {what} only when it has returned: {instead}"
        )

    def _refuse_circle(self, tool: RunningTool, target: str) -> None:
        if target == tool.speech_id:
            raise SessionStateError(
                f"tool {tool.name!r} waits for {target}, the speech that runs it, which is over only when the tool is: "
                "wait for what was said before it with RunContext.wait_for_playout()"
            )
        path = self._path(target, tool.speech_id)
        if path:
            raise SessionStateError(
                f"tool {tool.name!r} of {tool.speech_id} would wait for ever: " + "; ".join(map(str, path))
            )

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
