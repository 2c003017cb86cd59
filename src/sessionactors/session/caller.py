"""In which tool or hook of which agent user code runs: told to tasks that it awaits. Ownership is the actors'."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from sessionactors.interfaces.tool_link import ToolLink

if TYPE_CHECKING:
    from .agent_session import AgentSession


ON_EXIT: Final = "on_exit"
"""What a hook is called that a change of agents waits for."""


def running_task() -> asyncio.Task[object] | None:
    """Of this code; None: it runs in no loop."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


class Caller:
    """A tool or a hook that runs."""

    def __init__(
        self, session: AgentSession[object], agent: str, what: str, speech: str, link: ToolLink | None
    ) -> None:
        self.session = session
        self.agent = agent
        """Key of the agent whose code it is."""
        self.what = what
        """Its name."""
        self.speech = speech
        """The speech whose tool it is; empty for a hook."""
        self.link = link
        """The line of the tool to the ledger; None for a hook."""
        self.over = False
        self.task = running_task()
        """In which it runs; None: in a thread."""
        self._when_over: list[Callable[[], None]] = []

    def when_over(self, call: Callable[[], None]) -> None:
        """Call back when it has returned or raised."""
        self._when_over.append(call)

    def end(self) -> None:
        """It has returned, or raised."""
        self.over = True
        for call in self._when_over:
            call()
        self._when_over.clear()


CALLER: Final[ContextVar[Caller | None]] = ContextVar("sessionactors_caller", default=None)
"""Set while a tool, ``on_enter`` or ``on_exit`` runs, and in the asyncio tasks that it starts."""


@contextmanager
def calling(session: AgentSession[object], agent: str, what: str, link: ToolLink | None = None) -> Iterator[None]:
    """While the body runs, it is this hook; or this tool, with its line to the ledger."""
    caller = Caller(session, agent, what, "" if link is None else link.speech_id, link)
    inside = CALLER.set(caller)
    try:
        yield
    finally:
        CALLER.reset(inside)
        caller.end()


def called_in(session: object) -> bool:
    """Whether a tool or a hook of this session asks: its actors have called it, so they listen."""
    caller = CALLER.get()
    return caller is not None and not caller.over and caller.session is session
