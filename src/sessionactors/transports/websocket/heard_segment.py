"""A segment that is played elsewhere: what of it was sent, and what of that was heard. Counted in samples; no clock.

What was not heard is kept, so that a segment that was paused can be sent again from there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sessionactors.model.audio import BYTES_PER_SAMPLE


@dataclass(slots=True)
class HeardSegment:
    """One segment. ``heard <= sent <= written`` at any time, in samples since its beginning."""

    name: str
    sample_rate: int
    heard: int = 0
    """Known to have been played."""
    sent: int = 0
    written: int = 0
    ended: bool = False
    """No more is written."""
    started: bool = False
    """It was reported as begun."""
    paused: bool = False
    stretch: int | None = None
    """Under which its audio goes now; None: nothing of it is on the way."""
    offset: int = 0
    """Where the stretch began."""
    complete: bool = False
    """The client knows that nothing more of it comes."""
    marks: deque[int] = field(default_factory=deque)
    """Positions that were marked, and did not come back."""
    marked: int = 0
    """The last position that was marked."""
    anchor: int = 0
    """A position, and the time in seconds at which it is played; None: nothing plays."""
    anchored_at: float | None = None
    _kept: bytearray = field(default_factory=bytearray)

    def write(self, pcm: bytes) -> None:
        """More of it."""
        self._kept += pcm
        self.written += len(pcm) // BYTES_PER_SAMPLE

    def take(self, samples: int) -> bytes:
        """The next audio to send, at most so much."""
        begin = (self.sent - self.heard) * BYTES_PER_SAMPLE
        pcm = bytes(self._kept[begin : begin + samples * BYTES_PER_SAMPLE])
        self.sent += len(pcm) // BYTES_PER_SAMPLE
        return pcm

    def hear(self, position: int) -> None:
        """All before ``position`` was played. What was sent can have been; what was heard once stays so."""
        position = max(self.heard, min(position, self.sent))
        del self._kept[: (position - self.heard) * BYTES_PER_SAMPLE]
        self.heard = position
        while self.marks and self.marks[0] <= position:
            self.marks.popleft()

    def mark(self) -> int:
        """Mark the end of what was sent; gives the samples since the stretch began."""
        self.marked = self.sent
        self.marks.append(self.sent)
        return self.sent - self.offset

    def take_back(self) -> None:
        """What was sent and not heard is to be sent again."""
        self.sent = self.marked = self.heard
        self.stretch, self.complete, self.anchored_at = None, False, None
        self.marks.clear()

    def reckoned(self, now: float) -> int:
        """Where the listener is, as far as can be told between two reports: not beyond the next mark."""
        if self.anchored_at is None:
            return self.heard
        position = self.anchor + int(max(0.0, now - self.anchored_at) * self.sample_rate + 1e-3)
        limit = self.marks[0] if self.marks else self.sent
        return max(self.heard, min(position, limit))

    @property
    def on_the_way(self) -> bool:
        """Whether something was sent that was not heard."""
        return self.stretch is not None and self.sent > self.heard

    @property
    def done(self) -> bool:
        """Whether all of it was heard, and no more comes."""
        return self.ended and self.heard == self.written
