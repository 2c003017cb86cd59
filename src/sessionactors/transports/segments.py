"""What a sink has been given and what of it was played, counted in samples and without a clock.

Sinks own one queue each and say how many samples go by: :class:`PacedPlayout` from the loop's clock, the sound device
from its callback. The queue decides which samples those are and what there is to report. It knows neither time nor
threads.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sessionactors.interfaces.audio_io import PlaybackFinished, PlaybackProgressed, PlaybackStarted, SinkEvent
from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.model.errors import AudioFormatError, OptionError, SessionStateError


@dataclass(frozen=True, slots=True)
class PlayoutStatistics:
    """The account of a sink. ``written == played + discarded + queued`` at any time."""

    written: int
    """Samples accepted."""
    played: int
    """Samples played."""
    discarded: int
    """Samples dropped by a clear, a mute or the close before they were played."""
    queued: int
    """Samples waiting to be played."""
    refused: int
    """Frames refused because their segment was not open."""
    underruns: int
    """Times the listener heard a gap inside a segment because the next frame came late."""
    underrun_seconds: float
    """Length of those gaps together, in seconds."""


@dataclass(slots=True)
class _Segment:
    name: str
    frames: deque[AudioFrame] = field(default_factory=deque)
    queued: int = 0
    played: int = 0
    reported: int = 0
    """Samples played when the position was last reported."""
    gap: float = 0.0
    """Seconds of silence since the last sample: an underrun if another sample follows."""
    started: bool = False
    ended: bool = False
    paused: bool = False


class SegmentQueue:
    """Segments in the order in which they were begun; only the last may be open for writing.

    Args:
        sample_rate: Hertz of the mono frames, > 0.
        progress_interval: seconds > 0 between two reports of a segment's position.
    """

    def __init__(self, sample_rate: int, progress_interval: float) -> None:
        if sample_rate <= 0:
            raise OptionError(f"sample_rate must be > 0 Hz, got {sample_rate}")
        if progress_interval <= 0:
            raise OptionError(f"progress_interval must be > 0 seconds, got {progress_interval}")
        self.sample_rate = sample_rate
        self.events: deque[SinkEvent] = deque()
        """What happened, oldest first; the owner takes it from the left and reports it."""
        self._every = max(1, round(progress_interval * sample_rate))
        self._segments: deque[_Segment] = deque()
        self._open: _Segment | None = None
        self._written = self._played = self._discarded = self._refused = self._underruns = 0
        self._underrun_seconds = 0.0

    @property
    def statistics(self) -> PlayoutStatistics:
        """The account up to now."""
        return PlayoutStatistics(
            written=self._written,
            played=self._played,
            discarded=self._discarded,
            queued=self._written - self._played - self._discarded,
            refused=self._refused,
            underruns=self._underruns,
            underrun_seconds=self._underrun_seconds,
        )

    @property
    def refused(self) -> int:
        """Frames refused because their segment was not open."""
        return self._refused

    @property
    def starving(self) -> bool:
        """Whether a segment was cut off in the middle: it has been heard, is not ended, and nothing is queued."""
        head = self._head
        return head is not None and head.started and not (head.ended or head.paused) and head.queued == 0

    @property
    def until_next(self) -> int | None:
        """Samples until there is something to report; None when there is nothing to play."""
        head = self._head
        if head is None or head.queued == 0 or head.paused:
            return None
        return min(head.queued, head.reported + self._every - head.played)

    def begin(self, segment: str) -> None:
        """Open a segment behind those that are not finished.

        Raises:
            SessionStateError: another segment is open, or this one is not finished yet.
        """
        if self._open is not None:
            raise SessionStateError(
                f"segment {segment!r} cannot begin while {self._open.name!r} is open: end or clear that one first"
            )
        if any(other.name == segment for other in self._segments):
            raise SessionStateError(f"segment {segment!r} was begun before and is still playing: names must be unique")
        self._open = _Segment(segment)
        self._segments.append(self._open)

    def write(self, segment: str, frame: AudioFrame) -> bool:
        """Queue a frame; False if the segment is not open.

        Raises:
            AudioFormatError: the frame is not mono in the queue's rate.
        """
        target = self._open
        if target is None or target.name != segment:
            self._refused += 1
            return False
        if frame.sample_rate != self.sample_rate or frame.num_channels != 1:
            raise AudioFormatError(f"this sink plays mono at {self.sample_rate} Hz, got {frame!r}: resample it first")
        if frame.data:
            target.frames.append(frame)
            target.queued += frame.samples_per_channel
            self._written += frame.samples_per_channel
        return True

    def end(self, segment: str) -> None:
        """Take no more frames for the segment. Does nothing unless it is open."""
        if self._open is not None and self._open.name == segment:
            self._open.ended = True
            self._open = None
            self._finish_done()

    def clear(self, segment: str) -> None:
        """Finish the segment where it is and drop the rest. Does nothing for a segment that is not there."""
        for candidate in self._segments:
            if candidate.name == segment:
                self._segments.remove(candidate)
                self._cut_short(candidate)
                break
        self._finish_done()

    def clear_all(self) -> None:
        """Finish every segment where it is, in order."""
        while self._segments:
            self._cut_short(self._segments.popleft())

    def pause(self, segment: str) -> None:
        """Hold a segment where it is, and what is behind it. Does nothing for a segment that is not there."""
        held = self._find(segment)
        if held is None or held.paused:
            return
        held.paused = True
        if held.played > held.reported:
            self._report_position(held)

    def resume(self, segment: str) -> bool:
        """Let a segment go on; False if it was not held."""
        held = self._find(segment)
        if held is None or not held.paused:
            return False
        held.paused = False
        return True

    def start(self) -> None:
        """Say that the next queued sample, if any, begins to be heard now."""
        head = self._head
        if head is None or head.queued == 0 or head.paused:
            return
        if not head.started:
            head.started = True
            self.events.append(PlaybackStarted(head.name))
        if head.gap > 0:
            self._underruns += 1
            self._underrun_seconds += head.gap
            head.gap = 0.0

    def stall(self, seconds: float) -> None:
        """Say that silence was heard in the middle of a segment. Counted once the segment goes on."""
        head = self._head
        if head is not None and head.started and not head.paused:
            head.gap += seconds

    def take(self, samples: int) -> list[AudioFrame]:
        """Play up to ``samples`` samples and return them; fewer when the queue runs dry."""
        parts: list[AudioFrame] = []
        while samples > 0 and (head := self._head) is not None and head.queued > 0 and not head.paused:
            self.start()
            part = self._cut(head, samples)
            parts.append(part)
            samples -= part.samples_per_channel
            self._finish_done()
        self._report_progress()
        return parts

    def ahead(self, skip: int, samples: int) -> tuple[bytes, bool]:
        """What will be played if nothing happens: up to ``samples`` samples behind the next ``skip`` ones.

        Returns:
            The samples, and whether nothing more can follow them at once: their segment, or the last one, has ended.
        """
        parts: list[bytes] = []
        ended = False
        for segment in self._segments:
            if segment.paused:
                return b"".join(parts), True
            if segment.frames:
                ended = segment.ended
            for frame in segment.frames:
                length = frame.samples_per_channel
                if skip >= length:
                    skip -= length
                    continue
                part = frame.data[skip * BYTES_PER_SAMPLE : (skip + samples) * BYTES_PER_SAMPLE]
                skip = 0
                samples -= len(part) // BYTES_PER_SAMPLE
                parts.append(part)
                if samples <= 0:
                    return b"".join(parts), False
        return b"".join(parts), ended

    def queued_before(self, segment: str) -> int:
        """Samples that are played before a segment; all that are queued, if it is not there."""
        samples = 0
        for other in self._segments:
            if other.name == segment:
                break
            samples += other.queued
        return samples

    def _find(self, name: str) -> _Segment | None:
        return next((segment for segment in self._segments if segment.name == name), None)

    @property
    def _head(self) -> _Segment | None:
        return self._segments[0] if self._segments else None

    def _cut(self, segment: _Segment, samples: int) -> AudioFrame:
        part = segment.frames.popleft()
        if part.samples_per_channel > samples:
            part, rest = part.split(samples)
            segment.frames.appendleft(rest)
        segment.queued -= part.samples_per_channel
        segment.played += part.samples_per_channel
        self._played += part.samples_per_channel
        return part

    def _finish_done(self) -> None:
        while (head := self._head) is not None and head.ended and head.queued == 0:
            self._segments.popleft()
            self.events.append(PlaybackFinished(head.name, head.played / self.sample_rate, interrupted=False))

    def _cut_short(self, segment: _Segment) -> None:
        if self._open is segment:
            self._open = None
        self._discarded += segment.queued
        self.events.append(PlaybackFinished(segment.name, segment.played / self.sample_rate, interrupted=True))

    def _report_progress(self) -> None:
        head = self._head
        if head is None or head.played == head.reported:
            return
        # Running dry is reported too: no later tick would tell where the listener is left waiting.
        if head.queued == 0 or head.played - head.reported >= self._every:
            self._report_position(head)

    def _report_position(self, segment: _Segment) -> None:
        segment.reported = segment.played
        self.events.append(PlaybackProgressed(segment.name, segment.played / self.sample_rate))
