"""``journal``: what a journal holds, for people line by line, or for programs as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from sessionactors.journal.errors import JournalError
from sessionactors.journal.reading import JournalReader
from sessionactors.journal.records import (
    Checkpoint,
    Closed,
    Discarded,
    Entered,
    Failed,
    Given,
    Handled,
    Happened,
    Header,
    Hooked,
    HookFailed,
    Lost,
    Noted,
    Record,
    Taken,
)

NS: Final = 1e9
WIDEST: Final = 160
"""Characters of a message that people see."""


def lines(file: Path, *, as_json: bool, whole: bool) -> Iterator[str]:
    """What to print of a journal.

    Args:
        file: the journal.
        as_json: one JSON object for each record.
        whole: for people, also what handlers made of it; else what came from outside, what failed, and remarks.

    Raises:
        JournalError: the file is no journal, or was changed, or cannot be opened.
    """
    try:
        reader = JournalReader(file)
    except OSError as error:
        raise JournalError(f"{file} cannot be read: {error.strerror or error}") from error
    with reader:
        begins: int | None = None
        count = 0
        for record in reader:
            count += 1
            if as_json:
                yield json.dumps({"record": type(record).__name__, **_fields(record)}, ensure_ascii=False)
                continue
            at = _time(record)
            if begins is None and at is not None and not isinstance(record, Header):
                begins = at
            if whole or not isinstance(record, Handled | Hooked | Taken | Discarded | Happened):
                told = "" if at is None or begins is None else f"{(at - begins) / NS:9.3f}"
                yield f"{told:9}  {_in_words(record)}"
        if not as_json:
            how = "was closed" if reader.closed else "ends in the middle" if reader.cut else "was not closed"
            yield f"{'':9}  {count} records; the journal {how}"


def _fields(record: Record) -> dict[str, object]:
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def _plain(value: object) -> object:
    """As JSON: classes by name, sound by its length, what only lived in the session in words."""
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, Enum):
        return value.name
    if is_dataclass(value) and not isinstance(value, type):
        told = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {"type": type(value).__name__, **told}
    if isinstance(value, Mapping):
        return {str(key): _plain(content) for key, content in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(content) for content in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _time(record: Record) -> int | None:
    match record:
        case Handled(began=at) | Failed(began=at) | Taken(began=at):
            return at
        case Entered() | Hooked() | HookFailed() | Discarded() | Happened() | Checkpoint() | Noted() | Closed():
            return record.at
        case _:
            return None


def _in_words(record: Record) -> str:
    match record:
        case Header():
            kept = record.captured
            without = [name for name in ("audio", "transcripts", "hashes") if not getattr(kept, name)]
            parts = f"{record.room}: sessionactors {record.version}, Python {record.python}, seed {record.seed}"
            parts += f"; without {', '.join(without)}" if without else ""
            parts += "; texts were changed" if kept.redacted else ""
            return parts + "".join(f"; {name}: {note}" for name, note in record.notes.items())
        case Given():
            return "what the session was given"
        case Checkpoint():
            return f"checkpoint: {len(record.states)} actors, {sum(record.waiting.values())} messages wait"
        case Lost():
            return f"{record.records} records are lost here: the disk was too slow"
        case Noted():
            return f"remark: {record.text}"
        case Closed():
            return "end" if not record.lost else f"end; {record.lost} records were lost"
        case Handled():
            return (
                f"{record.target} handled {record.type} #{record.id}, of #{record.cause}; asked for {record.operations}"
            )
        case Entered():
            told = repr(record.message)
            return (
                f"{record.sender} -> {record.target} #{record.id} {told if len(told) < WIDEST else told[:WIDEST] + '…'}"
            )
        case _:
            told = ", ".join(f"{field.name}={getattr(record, field.name)!r}" for field in fields(record))
            return f"{type(record).__name__.lower()}: {told}"
