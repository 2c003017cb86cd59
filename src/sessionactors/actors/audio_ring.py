"""The audio since the last final transcript, as a value: what a new recognition stream must hear again.

Two levels of tuples, so that adding a frame copies at most :data:`CHUNK` references and forgetting drops whole chunks.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessionactors.model.audio import AudioFrame
from sessionactors.runtime.frozen import replace

CHUNK = 32
"""Frames in a chunk."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    frames: tuple[AudioFrame, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class AudioRing:
    """Frames with consecutive numbers, the oldest forgotten first."""

    limit: float = 15.0
    """Seconds that are kept at most."""
    next_number: int = 1
    """Number of the next frame."""
    seconds: float = 0.0
    """Seconds that are kept now."""
    _closed: tuple[_Chunk, ...] = ()
    _open: tuple[AudioFrame, ...] = ()

    @property
    def first_number(self) -> int:
        """Number of the oldest frame; ``next_number`` when there is none."""
        return self.next_number - len(self._open) - sum(len(chunk.frames) for chunk in self._closed)

    def add(self, frame: AudioFrame) -> AudioRing:
        """With one frame more; beyond the limit the oldest chunks go."""
        open_frames = (*self._open, frame)
        closed = self._closed
        seconds = self.seconds + frame.duration
        if len(open_frames) >= CHUNK:
            closed = (*closed, _Chunk(open_frames, sum(kept.duration for kept in open_frames)))
            open_frames = ()
        while closed and seconds > self.limit:
            seconds -= closed[0].seconds
            closed = closed[1:]
        return AudioRing(self.limit, self.next_number + 1, seconds, closed, open_frames)

    def after(self, number: int) -> tuple[int, tuple[AudioFrame, ...]]:
        """The frames behind the one of this number: (number of the first of them, frames)."""
        first = self.first_number
        frames = tuple(frame for chunk in self._closed for frame in chunk.frames) + self._open
        start = max(first, min(number + 1, self.next_number))
        return start, frames[start - first :]

    def without(self, upto: int) -> AudioRing:
        """Without the frames up to and including this number."""
        if upto < self.first_number:
            return self
        _, frames = self.after(upto)
        shorter = replace(self, seconds=0.0, _closed=(), _open=(), next_number=self.next_number - len(frames))
        for frame in frames:
            shorter = shorter.add(frame)
        return shorter
