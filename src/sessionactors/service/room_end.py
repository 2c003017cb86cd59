"""How a room ended, in one word that programs can match, and with what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sessionactors.model.events import CloseEvent, CloseReason

from .errors import RoomCrashLoop, RoomOverLimit


class RoomEndCause(Enum):
    """Why a room ended. :class:`.CloseReason` says it in LiveKit's words; this one tells more."""

    CLOSED = "closed"
    """Somebody asked for it: ``rooms.close``, ``handle.aclose``, ``session.aclose``."""
    LEFT = "participant_left"
    COMPLETED = "task_completed"
    LIFETIME = "lifetime"
    """It was over this one of its :class:`.RoomLimits`, as in the four that follow."""
    IDLE = "idle"
    TOKENS = "tokens"
    HANDLING = "handling"
    MEMORY = "memory"
    DRAINED = "drained"
    """The supervisor drained, and its time had come."""
    SUPERVISOR_CLOSED = "supervisor_closed"
    CRASHED = "crashed"
    """Its session failed, and was not restarted."""
    CRASH_LOOP = "crash_loop"
    """It was restarted as often as its :class:`.RestartPolicy` grants, and failed again."""


@dataclass(frozen=True, slots=True)
class RoomEnd:
    """The end of a room that was open."""

    cause: RoomEndCause
    close: CloseEvent
    """The last event of its last session, or one in its place if a restart never came to be."""
    restarts: int
    """How often it was restarted."""
    over: RoomOverLimit | None = None
    """The limit, if that was the cause."""
    not_restarted: str = ""
    """Why a session that failed got no other one."""


def cause_of(close: CloseEvent, asked: RoomEndCause | None) -> RoomEndCause:
    """Why a room ended.

    Args:
        close: its last event.
        asked: why it was to be closed, if it was.
    """
    if isinstance(close.error, RoomCrashLoop):
        return RoomEndCause.CRASH_LOOP
    if close.reason is CloseReason.ERROR:
        return RoomEndCause.CRASHED
    if asked is not None:
        return asked
    match close.reason:
        case CloseReason.PARTICIPANT_DISCONNECTED:
            return RoomEndCause.LEFT
        case CloseReason.TASK_COMPLETED:
            return RoomEndCause.COMPLETED
        case _:
            return RoomEndCause.CLOSED
