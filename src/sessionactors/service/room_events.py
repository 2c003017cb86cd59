"""What happens to rooms as a whole, as typed events. What happens in a conversation is told by its session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .errors import RoomOverLimit
from .room_end import RoomEnd, RoomEndCause


@dataclass(frozen=True, slots=True)
class RoomOpened:
    """It listens."""

    room: str
    at: float
    """Seconds since the epoch, here as in all that follow."""
    type: Literal["room_opened"] = "room_opened"


@dataclass(frozen=True, slots=True)
class RoomLimitReached:
    """It has used more than it may; ``over`` says of what. With ``when_over="warn"`` it goes on."""

    room: str
    over: RoomOverLimit
    when_over: Literal["warn", "close", "kill"]
    at: float
    type: Literal["room_limit_reached"] = "room_limit_reached"


@dataclass(frozen=True, slots=True)
class RoomRestarting:
    """Its session failed, or did not start again: there will be another one after ``delay`` seconds."""

    room: str
    error: BaseException
    restarts: int
    """Which restart of the room it is, from 1."""
    delay: float
    at: float
    type: Literal["room_restarting"] = "room_restarting"


@dataclass(frozen=True, slots=True)
class RoomRestarted:
    """It listens again: ``handle.session`` is another one, which knows what was said before."""

    room: str
    restarts: int
    at: float
    type: Literal["room_restarted"] = "room_restarted"


@dataclass(frozen=True, slots=True)
class RoomDraining:
    """The process is to end: in ``closes_in`` seconds the room is closed, unless it ends by itself before."""

    room: str
    closes_in: float
    at: float
    type: Literal["room_draining"] = "room_draining"


@dataclass(frozen=True, slots=True)
class RoomDismissed:
    """It is being closed politely: what is being said, and the farewell, get ``within`` seconds to be heard."""

    room: str
    cause: RoomEndCause
    within: float
    at: float
    type: Literal["room_dismissed"] = "room_dismissed"


@dataclass(frozen=True, slots=True)
class RoomEnded:
    """It is over; slot and name are free."""

    room: str
    end: RoomEnd
    at: float
    type: Literal["room_ended"] = "room_ended"


RoomEvent: TypeAlias = (
    RoomOpened | RoomLimitReached | RoomRestarting | RoomRestarted | RoomDraining | RoomDismissed | RoomEnded
)
