"""The last messages an actor handled, as columns of machine words.

Tuples or message objects kept here would be paid for twice, the second time in garbage collection pauses (measured: p99
0.4 -> 13 ms at 300 rooms); a ``bytearray`` holds no references, so the collector never looks at it. A row is written by
one call in C: half the time of six assignments, and another thread never reads half a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import NamedTuple

CAPACITY = 32
_ROW = Struct("6q")
ROW = _ROW.size
"""Bytes of one row: id, cause, type code, at, waited, took."""
END = CAPACITY * ROW
LAST_ROW = END - ROW
write_row = _ROW.pack_into


class _TypeCodes(dict[type, int]):
    """A number for every type of message, given when it is first asked for."""

    def __missing__(self, kind: type) -> int:
        code = self[kind] = len(_type_names)
        _type_names.append(kind.__name__)
        return code


_type_names: list[str] = []
type_codes: Mapping[type, int] = _TypeCodes()


class Recorded(NamedTuple):
    """One handled message. A named tuple is made three times as fast as a dataclass, and a look makes hundreds."""

    id: int
    cause: int
    type: str
    at: int
    """Start of handling, kernel clock, ns."""
    waited: int
    """Nanoseconds in the mailbox."""
    took: int
    """Nanoseconds in the handler, commit included; -1 when it raised."""


_new = tuple.__new__  # what Recorded(...) comes to, without the call in between


class FlightRecorder:
    """A ring of the last :data:`CAPACITY` handled messages of one actor."""

    __slots__ = ("next", "rows")

    def __init__(self) -> None:
        self.rows: bytearray | None = None  # made at the first message: an idle actor pays nothing
        self.next = 0
        """Where in ``rows`` the next row goes."""

    def open(self) -> bytearray:
        """The rows, to be written by :data:`write_row`; ``handling`` does so in place, as it does at every message."""
        if self.rows is None:
            self.rows = bytearray(END)
        return self.rows

    def record(self, id: int, cause: int, kind: type, at: int, waited: int, took: int) -> None:
        """Overwrite the oldest entry."""
        rows, start = self.open(), self.next
        write_row(rows, start, id, cause, type_codes[kind], at, waited, took)
        self.next = start + ROW if start < LAST_ROW else 0

    def last(self, count: int = CAPACITY) -> list[Recorded]:
        """The newest entries, oldest first. Readable from any thread."""
        if self.rows is None:
            return []
        copied, newest = bytes(self.rows), self.next
        entries = _ROW.iter_unpack(copied[newest:] + copied[:newest])
        recorded = [
            _new(Recorded, (id, cause, _type_names[code], at, waited, took))
            for id, cause, code, at, waited, took in entries
            if id
        ]
        return recorded[-count:]
