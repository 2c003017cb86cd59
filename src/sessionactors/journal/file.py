"""The file of a journal: a chain of zstd frames, each one whole. ``zstd -dc`` reads it too.

Before each frame stands a skippable one that says what the file is, and how long the frame is, packed and unpacked. A
frame holds records, one behind the other, each with its length. What is written is written: a process
that is killed leaves all frames but the one it was writing.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Final

import zstandard

from .errors import JournalDamaged, JournalVersionError
from .tags import FORMAT

SUFFIX: Final = ".journal"
_SKIPPABLE: Final = 0x184D2A5A
_HEAD: Final = struct.Struct("<IIIIIIH2x")
"""Skippable, its size, packed, unpacked, checksum-free magic in two halves, format."""
_MAGIC: Final = (0x6A737361, 0x6C6E726F)
LARGEST: Final = 64 * 1024 * 1024
"""Bytes of one frame, unpacked: more is not written, and not read."""
LEVEL: Final = 1
"""Of zstd: more packs speech by a hundredth better, at twice the time."""
_LENGTH: Final = struct.Struct("<I")


class Packer:
    """Makes frames."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True)

    def pack(self, records: list[bytes]) -> Iterator[bytes]:
        """Frames of these records; as a rule one."""
        parts: list[bytes] = []
        size = 0
        for record in records:
            if size + len(record) + _LENGTH.size > LARGEST and parts:
                yield self._frame(parts)
                parts, size = [], 0
            parts += (_LENGTH.pack(len(record)), record)
            size += len(record) + _LENGTH.size
        if parts:
            yield self._frame(parts)

    def _frame(self, parts: list[bytes]) -> bytes:
        unpacked = b"".join(parts)
        packed = self._zstd.compress(unpacked)
        head = _HEAD.pack(_SKIPPABLE, _HEAD.size - 8, len(packed), len(unpacked), *_MAGIC, FORMAT)
        return head + packed


def frames(file: BufferedIOBase) -> Iterator[bytes | None]:
    """What frames hold, unpacked; None at the end if the last one is not whole.

    Raises:
        JournalDamaged: it is no journal, or one that was changed.
        JournalVersionError: its format is another one.
    """
    zstd = zstandard.ZstdDecompressor(max_window_size=LARGEST)
    first = True
    while head := file.read(_HEAD.size):
        if len(head) < _HEAD.size:
            if first:
                raise JournalDamaged("this is no journal: it is too short")
            yield None
            return
        kind, rest, packed, unpacked, *magic, written = _HEAD.unpack(head)
        if (kind, rest, tuple(magic)) != (_SKIPPABLE, _HEAD.size - 8, _MAGIC):
            raise JournalDamaged("this is no journal" if first else "the journal is damaged: a frame is missing")
        if written != FORMAT:
            raise JournalVersionError(f"the journal has format {written}; this version reads {FORMAT}")
        if unpacked > LARGEST or packed > LARGEST + 1024:
            raise JournalDamaged(f"the journal is damaged: a frame of {unpacked} bytes, packed in {packed}")
        data = file.read(packed)
        if len(data) < packed:
            yield None
            return
        yield _unpacked(zstd, data, unpacked)
        first = False
    if first:
        raise JournalDamaged("this is no journal: it is empty")


def _unpacked(zstd: zstandard.ZstdDecompressor, data: bytes, size: int) -> bytes:
    try:
        if zstandard.frame_content_size(data) != size:
            raise JournalDamaged("the journal is damaged: a frame is not as long as it says")
        return zstd.decompress(data, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise JournalDamaged(f"the journal is damaged: {error}") from None


def records(frame: bytes) -> Iterator[memoryview]:
    """The records of a frame.

    Raises:
        JournalDamaged: their lengths do not fit.
    """
    view, at = memoryview(frame), 0
    while at < len(view):
        if at + _LENGTH.size > len(view):
            raise JournalDamaged("the journal is damaged: half a length")
        (length,) = _LENGTH.unpack_from(view, at)
        at += _LENGTH.size
        if at + length > len(view):
            raise JournalDamaged(f"the journal is damaged: a record of {length} bytes goes beyond its frame")
        yield view[at : at + length]
        at += length


def created(path: Path, *, overwrite: bool) -> int:
    """The descriptor of a new file, in a directory that is made if need be. Only its owner may read it.

    Raises:
        FileExistsError: there is one already.
        OSError: it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if overwrite:
        path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)
