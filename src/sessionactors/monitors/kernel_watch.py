"""The promises of the kernel, looked at after each message: fences, order in a lane, sums, deadlines, stalls.

Each look costs a few comparisons. What takes a walk over all actors is done a few times a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sessionactors.runtime import NS, Lane, ObligationExpired, Overflow
from sessionactors.runtime.envelope import EDGE, Envelope

if TYPE_CHECKING:
    from sessionactors.runtime.cell import Cell
    from sessionactors.runtime.tree import Tree

NAMED_WITHIN: Final = NS
"""Nanoseconds after its deadline in which an obligation is named."""
STALLED: Final = 2 * NS
"""Nanoseconds for which no message may wait for an actor that is free to take it."""
WALK_EVERY: Final = NS // 4
PAIRS: Final = 4096
"""Senders and receivers whose order is remembered; then it begins anew."""


class KernelWatch:
    """Of one tree."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str, Lane], int] = {}
        self._named: set[str] = set()
        self._walked = 0

    def before(self, cell: Cell, envelope: Envelope) -> Iterator[tuple[str, str]]:
        """A handler has run, and nothing of it has taken effect yet."""
        policy, message = envelope.policy, envelope.message
        if policy.fenced and not cell.actor.own_thread and message.scope.closed:  # type: ignore[attr-defined]
            scope = message.scope.path  # type: ignore[attr-defined]
            yield "P1", f"it is fenced, and was handled though its scope {scope} is closed"
        if policy.lane is Lane.DATA and cell.mailbox.control and not cell.held:
            waiting = cell.mailbox.control[0]
            yield "P16", f"it is data, and was taken before {type(waiting.message).__name__} #{waiting.id}"
        if policy.overflow is not Overflow.CONFLATE and envelope.sender != EDGE:
            yield from self._order(cell, envelope)
        if isinstance(message, ObligationExpired):
            self._named.add(message.key)

    def _order(self, cell: Cell, envelope: Envelope) -> Iterator[tuple[str, str]]:
        if len(self._last) > PAIRS:
            self._last.clear()
        lane = envelope.sender, cell.path, envelope.policy.lane
        before = self._last.get(lane, 0)
        if before > envelope.id and not cell.mailbox.stashed_count():
            yield "P16", f"#{before} of the same sender and lane was taken before it"
        self._last[lane] = max(before, envelope.id)

    def after(self, cell: Cell, now: int) -> Iterator[tuple[str, str]]:
        """All that a message asked for is done."""
        mailbox = cell.mailbox
        waiting = mailbox.waiting(Lane.CONTROL) + mailbox.waiting(Lane.DATA) + mailbox.stashed_count()
        accounts = mailbox.accounts
        if accounts.received != accounts.ended() + waiting and not cell.actor.own_thread:
            yield "P18", f"the sums do not add up: {accounts}, {waiting} waiting"
        if now - self._walked >= WALK_EVERY:
            self._walked = now
            yield from self._walk(cell.tree, now)

    def _walk(self, tree: Tree, now: int) -> Iterator[tuple[str, str]]:
        for key, obligation in tree.obligations.items():
            if key not in self._named and now - obligation.deadline > NAMED_WITHIN:
                self._named.add(key)
                yield (
                    "P9",
                    f"{obligation.owner} waits for {obligation.waits_for} beyond its deadline, and nobody said so",
                )
        self._named &= tree.obligations.keys()
        for path, other in tree.cells.items():
            if other.held or other.current is not None:
                continue
            for lane in (other.mailbox.control, other.mailbox.data):
                if lane and now - lane[0].at > STALLED:
                    first = lane[0]
                    age = (now - first.at) / NS
                    yield "P9", f"{path} is free, and {type(first.message).__name__} #{first.id} waits for {age:.1f} s"
