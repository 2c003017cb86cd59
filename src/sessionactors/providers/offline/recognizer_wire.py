"""Messages between :class:`~.stt.PocketSphinxSTT` and its recogniser process.

One message is a header (kind, stream, length of the payload) and a payload of bytes: audio as it is, everything else
as JSON. Both ends are ours and of the same version; the format is not a public one. It knows no engine and no loop.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import IO, Final

_HEADER: Final = struct.Struct("<BII")
MAX_PAYLOAD: Final = 16 * 1024 * 1024
"""Bytes. Far above anything sent (20 s of audio are 640 kB): a larger length means the stream lost its framing."""


class Kind(IntEnum):
    """What a message says. The first group goes to the process, the second comes from it."""

    CONFIGURE = 1
    """Payload :class:`GrammarConfig` or :class:`DictationConfig`; once, first."""
    OPEN = 2
    """A new stream."""
    AUDIO = 3
    """Payload int16 little-endian mono 16 kHz."""
    FLUSH = 4
    """The user stopped speaking; answered by exactly one FINAL."""
    DICTATE = 5
    """Payload one whole utterance of audio; answered by exactly one FINAL. Only for a dictation process."""
    CLOSE = 6
    """The stream is over; not answered."""

    READY = 32
    """The engine is loaded."""
    INTERIM = 33
    """Payload :class:`Heard`."""
    FINAL = 34
    """Payload :class:`Heard`."""
    REJECTED_AUDIO = 35
    """Payload the audio that no phrase explained; comes right before its FINAL, if asked for."""
    FAILED = 36
    """Payload text; the stream is over, or (stream 0) the process is."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    kind: Kind
    stream: int
    """Number of the stream; 0 for the process itself."""
    payload: bytes = b""

    def encode(self) -> bytes:
        """As sent."""
        return _HEADER.pack(self.kind, self.stream, len(self.payload)) + self.payload


@dataclass(frozen=True, slots=True)
class GrammarConfig:
    """How a grammar process recognises."""

    jsgf: str
    dictionary: str
    min_score: float
    """Per frame, in the units of :class:`~.utterance.Words`; utterances below are rejected."""
    max_utterance: float
    """Seconds of audio after which an utterance is finalised without a flush."""
    return_rejected_audio: bool


@dataclass(frozen=True, slots=True)
class DictationConfig:
    """How a dictation process recognises: with the language model that comes with pocketsphinx."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was recognised in an utterance, or in the part of it so far."""

    text: str
    """Words, lower case; empty when nothing was recognised or it was rejected."""
    score: float | None = None
    """How well the words fit the sound, per frame, in the units of :class:`~.utterance.Words`. None without words."""
    before: str = ""
    """Words reported with the utterance before, of which these are the continuation (the user paused in a phrase)."""
    flushed: bool = False
    """Whether this is the answer to a FLUSH or DICTATE (an utterance that ran too long ends without one)."""
    silence: float = 0.0
    """Seconds of silence before the flush that were not decoded: how much the gate saved."""


class BrokenStream(Exception):
    """Raised when the bytes from the other end are not messages of this format."""


def encode_json(kind: Kind, stream: int, value: GrammarConfig | DictationConfig | Heard) -> bytes:
    """A message whose payload is a value."""
    return Message(kind, stream, json.dumps(asdict(value)).encode()).encode()


def decode_heard(payload: bytes) -> Heard:
    """The payload of INTERIM and FINAL."""
    return Heard(**json.loads(payload))


def decode_config(payload: bytes) -> GrammarConfig | DictationConfig:
    """The payload of CONFIGURE."""
    fields = json.loads(payload)
    return GrammarConfig(**fields) if "jsgf" in fields else DictationConfig(**fields)


def read_message(source: IO[bytes]) -> Message | None:
    """The next message, waiting for it; None at the end of the stream.

    Args:
        source: a buffered reader (``read(n)`` returns less than n only at the end).

    Raises:
        BrokenStream: the stream ends inside a message, or is none of ours.
    """
    header = source.read(_HEADER.size)
    if not header:
        return None
    if len(header) < _HEADER.size:
        raise BrokenStream("the stream ended inside a header")
    kind, stream, length = _HEADER.unpack(header)
    if length > MAX_PAYLOAD or kind not in Kind.__members__.values():
        raise BrokenStream(f"not a message: kind {kind}, {length} bytes")
    payload = source.read(length)
    if len(payload) < length:
        raise BrokenStream("the stream ended inside a payload")
    return Message(Kind(kind), stream, payload)
