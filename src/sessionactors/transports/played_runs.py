"""What was played, and when: audio by stretches without a gap."""

from __future__ import annotations

from dataclasses import dataclass

from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame


@dataclass(frozen=True, slots=True)
class AudioRun:
    """Audio of the agent that was played without a gap."""

    at: float
    """Loop time in seconds at which the first sample began to play."""
    pcm: bytes
    """int16 little-endian, mono."""
    sample_rate: int
    """Hertz."""

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.pcm) / BYTES_PER_SAMPLE / self.sample_rate


class PlayedRuns:
    """Keeps what was played, and when.

    Args:
        sample_rate: Hertz of the frames.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._runs: list[tuple[float, list[bytes]]] = []
        self._ends = 0.0

    @property
    def runs(self) -> tuple[AudioRun, ...]:
        """All of it, in order: a new run after every silence of a sample or more."""
        return tuple(AudioRun(at, b"".join(parts), self._rate) for at, parts in self._runs)

    def add(self, frame: AudioFrame, at: float) -> None:
        """More of it; ``at`` is the loop time in seconds of its first sample."""
        if not self._runs or (at - self._ends) * self._rate >= 1:
            self._runs.append((at, []))
        self._runs[-1][1].append(frame.data)
        self._ends = at + frame.duration
