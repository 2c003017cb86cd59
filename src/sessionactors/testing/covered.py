"""What an exploration has covered: how many different orders, and which messages met which kinds of states."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

from sessionactors.runtime.witness import Witness

if TYPE_CHECKING:
    from sessionactors.runtime import Delivery
    from sessionactors.runtime.cell import Cell
    from sessionactors.runtime.envelope import Envelope
    from sessionactors.runtime.operation import Operation

Pair: TypeAlias = tuple[str, str, str]
"""Actor (numbers left out), kind of its state, and type of the message that it handled in it."""

_NUMBER = re.compile(r"\d+")


@dataclass(slots=True)
class Covered:
    """The sums of many runs."""

    runs: int = 0
    orders: set[bytes] = field(default_factory=set)
    """One for each distinct order in which messages were handled."""
    pairs: set[Pair] = field(default_factory=set)

    def add(self, other: Covered) -> None:
        """Count what another process has covered."""
        self.runs += other.runs
        self.orders |= other.orders
        self.pairs |= other.pairs

    def __str__(self) -> str:
        return f"{self.runs} schedules, {len(self.orders)} distinct orders, {len(self.pairs)} (state, message) pairs"


def order_of(deliveries: Sequence[Delivery]) -> bytes:
    """A digest of who handled what in which order; of no times, and no contents."""
    digest = blake2b(digest_size=8)
    for delivery in deliveries:
        digest.update(f"{delivery.target} {type(delivery.message).__name__} {delivery.outcome}\n".encode())
    return digest.digest()


class Pairs(Witness):
    """Sees which messages meet which kinds of states. A kind: the enums and the absences among a state's fields."""

    def __init__(self, seen: set[Pair]) -> None:
        self._seen = seen
        self._last: dict[int, tuple[object, str, str]] = {}

    def handled(
        self, cell: Cell, envelope: Envelope, began: int, ended: int, state: object, ops: list[Operation]
    ) -> None:
        """Before the new state takes effect: the pair is that of the old one."""
        before, known = cell.state, self._last.get(id(cell))
        if known is None or known[0] is not before:
            known = self._last[id(cell)] = before, _NUMBER.sub("", cell.name), _kind(before)
        self._seen.add((known[1], known[2], type(envelope.message).__name__))


_fields: dict[type, tuple[str, ...]] = {}


def _kind(state: object) -> str:
    names = _fields.get(type(state))
    if names is None:
        names = tuple(each.name for each in fields(state)) if is_dataclass(state) else ()
        _fields[type(state)] = names
    marks = []
    for name in names:
        value = getattr(state, name)
        if isinstance(value, Enum):
            marks.append(value.name)
        elif value is None or value is True:
            marks.append(f"{name}={value}")
    return f"{type(state).__name__}({', '.join(marks)})"
