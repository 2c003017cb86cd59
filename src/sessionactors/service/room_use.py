"""What a room has used so far: the account that its limits are compared with, and that anybody may read."""

from __future__ import annotations

import asyncio

from sessionactors.model.errors import SessionStateError
from sessionactors.model.events import ErrorEvent, MetricsCollectedEvent, PublicEvent, SessionUsageUpdatedEvent
from sessionactors.model.usage import LLMModelUsage
from sessionactors.runtime import ActorSystem
from sessionactors.session.agent_session import AgentSession

from .errors import RoomOverLimit
from .held_memory import held_memory
from .room_limits import RoomUse

FIGURES = MetricsCollectedEvent, SessionUsageUpdatedEvent
"""Events that nobody does: a room in which only they come is idle."""


class RoomAccount:
    """One room's account, over all its sessions. Written on the supervisor's loop; read from any thread.

    Args:
        system: where its actors live.
        loop: the supervisor's.
    """

    def __init__(self, system: ActorSystem, loop: asyncio.AbstractEventLoop) -> None:
        self._system = system
        self._loop = loop
        self._session: AgentSession[object] | None = None
        self._before = RoomUse(0.0, 0.0, 0.0, 0.0)
        """What earlier sessions used."""
        self._handling = 0.0
        """Of the present session, when it was looked at last."""
        self.opened_at = self.active_at = loop.time()
        self.memory = 0.0
        """Bytes, when it was measured last."""
        self.measured_at = float("-inf")

    def follow(self, session: AgentSession[object]) -> None:
        """This one is the room's session from now on."""
        if self._session is None:
            self.opened_at = self._loop.time()
        else:
            self._session.off_any(self._note)
            self._before = RoomUse(0.0, 0.0, self._tokens(), self._before.handling + self._handling)
        self._handling = 0.0
        self._session = session
        self.active_at = self._loop.time()
        session.on_any(self._note)

    def _note(self, event: PublicEvent) -> None:
        told = isinstance(event, ErrorEvent) and isinstance(event.error, RoomOverLimit)  # our own doing
        if not isinstance(event, FIGURES) and not told:
            self.active_at = self._loop.time()

    def use(self) -> RoomUse:
        """What it has used until now."""
        session, now = self._session, self._loop.time()
        if session is None:
            return self._before
        busy = session.agent_state not in ("listening", "initializing") or session.user_state == "speaking"
        try:
            self._handling = sum(actor.handling for actor in session.inspect().values())
        except (SessionStateError, KeyError):  # it is over, or between two sessions: what was seen last counts
            busy = False
        return RoomUse(
            lifetime=now - self.opened_at,
            idle=0.0 if busy else now - self.active_at,
            tokens=self._tokens(),
            handling=self._before.handling + self._handling,
            memory=self.memory,
        )

    def measure(self) -> None:
        """Look at how much memory it holds: :func:`.held_memory`."""
        self.measured_at = self._loop.time()
        if self._session is not None:
            self.memory = float(held_memory(self._system, self._session))

    def _tokens(self) -> float:
        if self._session is None:
            return self._before.tokens
        models = [one for one in self._session.usage.model_usage if isinstance(one, LLMModelUsage)]
        return self._before.tokens + sum(one.input_tokens + one.output_tokens for one in models)
