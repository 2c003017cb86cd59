"""PCM and Opus, one codec for each direction of a connection: codecs remember what came before."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final, Literal, Protocol, TypeAlias

import numpy as np

from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.model.errors import AudioFormatError, OptionError

CodecName: TypeAlias = Literal["pcm", "opus"]
OPUS_RATES: Final = (8000, 12000, 16000, 24000, 48000)
"""Hertz that Opus knows."""
OPUS_BIT_RATE: Final = 32000
"""Bits a second of the agent's voice: speech at full band (RFC 7587 recommends 28 to 40 kbit/s)."""
PCM_RATES: Final = range(8000, 48001)


class Decoder(Protocol):
    """Client's audio."""

    def decode(self, data: bytes) -> AudioFrame | None:
        """A message; None while the codec waits for more.

        Raises:
            AudioFormatError: it cannot be read.
        """


class Encoder(Protocol):
    """The agent's audio."""

    def encode(self, pcm: bytes) -> list[bytes]:
        """Mono int16 to messages."""

    def flush(self) -> list[bytes]:
        """What is held back: no more of this stretch follows at once."""


def can_opus() -> bool:
    """Whether PyAV, which brings libopus, is installed."""
    return find_spec("av") is not None


def check_format(codec: CodecName, sample_rate: int) -> None:
    """Raise if it is not spoken here.

    Raises:
        OptionError: the rate is not one of the codec, or the codec is not installed.
    """
    if codec == "opus" and not can_opus():
        raise OptionError("opus is not installed here: use pcm, or install sessionactors[websocket]")
    if codec == "opus" and sample_rate not in OPUS_RATES:
        raise OptionError(f"opus has no {sample_rate} Hz: it has {', '.join(map(str, OPUS_RATES))}")
    if sample_rate not in PCM_RATES:
        raise OptionError(f"sample_rate must be within {PCM_RATES[0]} and {PCM_RATES[-1]} Hz, got {sample_rate}")


class PcmDecoder:
    """int16 little-endian, as it is."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._sample_rate = sample_rate
        self._channels = channels

    def decode(self, data: bytes) -> AudioFrame | None:
        return AudioFrame(data, self._sample_rate, self._channels)


class PcmEncoder:
    """int16 little-endian, as it is."""

    def encode(self, pcm: bytes) -> list[bytes]:
        return [pcm]

    def flush(self) -> list[bytes]:
        return []


class OpusDecoder:
    """Opus packets, each in a message. Comes out at 48 kHz, as libopus decodes."""

    def __init__(self, channels: int) -> None:
        import av

        self._packet: Any = av.Packet
        self._codec: Any = av.CodecContext.create("libopus", "r")
        self._codec.sample_rate = 48000
        self._codec.layout = "mono" if channels == 1 else "stereo"
        self._channels = channels
        self._error: type[Exception] = av.error.FFmpegError

    def decode(self, data: bytes) -> AudioFrame | None:
        try:
            frames = self._codec.decode(self._packet(data)) if data else []
        except (self._error, ValueError) as error:
            raise AudioFormatError(f"no Opus packet: {len(data)} bytes, {error}") from error
        pcm = b"".join(frame.to_ndarray().astype("<i2", copy=False).tobytes() for frame in frames)
        return AudioFrame(pcm, 48000, self._channels) if pcm else None


class OpusEncoder:
    """Opus packets of 20 ms, for speech."""

    def __init__(self, sample_rate: int) -> None:
        import av

        self._frame: Any = av.AudioFrame
        self._codec: Any = av.CodecContext.create("libopus", "w")
        self._codec.sample_rate = sample_rate
        self._codec.layout = "mono"
        self._codec.format = "s16"
        self._codec.bit_rate = OPUS_BIT_RATE
        self._codec.options = {"application": "voip", "frame_duration": "20"}
        self._codec.open()
        self._sample_rate = sample_rate
        self._size = sample_rate // 50 * BYTES_PER_SAMPLE
        self._held = b""
        self._at = 0

    def encode(self, pcm: bytes) -> list[bytes]:
        pcm = self._held + pcm
        whole = len(pcm) // self._size * self._size
        self._held = pcm[whole:]
        return [packet for at in range(0, whole, self._size) for packet in self._packets(pcm[at : at + self._size])]

    def flush(self) -> list[bytes]:
        """The rest of a stretch, filled up with silence: a packet has 20 ms."""
        rest, self._held = self._held, b""
        return self._packets(rest.ljust(self._size, b"\0")) if rest else []

    def _packets(self, pcm: bytes) -> list[bytes]:
        frame = self._frame.from_ndarray(np.frombuffer(pcm, "<i2").reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = self._sample_rate, self._at
        self._at += len(pcm) // BYTES_PER_SAMPLE
        return [bytes(packet) for packet in self._codec.encode(frame)]
