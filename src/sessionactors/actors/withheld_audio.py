"""Audio of a segment that has been synthesised and may not be handed over yet. Pure.

Positions are samples from the start of the segment. ``handed <= credit`` and ``received <= credit + lead`` hold at all
times, if what is pushed keeps to :attr:`WithheldAudio.room` (promise P15).
"""

from __future__ import annotations

from dataclasses import dataclass

from sessionactors.interfaces.tts import WordTiming
from sessionactors.model.audio import AudioFrame
from sessionactors.runtime.frozen import replace


def whole_samples(seconds: float, rate: int) -> int:
    """Samples that fit into ``seconds`` (>= 0), not tripping over binary fractions."""
    return int(seconds * rate + 1e-6)


@dataclass(frozen=True, slots=True)
class Handover:
    """A frame that may go to ``output`` now, with the words that end in it."""

    frame: AudioFrame
    timings: tuple[WordTiming, ...]


@dataclass(frozen=True, slots=True)
class WithheldAudio:
    """What waits for credit, and the sums."""

    rate: int
    """Hertz."""
    lead: int
    """Samples that may be received beyond the credit."""
    credit: int = 0
    """Samples that may be handed over, from the start of the segment."""
    received: int = 0
    handed: int = 0
    frames: tuple[AudioFrame, ...] = ()
    timings: tuple[WordTiming, ...] = ()
    """Of words that have not been handed over; ``end_time`` from the start of the segment."""

    @property
    def room(self) -> int:
        """Samples that may still be received."""
        return max(0, self.credit + self.lead - self.received)

    def granted(self, seconds: float) -> WithheldAudio:
        """So much may be handed over, in all. Credit is never taken back."""
        return replace(self, credit=max(self.credit, whole_samples(seconds, self.rate)))

    def push(self, frame: AudioFrame, timings: tuple[WordTiming, ...]) -> WithheldAudio:
        """More audio, and words of it or of what follows."""
        return replace(
            self,
            received=self.received + frame.samples_per_channel,
            frames=(*self.frames, frame) if frame.data else self.frames,
            timings=self.timings + timings,
        )

    def hand_over(self) -> tuple[WithheldAudio, tuple[Handover, ...]]:
        """What the credit allows, the last frame cut to fit."""
        handed, frames, timings = self.handed, list(self.frames), self.timings
        out: list[Handover] = []
        while frames and handed < self.credit:
            head, rest = frames.pop(0).split(self.credit - handed)
            if rest.data:
                frames.insert(0, rest)
            handed += head.samples_per_channel
            until = handed / self.rate + 1e-6
            out.append(Handover(head, tuple(timing for timing in timings if timing.end_time <= until)))
            timings = tuple(timing for timing in timings if timing.end_time > until)
        return replace(self, handed=handed, frames=tuple(frames), timings=timings), tuple(out)

    def cut_back(self, to: int) -> WithheldAudio:
        """Forget what waits beyond a position; what has been handed over stays."""
        keep = max(self.handed, min(to, self.received))
        frames: list[AudioFrame] = []
        left = keep - self.handed
        for frame in self.frames:
            head, _ = frame.split(left)
            if head.data:
                frames.append(head)
            left -= head.samples_per_channel
        seconds = keep / self.rate + 1e-6
        timings = tuple(timing for timing in self.timings if timing.end_time <= seconds)
        return replace(self, received=keep, frames=tuple(frames), timings=timings)
