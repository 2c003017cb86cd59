"""Reading a journal: its records, one after the other, as values. Also from a file that was cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

import msgspec

from sessionactors.runtime.witness import Fate, Happening, Hook

from . import records as kinds
from .decoding import Decoder, World
from .errors import JournalDamaged, JournalVersionError
from .file import frames, records
from .layout import Code
from .records import Header, Record
from .tags import FORMAT, Defines


class JournalReader:
    """The records of a journal: iterate it, once.

    Args:
        file: a path, or a file open for reading bytes.
        world: what stands for refs, scopes and kept asks; values that lead nowhere, if not given.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, file: str | Path | BufferedIOBase, *, world: World | None = None) -> None:
        self._own = isinstance(file, str | Path)
        self._file = Path(file).open("rb") if isinstance(file, str | Path) else file  # noqa: SIM115  close() does
        self._decoder = Decoder(world)
        self._actors: dict[int, str] = {}
        self._messages: dict[int, str] = {}
        self.header: Header | None = None
        """There from the first record on."""
        self.cut = False
        """After the last record: the file ends in the middle of something, as one does whose process was killed."""
        self.closed = False
        """After the last record: the journal was closed properly."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._own:
            self._file.close()

    def __iter__(self) -> Iterator[Record]:
        """The records.

        Raises:
            JournalDamaged: the file is no journal, or was changed.
            JournalVersionError: another version wrote it, and this one cannot read it.
            UnknownClass: it names a class that a journal may not name.
        """
        for frame in frames(self._file):
            if frame is None:
                self.cut = True
                return
            for record in records(frame):
                read = self._read(record)
                if read is None:
                    continue
                if self.header is None:
                    if not isinstance(read, Header):
                        raise JournalDamaged(f"the journal begins with {type(read).__name__} instead of its header")
                    self.header = read
                self.closed = isinstance(read, kinds.Closed)
                yield read

    def _read(self, record: memoryview) -> Record | None:
        return cast("Record | None", self._decoder.guarded(lambda: self._record(msgspec.msgpack.decode(record))))

    def _record(self, parts: list[Any]) -> Record | None:
        code = parts[0]
        if code == Defines.ACTOR:
            self._actors[parts[1]] = str(parts[2])
            return None
        if code == Defines.MESSAGE:
            self._messages[parts[1]] = str(parts[2])
            return None
        if code <= max(Defines):
            self._decoder.define_parts(parts)
            return None
        return _READ[Code(code)](self, parts[1:])

    # -- what the readers of records ask for -------------------------------------------------------------------------

    def value(self, node: object) -> object:
        """A value."""
        return self._decoder.value(node)

    def actor(self, number: int) -> str:
        """A path."""
        return self._actors[number]

    def message(self, number: int) -> str:
        """Name of a type of messages."""
        return self._messages[number]


def _effect(node: list[Any] | None) -> tuple[str, int] | None:
    return None if node is None else (str(node[0]), int(node[1]))


def _header(reader: JournalReader, parts: list[Any]) -> Record:
    written, *facts = parts
    if written != FORMAT:
        raise JournalVersionError(f"the journal has format {written}; this version reads {FORMAT}")
    known: tuple[Any, ...] = tuple(map(reader.value, facts))
    version, python, room, seed, at, wall, captured, notes, *code = known  # the code was not said in the beginning
    return Header(version, python, room, seed, at, wall, captured, notes, *code[:1])


def _entered(reader: JournalReader, parts: list[Any]) -> Record:
    target, id, sender, cause, turn, at, message, how, asked, deadline = parts
    timer, effect, reserved = (None, None, False) if how is None else how
    return kinds.Entered(
        at, id, reader.actor(target), sender, cause, turn, reader.value(message), asked, deadline,
        None if timer is None else (timer[0], timer[1]), _effect(effect), bool(reserved),
    )  # fmt: skip


def _handled(reader: JournalReader, parts: list[Any]) -> Record:
    target, id, cause, kind, began, took, operations, state = parts
    return kinds.Handled(
        reader.actor(target), id, cause, reader.message(kind), began, began + took, operations, state
    )  # fmt: skip


def _said(reader: JournalReader, parts: list[Any]) -> Record:
    target, *told = parts
    pairs = zip(told[::2], told[1::2], strict=True)
    return kinds.Said(reader.actor(target), tuple((path, reader.value(message)) for path, message in pairs))


def _checkpoint(reader: JournalReader, parts: list[Any]) -> Record:
    at, *told = parts
    states: dict[str, object] = {}
    waiting: dict[str, int] = {}
    for number, count, state in zip(told[::3], told[1::3], told[2::3], strict=True):
        states[reader.actor(number)] = reader.value(state)
        if count:
            waiting[reader.actor(number)] = count
    return kinds.Checkpoint(at, states, waiting)


_READ: Final[Mapping[Code, Callable[[JournalReader, list[Any]], Record]]] = {
    Code.HEADER: _header,
    Code.GIVEN: lambda reader, parts: kinds.Given(reader.value(parts[0])),
    Code.ENTERED: _entered,
    Code.ORDERED: lambda reader, parts: kinds.Ordered(reader.actor(parts[0]), reader.value(parts[1])),
    Code.OBEYED: lambda reader, parts: kinds.Obeyed(reader.actor(parts[0]), parts[1]),
    Code.TAKEN: lambda reader, parts: kinds.Taken(reader.actor(parts[0]), parts[1], parts[2]),
    Code.HANDLED: _handled,
    Code.COMMIT_FAILED: lambda reader, parts: kinds.CommitFailed(
        reader.actor(parts[0]), parts[1], reader.value(parts[2])
    ),
    Code.FAILED: lambda reader, parts: kinds.Failed(reader.actor(parts[0]), parts[1], reader.value(parts[2]), parts[3]),
    Code.HOOKED: lambda reader, parts: kinds.Hooked(
        reader.actor(parts[0]), Hook(parts[1]), parts[2], parts[3], parts[4]
    ),
    Code.HOOK_FAILED: lambda reader, parts: kinds.HookFailed(
        reader.actor(parts[0]), Hook(parts[1]), parts[2], reader.value(parts[3])
    ),
    Code.NOT_CARRIED_OUT: lambda reader, parts: kinds.NotCarriedOut(
        reader.actor(parts[0]), parts[1], reader.value(parts[2])
    ),
    Code.DISCARDED: lambda reader, parts: kinds.Discarded(reader.actor(parts[0]), parts[1], Fate(parts[2]), parts[3]),
    Code.HAPPENED: lambda reader, parts: kinds.Happened(
        reader.actor(parts[0]), Happening(parts[1]), _effect(parts[2]), parts[3]
    ),
    Code.FINISHED: lambda reader, parts: kinds.Finished(reader.actor(parts[0])),
    Code.NAMED: lambda _, parts: kinds.Named(parts[0]),
    Code.CHECKPOINT: _checkpoint,
    Code.SAID: _said,
    Code.LOST: lambda _, parts: kinds.Lost(parts[0]),
    Code.NOTED: lambda _, parts: kinds.Noted(parts[0], parts[1]),
    Code.CLOSED: lambda _, parts: kinds.Closed(parts[0], parts[1]),
}
