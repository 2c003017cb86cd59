"""One piece of PCM audio, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import AudioFormatError

BYTES_PER_SAMPLE = 2


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """PCM audio: int16 little-endian, channels interleaved.

    Raises:
        AudioFormatError: if rate or channels are not positive, or the data is not a whole number of samples.
    """

    data: bytes
    """Samples, ``2 * num_channels`` bytes for each instant."""

    sample_rate: int
    """Hertz, > 0."""

    num_channels: int = 1
    """Interleaved channels, >= 1."""

    def __post_init__(self) -> None:
        if self.sample_rate <= 0 or self.num_channels <= 0:
            raise AudioFormatError(
                f"sample_rate and num_channels must be positive, got {self.sample_rate} and {self.num_channels}"
            )
        if len(self.data) % (BYTES_PER_SAMPLE * self.num_channels):
            raise AudioFormatError(
                f"{len(self.data)} bytes are not a whole number of int16 samples in {self.num_channels} channel(s)"
            )

    @property
    def samples_per_channel(self) -> int:
        """Number of instants in the frame."""
        return len(self.data) // (BYTES_PER_SAMPLE * self.num_channels)

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.samples_per_channel / self.sample_rate

    def split(self, samples: int) -> tuple[AudioFrame, AudioFrame]:
        """Cut after ``samples`` instants: (head, tail); either may be empty."""
        cut = max(0, samples) * BYTES_PER_SAMPLE * self.num_channels
        return (
            AudioFrame(self.data[:cut], self.sample_rate, self.num_channels),
            AudioFrame(self.data[cut:], self.sample_rate, self.num_channels),
        )

    def silenced(self) -> AudioFrame:
        """Silence of the same length."""
        return AudioFrame(bytes(len(self.data)), self.sample_rate, self.num_channels)

    def __repr__(self) -> str:
        return f"<AudioFrame {self.duration * 1000:.0f} ms, {self.sample_rate} Hz x {self.num_channels}>"
