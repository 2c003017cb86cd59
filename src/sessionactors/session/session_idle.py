"""Waiting for a session: until it is idle, or until what was asked for has been said."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack

from sessionactors.actors.wiring import Wiring
from sessionactors.messages.deferred import QuietOver
from sessionactors.messages.session import IdleWanted
from sessionactors.model.errors import OptionError, SessionStateError

from .caller import CALLER, ON_EXIT
from .session_link import SessionLink, Userdata_T
from .speech_handle import SpeechHandle
from .waits import IDLE, IN_FRONT


class SessionIdle(SessionLink[Userdata_T]):
    """What a session's user may wait for."""

    async def wait_for_idle(self) -> None:
        """Wait until nobody speaks and nobody is about to.

        That is: no speech is heard or waits to be, the user is silent, no end of a turn is being decided, no turn is
        being answered, no agent is about to take over. A speech that is out of hearing while its tools run does not
        count, so a tool may wait. While a handoff waits for the tool or the ``on_exit`` that waits here, what the next
        agent is to answer does not count either. Any number of callers may wait; none keeps the session idle. While a
        tool is inside of :meth:`.RunContext.foreground`, all others wait for its end. Gives None, where LiveKit gives
        the activity.

        Raises:
            SessionStateError: the session was never started, is closing or closed, also while this waits (LiveKit:
                ``ActivityClosedError``); or ``on_user_turn_completed``, a node or the text given to ``say`` waits,
                without whose end the session is not idle.
        """
        system, wiring = self._listening("wait_for_idle()")
        of_agent, of_speech = self._awaited()
        with self._waits.waiting_for(IDLE):
            asked = True
            while asked:
                while commits := self._commits(of_agent):
                    await asyncio.wait(commits)
                if self._mirror.closing:
                    raise SessionStateError("wait_for_idle(): the session is closing")
                before = self._mirror.unbegun()  # the request arrives behind these
                request = system.tree(self._room_name).new_id("idle")
                await self._told_idle(IdleWanted(request, IN_FRONT.get(), of_agent, of_speech), wiring)
                asked = bool(self._commits(of_agent) or self._mirror.unbegun() - before)

    def _awaited(self) -> tuple[str, str]:
        """The agent and the speech whose tool asks, or the agent whose ``on_exit`` does: others wait for its end."""
        caller = CALLER.get()
        if caller is None or caller.over:
            return "", ""
        if caller.speech and self._waits.binding_tool() is not None:
            return caller.agent, caller.speech
        return (caller.agent, "") if caller.what == ON_EXIT else ("", "")

    def _commits(self, of_agent: str) -> list[asyncio.Future[str]]:
        """Turns that are being committed by hand. One may wait for a handoff, which may wait for a tool or a hook."""
        return [] if of_agent else [commit for commit in self._mirror.commits.values() if not commit.done()]

    async def _told_idle(self, wanted: IdleWanted, wiring: Wiring) -> None:
        request = wanted.request
        idle: asyncio.Future[None] = self._loop.create_future()
        self._mirror.idles[request] = idle
        try:
            wiring.agent.tell(wanted)
            await idle
        finally:
            if self._mirror.idles.pop(request, None) is not None and wiring.floor.is_alive():
                wiring.floor.tell(QuietOver(request))  # nobody waits for it any more

    async def drain(self, *, deadline: float | None = None) -> bool:
        """Wait until what was asked for so far is over, tools and their replies included: as :meth:`shutdown` does.

        Nothing is stopped: what is asked for meanwhile is said, too, but not waited for. ``on_exit`` runs when the
        session closes, as ever.

        Args:
            deadline: seconds >= 0 to wait at most; None: as long as it takes.

        Returns:
            Whether it was over in time.

        Raises:
            OptionError: a negative deadline.
            SessionStateError: the session is not running; or a tool waits, whose own speech is not over before it is.
        """
        if deadline is not None and deadline < 0:
            raise OptionError(f"deadline must not be negative, got {deadline}")
        self._listening("drain()")
        speeches = self._mirror.open_handles()
        with ExitStack() as waits:
            for handle in speeches:
                waits.enter_context(self._waits.waiting_for(handle.id))
            return await over(speeches, deadline)


async def over(speeches: Sequence[SpeechHandle], deadline: float | None = None) -> bool:
    """Wait until all of them are over; whether they were within so many seconds."""
    if not speeches:
        return True
    _, open_ones = await asyncio.wait([handle._done for handle in speeches], timeout=deadline)
    return not open_ones
