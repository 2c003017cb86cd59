"""The last messages an actor handled, as columns of machine words.

Tuples or message objects kept here would be paid for twice, the second time in garbage collection pauses (measured: p99
0.4 -> 13 ms at 300 rooms); a ``bytearray`` holds no references, so the collector never looks at it. A row is written by
one call in C: half the time of six assignments, and another thread never reads half a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct, calcsize
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from .envelope import Envelope

CAPACITY = 32
_WORD = "l" if calcsize("l") == calcsize("q") else "q"
"""64 bits. CPython packs a ``long`` in half the time of a ``long long``, but on Windows it is too short."""
_ROW = Struct(f"6{_WORD}")
ROW = _ROW.size
"""Bytes of one row: id, cause, type code, began, waited, ended."""
END = CAPACITY * ROW
NEXT_ROW = tuple((row + ROW) % END for row in range(END))
"""Where a row is followed by the next: a look-up takes half the time of the sum."""
write_row = _ROW.pack_into
RAISED = -1
"""As the end of a handler: it raised."""


class _TypeCodes(dict[type, int]):
    """A number for every type of message, given when it is first asked for."""

    def __missing__(self, kind: type) -> int:
        code = self[kind] = len(_type_names)
        _type_names.append(kind.__name__)
        return code


_type_names: list[str] = []
type_codes: Mapping[type, int] = _TypeCodes()


@dataclass(frozen=True, slots=True)
class Recorded:
    """One handled message."""

    id: int
    cause: int
    type: str
    at: int
    """Start of handling, kernel clock, ns."""
    waited: int
    """Nanoseconds in the mailbox."""
    took: int
    """Nanoseconds in the handler, commit included; -1 when it raised."""


class Recording(Sequence[Recorded]):
    """A copy of a recorder, oldest entry first.

    Its rows are words until somebody reads them: a look at a room takes the recorders of all its actors, few are read.
    """

    __slots__ = ("_words",)

    def __init__(self, words: bytes) -> None:
        self._words = words

    def _rows(self) -> list[Recorded]:
        return [
            Recorded(id, cause, _type_names[code], began, waited, -1 if ended == RAISED else ended - began)
            for id, cause, code, began, waited, ended in _ROW.iter_unpack(self._words)
            if id
        ]

    def __iter__(self) -> Iterator[Recorded]:
        return iter(self._rows())

    def __len__(self) -> int:
        return len(self._rows())

    @overload
    def __getitem__(self, index: int) -> Recorded: ...
    @overload
    def __getitem__(self, index: slice) -> list[Recorded]: ...
    def __getitem__(self, index: int | slice) -> Recorded | list[Recorded]:
        return self._rows()[index]

    def __repr__(self) -> str:
        return f"Recording({self._rows()})"


EMPTY = Recording(b"")


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

    def record(self, envelope: Envelope, began: int, ended: int) -> None:
        """Overwrite the oldest entry. ``ended``: kernel clock, ns, or :data:`RAISED`."""
        rows, start = self.open(), self.next
        waited = began - envelope.at
        write_row(rows, start, envelope.id, envelope.cause, envelope.policy.code, began, waited, ended)
        self.next = NEXT_ROW[start]

    def recording(self) -> Recording:
        """What is there now, read row by row only by whoever looks. From any thread."""
        if self.rows is None:
            return EMPTY
        copied, newest = bytes(self.rows), self.next
        return Recording(copied[newest:] + copied[:newest])

    def last(self, count: int = CAPACITY) -> list[Recorded]:
        """The newest entries, oldest first. Readable from any thread."""
        return list(self.recording())[-count:]
