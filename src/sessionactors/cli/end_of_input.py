"""When a conversation is over whose input has ended: the user has left, but may still be owed an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from sessionactors.model.errors import SessionActorsError
from sessionactors.model.events import CloseReason, PublicEvent
from sessionactors.service.worker.job_context import JobContext
from sessionactors.session.agent_session import AgentSession

QUIET: Final = 1.0
"""Seconds without an event after which an agent that listens is taken to have answered."""
FOR_THE_USER: Final = 15.0
"""Seconds without an event after which something that waits for the user is given up: longer than a model may take."""
PATIENCE: Final = 90.0
"""Seconds without an event after which nothing is expected any more: a tool that hangs is named before."""


class Unanswered(SessionActorsError):
    """Raised when the input ended and its last line was not answered."""


class EndOfInput:
    """Closes the sessions of a terminal when the input has ended.

    Args:
        note: told, for people, what waited for a user who has left.
        in_a_hurry: close at once: somebody at a terminal said so.
    """

    def __init__(self, note: Callable[[str], None], *, in_a_hurry: bool) -> None:
        self._note = note
        self._in_a_hurry = in_a_hurry
        self.unanswered: Unanswered | None = None
        """Why it did not end well."""

    async def close_when_answered(self, ended: asyncio.Event, ctx: JobContext) -> None:
        """Wait for the end of the input and what follows from it, and close."""
        await ended.wait()
        for session in ctx.sessions:
            if not self._in_a_hurry:
                await self._answered(session)
            session.shutdown(drain=False, reason=CloseReason.PARTICIPANT_DISCONNECTED)

    async def _answered(self, session: AgentSession[object]) -> None:
        heard = asyncio.Event()

        def something(_: PublicEvent) -> None:
            heard.set()

        session.on_any(something)
        silent = 0.0
        while True:
            heard.clear()
            try:
                async with asyncio.timeout(QUIET):
                    await heard.wait()
                silent = 0.0
                continue
            except TimeoutError:
                silent += QUIET
            waiting = waits_for_the_user(session)
            answered = session.agent_state not in {"thinking", "speaking"} and session.current_speech is None
            if answered or (waiting and silent >= FOR_THE_USER):
                if waiting:
                    self._note(f"The input has ended, and nobody answers: {'; '.join(waiting)}.")
                return
            if silent >= PATIENCE:
                self.unanswered = Unanswered(
                    f"the input has ended, and for {PATIENCE:g} s nothing came of its last line: {session.why()}"
                )
                return


def waits_for_the_user(session: AgentSession[object]) -> list[str]:
    """What only the user, or somebody who approves, can bring to its end."""
    tasks = [str(edge) for edge in session.waits if edge.waits_for.startswith("task ")]
    calls = [approval.function_call for approval in session.pending_approvals]
    return [*tasks, *(f"{call.name} ({call.call_id}) waits for an approval" for call in calls)]
