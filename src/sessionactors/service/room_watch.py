"""Looks after the limits of rooms: on the supervisor's loop, once a second, reading what can be read of a session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from sessionactors.model.events import (
    CloseReason,
    ErrorEvent,
    MetricsCollectedEvent,
    PublicEvent,
    SessionUsageUpdatedEvent,
)
from sessionactors.model.usage import LLMModelUsage
from sessionactors.session.agent_session import AgentSession

from .errors import RoomOverLimit
from .hosted_room import HostedRoom
from .room_limits import RoomLimits, RoomUse, exceeded

EVERY = 1.0
"""Seconds between two looks."""
FIGURES = MetricsCollectedEvent, SessionUsageUpdatedEvent
"""Events that nobody does: a room in which only they come is idle."""

log = structlog.get_logger("sessionactors.service")


@dataclass(slots=True)
class Stay:
    """What is known of an open room."""

    session: AgentSession[object]
    opened_at: float
    active_at: float
    told: set[str] = field(default_factory=set)
    """Limits that it has been found over."""

    def note(self, event: PublicEvent) -> None:
        """Something happened in it."""
        if not isinstance(event, FIGURES):
            self.active_at = asyncio.get_running_loop().time()

    def use(self, now: float) -> RoomUse:
        """What it has used until now."""
        busy = self.session.agent_state != "listening" or self.session.user_state == "speaking"
        models = [one for one in self.session.usage.model_usage if isinstance(one, LLMModelUsage)]
        return RoomUse(
            lifetime=now - self.opened_at,
            idle=0.0 if busy else now - self.active_at,
            tokens=sum(one.input_tokens + one.output_tokens for one in models),
            handling=sum(actor.handling for actor in self.session.inspect().values()),
        )


class RoomWatch:
    """Closes, or tells of, rooms that are over a limit.

    Args:
        limits: of each room.
        rooms: those there are.
        deadline: seconds for the close of one.
    """

    def __init__(self, limits: RoomLimits, rooms: Callable[[], Iterable[HostedRoom]], deadline: float) -> None:
        self._limits = limits
        self._rooms = rooms
        self._deadline = deadline
        self._stays: dict[HostedRoom, Stay] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look, if there is any limit."""
        if self._limits.are_set:
            self._task = asyncio.create_task(self._look_on(), name="room limits")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                self.look(asyncio.get_running_loop().time())
            except Exception as error:  # one room that cannot be read must not leave the others unwatched
                log.exception("room_limits_failed", room="", actor="", message_id=0, error=repr(error))

    def look(self, now: float) -> None:
        """Look at every open room once."""
        open_rooms = [hosted for hosted in self._rooms() if hosted.is_open]
        self._stays = {hosted: self._stays.get(hosted) or _stay(hosted, now) for hosted in open_rooms}
        for hosted, stay in self._stays.items():
            for name, used, limit in exceeded(self._limits, stay.use(now)):
                if name in stay.told:
                    continue
                stay.told.add(name)
                over = RoomOverLimit(hosted.name, name, used=used, most=limit.most)
                policy = limit.when_over
                log.warning("room_over_limit", room=hosted.name, actor="", message_id=0, limit=name, policy=policy)
                closes = policy == "close"
                error = ErrorEvent(over, "limits", recoverable=not closes, created_at=hosted.wall())
                stay.session.emit("error", error)
                if closes:
                    hosted.request_close(CloseReason.JOB_SHUTDOWN, self._deadline)
                    break


def _stay(hosted: HostedRoom, now: float) -> Stay:
    stay = Stay(hosted.session, now, now)
    stay.session.on_any(stay.note)
    return stay
