"""How every delivery ended: one counter for each outcome, so that the sums can be checked (promise P18)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import attrgetter


@dataclass(slots=True)
class Accounts:
    """Counters of one mailbox. ``received`` equals the sum of all others plus what waits, is stashed or is in hand."""

    received: int = 0
    """Messages that a sender committed to this mailbox."""
    handled: int = 0
    """Handler returned; state and outbox were committed."""
    fenced: int = 0
    """Discarded at dequeue: its scope was closed, or its timer or effect was superseded."""
    conflated: int = 0
    """Replaced by a newer message with the same key."""
    expired: int = 0
    """Its deadline had passed at dequeue."""
    dropped: int = 0
    """Gave way in a full lane, by its overflow policy."""
    dead_lettered: int = 0
    """Refused by a full lane."""
    failed: int = 0
    """Its handler raised; nothing was changed and nothing sent."""
    waiting_at_close: int = 0
    """Still waiting when the actor stopped."""
    lost_in_restart: int = 0
    """Stashed by an incarnation that was thrown away and could not be put back. Always 0 for control."""

    def ended(self) -> int:
        """Sum of all outcomes."""
        return (
            self.handled
            + self.fenced
            + self.conflated
            + self.expired
            + self.dropped
            + self.dead_lettered
            + self.failed
            + self.waiting_at_close
            + self.lost_in_restart
        )

    def copy(self) -> Accounts:
        """The counters as they are now."""
        return Accounts(*_read(self))

    def add(self, other: Accounts) -> None:
        """Add another mailbox's counters to these."""
        for name, count in zip(_NAMES, _read(other), strict=True):
            setattr(self, name, getattr(self, name) + count)


_NAMES = tuple(field.name for field in fields(Accounts))
_read = attrgetter(*_NAMES)
"""All counters in one call: ``inspect()`` reads those of every actor."""
