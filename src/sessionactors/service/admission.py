"""Who may come in: so many rooms at once, each of them once.

Plain counting on one loop, with no ``await`` between a look and a step: that is the whole of why it is exact. It knows
nothing of sessions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from sessionactors.model.errors import OptionError
from sessionactors.runtime import InternalError

from .errors import AdmissionRefused, RefusalReason, RoomExists


class RoomPhase(Enum):
    """Where a room is between its admission and its end."""

    STARTING = "starting"
    OPEN = "open"
    RESTARTING = "restarting"
    CLOSING = "closing"


class Outcome(Enum):
    """How a room's stay ended."""

    CLOSED = "closed"
    CRASHED = "crashed"
    FAILED_TO_START = "failed_to_start"


@dataclass(frozen=True, slots=True)
class SupervisorStats:
    """Counts of one supervisor: ``admitted == taken + closed + crashed + failed_to_start``."""

    max_sessions: int
    """Slots."""
    starting: int
    """Slots taken by rooms that are not open yet."""
    open: int
    """Slots taken by rooms that talk."""
    closing: int
    """Slots taken by rooms whose close was asked for and is not over."""
    admitted: int
    """Rooms that were given a slot, ever."""
    closed: int
    """Rooms that ended as they should."""
    crashed: int
    """Rooms that ended with an error."""
    failed_to_start: int
    """Rooms that never opened."""
    refused_full: int
    """Spawns refused because all slots were taken."""
    refused_draining: int
    """Spawns refused because the supervisor drained."""
    refused_closed: int
    """Spawns refused because the supervisor had been closed."""
    peak: int
    """Most slots ever taken at once."""
    restarting: int = 0
    """Slots taken by rooms whose session failed, and that get another one."""
    restarts: int = 0
    """Restarts of rooms, tried ones included, ever."""

    @property
    def taken(self) -> int:
        """Slots taken now."""
        return self.starting + self.open + self.restarting + self.closing


@dataclass(slots=True)
class Slot:
    """One room's place, from its admission until :meth:`Admission.release`."""

    room: str
    phase: RoomPhase = RoomPhase.STARTING


@dataclass(slots=True)
class Admission:
    """The slots. To be used on one loop only; :meth:`stats` may be called from any thread.

    Raises:
        OptionError: ``max_sessions`` is not a positive whole number.
    """

    max_sessions: int
    turned_away: RefusalReason | None = None
    """Set to refuse everybody: ``draining`` or ``closed``."""
    _slots: dict[str, Slot] = field(default_factory=dict)
    _admitted: int = 0
    _peak: int = 0
    _restarts: int = 0
    _outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    _refused: dict[RefusalReason, int] = field(default_factory=lambda: {"full": 0, "draining": 0, "closed": 0})

    def __post_init__(self) -> None:
        number: object = self.max_sessions
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise OptionError(f"max_sessions must be a whole number >= 1, got {number!r}")

    def admit(self, room: str) -> Slot:
        """Take a slot.

        Raises:
            AdmissionRefused: there is none for this room now.
            RoomExists: the room has one.
        """
        if self.turned_away is not None:
            raise self._refusal(room, self.turned_away)
        if (present := self._slots.get(room)) is not None:  # before "full": another process would not help
            raise RoomExists(room, present.phase.value)
        if len(self._slots) >= self.max_sessions:
            raise self._refusal(room, "full")
        slot = self._slots[room] = Slot(room)
        self._admitted += 1
        self._peak = max(self._peak, len(self._slots))
        return slot

    def _refusal(self, room: str, reason: RefusalReason) -> AdmissionRefused:
        self._refused[reason] += 1
        return AdmissionRefused(room, reason, taken=len(self._slots), max_sessions=self.max_sessions)

    def restarting(self) -> None:
        """A room that has a slot gets another session. It keeps the slot, so nothing else changes."""
        self._restarts += 1

    def release(self, slot: Slot, outcome: Outcome) -> None:
        """Give a slot back, once.

        Raises:
            InternalError: it was given back before.
        """
        if self._slots.get(slot.room) is not slot:
            raise InternalError(f"the slot of room {slot.room!r} was released twice")
        del self._slots[slot.room]
        self._outcomes[outcome] += 1

    def stats(self) -> SupervisorStats:
        """The counts. Off the loop they may be a step apart from each other."""
        phases = [slot.phase for slot in self._slots.copy().values()]
        return SupervisorStats(
            max_sessions=self.max_sessions,
            starting=phases.count(RoomPhase.STARTING),
            open=phases.count(RoomPhase.OPEN),
            closing=phases.count(RoomPhase.CLOSING),
            admitted=self._admitted,
            closed=self._outcomes[Outcome.CLOSED],
            crashed=self._outcomes[Outcome.CRASHED],
            failed_to_start=self._outcomes[Outcome.FAILED_TO_START],
            refused_full=self._refused["full"],
            refused_draining=self._refused["draining"],
            refused_closed=self._refused["closed"],
            peak=self._peak,
            restarting=phases.count(RoomPhase.RESTARTING),
            restarts=self._restarts,
        )
