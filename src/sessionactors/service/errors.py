"""Why a room was not opened, or is over.

::

    SessionActorsError
    ├── AdmissionRefused    no room is taken in now: full, draining or closed
    ├── RoomExists          a room of that name is open, opening or closing
    ├── RoomOverLimit       a room has used more than it may
    └── RoomCrashLoop       a room failed again and again, and is not restarted any more
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from sessionactors.model.errors import SessionActorsError

RefusalReason: TypeAlias = Literal["full", "draining", "closed"]

_WHAT_TO_DO: dict[RefusalReason, str] = {
    "full": "send the call to another process, or raise max_sessions",
    "draining": "send the call to another process",
    "closed": "make a new RoomSupervisor",
}


class AdmissionRefused(SessionActorsError, RuntimeError):
    """Raised when :meth:`RoomSupervisor.spawn` takes no room in. Nothing was started.

    Args:
        room: who was refused.
        reason: ``full``: ``max_sessions`` are taken; ``draining``: no new rooms any more; ``closed``: it has ended.
        taken: slots that were taken at that moment.
        max_sessions: slots there are.
    """

    def __init__(self, room: str, reason: RefusalReason, *, taken: int, max_sessions: int) -> None:
        super().__init__(
            f"room {room!r} refused: {reason}, {taken} of {max_sessions} sessions taken; {_WHAT_TO_DO[reason]}"
        )
        self.room = room
        self.reason = reason
        self.taken = taken
        self.max_sessions = max_sessions


class RoomExists(SessionActorsError, ValueError):
    """Raised when :meth:`RoomSupervisor.spawn` is given the name of a room that is not over. That room is untouched."""

    def __init__(self, room: str, phase: str) -> None:
        super().__init__(f"room {room!r} exists already ({phase}): use get({room!r}), or close it and wait for its end")
        self.room = room
        self.phase = phase


class RoomOverLimit(SessionActorsError):
    """Told by an ``error`` event of a session whose room is over one of its :class:`.RoomLimits`.

    Args:
        room: which.
        limit: ``lifetime``, ``idle``, ``tokens``, ``handling`` or ``memory``.
        used: seconds, tokens or bytes.
        most: as many as it may.
    """

    def __init__(self, room: str, limit: str, *, used: float, most: float) -> None:
        super().__init__(f"room {room!r} is over its limit: {limit} {used:.6g}, at most {most:.6g}")
        self.room = room
        self.limit = limit
        self.used = used
        self.most = most


class RoomCrashLoop(SessionActorsError):
    """The error of a room's end that had been restarted as often as its :class:`.RestartPolicy` grants.

    Its ``__cause__`` is the last failure.

    Args:
        room: which.
        restarts: how often it was restarted within that time.
        within: seconds.
        last: the failure after which it was not restarted.
    """

    def __init__(self, room: str, *, restarts: int, within: float, last: BaseException) -> None:
        super().__init__(
            f"room {room!r} was restarted {restarts} times within {within:.6g} s and failed again: {last!r}; "
            "it is over. What makes it fail, or a RestartPolicy with more room, is yours to change"
        )
        self.__cause__ = last
        self.room = room
        self.restarts = restarts
        self.within = within
        self.last = last
