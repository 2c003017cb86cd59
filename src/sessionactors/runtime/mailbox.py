"""A mailbox: a control lane and a data lane, both bounded, with an overflow policy per message type.

Mailboxes are confined to the actor loop: only the loop puts and pops, so closing is atomic without a lock. Other
threads hand envelopes to the loop (``ActorSystem.post``). Reading from another thread is safe: a lane is copied in one
bytecode-free step, see :meth:`Mailbox.peek`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from .accounts import Accounts
from .policy import CONTROL, DATA, Lane, Overflow

if TYPE_CHECKING:
    from .envelope import Envelope
    from .messages import SystemMessage


@dataclass(frozen=True, slots=True)
class MailboxBounds:
    """How many messages may wait."""

    control: int = 64
    """Distinct control messages; exceeding it is a failure of the sender."""
    data: int = 1024
    """Messages in the data lane."""


DEFAULT_BOUNDS = MailboxBounds()


class Mailbox:
    """The two lanes of one actor, and its accounts."""

    __slots__ = ("accounts", "bounds", "closed", "control", "data", "high_water", "stashed", "system", "typed_counts")

    def __init__(self, bounds: MailboxBounds = DEFAULT_BOUNDS) -> None:
        self.bounds = bounds
        self.control: deque[Envelope] | None = None  # lanes are made on first use: an empty deque takes 600 bytes
        self.data: deque[Envelope] | None = None
        self.system: deque[SystemMessage] | None = None
        self.stashed: deque[Envelope] | None = None
        self.typed_counts: dict[type, int] | None = None
        self.accounts = Accounts()
        self.closed = False
        self.high_water = 0

    def put(self, envelope: Envelope) -> Envelope | None:
        """Take a message; returns the envelope that lost its place, if any: a waiting one, or this one (refused).

        Counts every outcome.
        """
        accounts = self.accounts
        accounts.received += 1
        policy = envelope.policy
        if policy.lane is DATA:
            lane = self.data
            if lane is None:
                lane = self.data = deque()
            bound = self.bounds.data
        else:
            lane = self.control
            if lane is None:
                lane = self.control = deque()
            bound = self.bounds.control
        depth = len(lane)
        if not policy.special and depth < bound:  # the common case, first
            lane.append(envelope)
            if depth >= self.high_water:
                self.high_water = depth + 1
            return None
        return self._put_by_policy(envelope, lane, bound)

    def put_run(self, run: Sequence[Envelope]) -> Sequence[Envelope]:
        """Take plain messages in a row, of one sender to the data lane, after one that was put; returns the rest."""
        lane = self.data
        if lane is None:
            return run
        room = self.bounds.data - len(lane)
        taken, rest = (run, ()) if len(run) <= room else (run[:room], run[room:])
        lane.extend(taken)
        self.accounts.received += len(taken)
        self.high_water = max(self.high_water, len(lane))
        return rest

    def _put_by_policy(self, envelope: Envelope, lane: deque[Envelope], bound: int) -> Envelope | None:
        policy = envelope.policy
        accounts = self.accounts
        kind = type(envelope.message)
        displaced: Envelope | None = None
        if policy.overflow is Overflow.CONFLATE:
            position = self._same_key(lane, envelope)
            if position is not None:
                displaced, lane[position] = lane[position], envelope
                accounts.conflated += 1
                return displaced
        counts = self.typed_counts
        if policy.limit and counts is None:
            counts = self.typed_counts = {}
        if len(lane) >= bound or (policy.limit and counts is not None and counts.get(kind, 0) >= policy.limit):
            if policy.overflow is Overflow.DROP_OLDEST:
                displaced = self._take_oldest(lane, kind)
            if displaced is None and not (policy.overflow is Overflow.REFUSE and _reserved(envelope)):
                if policy.overflow in (Overflow.DROP_OLDEST, Overflow.DROP_NEWEST):
                    accounts.dropped += 1
                else:
                    accounts.dead_lettered += 1
                return envelope
            if displaced is not None:
                accounts.dropped += 1
        if policy.limit and counts is not None:
            counts[kind] = counts.get(kind, 0) + 1
        lane.append(envelope)
        self.high_water = max(self.high_water, len(lane))
        return displaced

    def _take_oldest(self, lane: deque[Envelope], kind: type) -> Envelope | None:
        for position, waiting in enumerate(lane):
            if type(waiting.message) is kind:
                del lane[position]
                if waiting.policy.limit and self.typed_counts is not None:
                    self.typed_counts[kind] -= 1
                return waiting
        return None

    @staticmethod
    def _same_key(lane: deque[Envelope], envelope: Envelope) -> int | None:
        kind = type(envelope.message)
        key_of = envelope.policy.key
        key = key_of(envelope.message) if key_of is not None else None
        for position, waiting in enumerate(lane):
            if type(waiting.message) is kind and (key_of is None or key_of(waiting.message) == key):
                return position
        return None

    def pop(self, lane: Lane) -> Envelope | None:
        """The oldest message of a lane, or None. ``handling.wanted`` counts it out by type."""
        waiting = self.control if lane is CONTROL else self.data
        if not waiting:
            return None
        return waiting.popleft()

    def stash(self, envelope: Envelope) -> None:
        """Keep a message for later. The caller has checked the bound."""
        if self.stashed is None:
            self.stashed = deque()
        self.stashed.append(envelope)

    def unstash(self) -> int:
        """Put all stashed messages back to the front of their lanes, oldest first; returns how many."""
        if not self.stashed:
            return 0
        count = len(self.stashed)
        for envelope in reversed(self.stashed):
            if envelope.policy.lane is DATA:
                if self.data is None:
                    self.data = deque()
                self.data.appendleft(envelope)
            else:
                if self.control is None:
                    self.control = deque()
                self.control.appendleft(envelope)
            if envelope.policy.limit and self.typed_counts is not None:
                self.typed_counts[type(envelope.message)] += 1
        self.stashed = None
        return count

    def drain(self) -> list[Envelope]:
        """Close the mailbox and take out all that waits, oldest first, control before data before stash."""
        self.closed = True
        left: list[Envelope] = []
        for lane in (self.control, self.data, self.stashed):
            if lane:
                left.extend(lane)
        self.control = self.data = self.stashed = None
        self.accounts.waiting_at_close += len(left)
        return left

    def waiting(self, lane: Lane) -> int:
        """How many messages wait in a lane."""
        messages = self.control if lane is CONTROL else self.data
        return len(messages) if messages else 0

    def stashed_count(self) -> int:
        """How many messages are stashed."""
        return len(self.stashed) if self.stashed else 0

    def peek(self, lane: Lane, first: int) -> Sequence[Envelope]:
        """A bounded copy of a lane's head, from any thread.

        ``tuple(islice(deque))`` runs in C without releasing the GIL; should another interpreter lock allow a change in
        between, the copy raises and an empty peek is returned (the snapshot is marked torn by its sums).
        """
        messages = self.control if lane is CONTROL else self.data
        if not messages:
            return ()
        try:
            return tuple(islice(messages, first))
        except RuntimeError:
            return ()


def _reserved(envelope: Envelope) -> bool:
    return envelope.origin is not None and envelope.origin.reserved
