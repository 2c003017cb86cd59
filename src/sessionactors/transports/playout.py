"""A sink without a device: it plays segments against the loop's clock and knows to the sample what was played.

Base of the sinks that capture the agent's voice (memory, file). Lives on one loop, the actor loop; only :meth:`mute`
may come from elsewhere. It uses nothing of the loop but its clock and timers, so under a virtual-time loop a call of
ten minutes takes as long as its callbacks.
"""

from __future__ import annotations

import asyncio
import contextlib

from sessionactors.interfaces.audio_io import AudioSink, SinkCallback
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import SessionStateError

from .segments import PlayoutStatistics, SegmentQueue

# A timer set for sample n may fire a rounding error before it. A thousandth of a sample (20 to 125 ns) forgives that
# and nothing else.
_SAMPLE_TOLERANCE = 1e-3

# uvloop's clock has whole milliseconds: without a pause a timer that fired early would spin until the next one.
_EARLY_WAKE_PAUSE = 0.001


class PacedPlayout(AudioSink):
    """Plays in real time without sound: a sample counts as played when its period on the loop's clock is over.

    Positions are counted in samples from one anchor for each stretch of uninterrupted playing, so they do not drift
    however late the loop runs. When a segment runs dry the clock stops with it and goes on with the next frame; the gap
    is counted as an underrun unless the segment turns out to have ended there.

    Segments may be begun while earlier ones still play: they follow without a gap. :meth:`mute` ends what was begun
    before it; a segment begun later is heard. One begun after :meth:`close` finishes at once at 0.0, interrupted.

    Subclasses take what was played from :meth:`_played`.

    Args:
        sample_rate: Hertz of the mono frames to be written, > 0.
        progress_interval: seconds > 0 between two :class:`PlaybackProgressed` of a segment.

    Raises:
        OptionError: an argument is out of range.
    """

    label = "paced-playout"
    can_pause = True

    def __init__(self, *, sample_rate: int = 24000, progress_interval: float = 0.1) -> None:
        self.sample_rate = sample_rate
        self._queue = SegmentQueue(sample_rate, progress_interval)
        self._on_event: SinkCallback | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._running = False
        self._anchor = 0.0
        self._taken = 0
        self._muted_at: float | None = None
        self._closed = False

    @property
    def statistics(self) -> PlayoutStatistics:
        """The account of what was written, up to the last event (at most one progress interval ago)."""
        return self._queue.statistics

    @property
    def refused(self) -> int:
        """Frames refused because their segment was not open."""
        return self._queue.refused

    @property
    def underruns(self) -> int:
        """Times a segment went on after a gap because its next frame came late."""
        return self._queue.statistics.underruns

    @property
    def underrun_seconds(self) -> float:
        """Length of those gaps together, in seconds."""
        return self._queue.statistics.underrun_seconds

    def attach(self, on_event: SinkCallback) -> None:
        """Report events to ``on_event`` from now on."""
        self._on_event = on_event

    def begin(self, segment: str) -> None:
        """Open a segment behind those that still play.

        Raises:
            SessionStateError: another segment is open, the name is in use, nobody is attached, or this is another loop
                than the one of the first segment.
        """
        self._bind(segment)
        self._catch_up()
        self._muted_at = None
        self._queue.begin(segment)
        if self._closed:
            self._queue.clear_all()
        self._report()

    def write(self, segment: str, frame: AudioFrame) -> None:
        """Queue a frame at the end of the open segment; frames of any other segment are refused and counted.

        Raises:
            AudioFormatError: the frame is not mono in the sink's rate.
        """
        self._catch_up()
        starving = self._queue.starving
        if self._queue.write(segment, frame) and not self._running:
            self._run(starving=starving)
        self._schedule()
        self._report()

    def end(self, segment: str) -> None:
        """Take no more frames for the segment; it finishes with its last sample, at once if that was played."""
        self._catch_up()
        self._queue.end(segment)
        self._schedule()
        self._report()

    def clear(self, segment: str) -> None:
        """Stop the segment at the current sample and report it finished before this returns."""
        self._catch_up()
        self._queue.clear(segment)
        self._go_on_or_rest()
        if not self._running:  # a paused one stood before others
            self._run(starving=False)
        self._schedule()
        self._report()

    def pause(self, segment: str) -> None:
        """Hold the segment at the current sample, or before its first one."""
        self._catch_up()
        self._queue.pause(segment)
        self._go_on_or_rest()
        self._schedule()
        self._report()

    def resume(self, segment: str) -> None:
        """Go on with the sample behind the last one played. The time between is no underrun."""
        self._catch_up()
        if self._queue.resume(segment) and not self._running and self._loop is not None:
            self._anchor, self._taken = self._loop.time(), 0  # if it is dry now, the gap counts from here
            self._run(starving=False)
        self._schedule()
        self._report()

    def mute(self) -> None:
        """Play nothing from this instant on, until the next :meth:`begin`. Thread-safe.

        Segments are reported as interrupted once the loop runs.
        """
        if self._muted_at is not None:
            return
        loop = self._loop
        self._muted_at = 0.0 if loop is None else loop.time()
        if loop is not None:
            # RuntimeError: the loop is closed, so nothing plays and nobody is left to be told.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._tick)

    def close(self) -> None:
        """Stop playing; unfinished segments are reported as interrupted."""
        self._catch_up()
        self._closed = True
        self._end_all()
        self._report()

    def _played(self, frame: AudioFrame, at: float) -> None:
        """Take samples that were played, in order, none twice and none that a clear cut off.

        Args:
            frame: mono, in the sink's rate, never empty.
            at: loop time in seconds at which its first sample began to play.
        """

    def _bind(self, segment: str) -> None:
        if self._on_event is None:
            raise SessionStateError(f"segment {segment!r} cannot begin: attach() to the sink first")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise SessionStateError(f"segment {segment!r} cannot begin: the sink plays on another event loop")

    def _catch_up(self) -> None:
        """Play what the clock says has been played."""
        if self._loop is None:
            return
        muted_at = self._muted_at
        if self._running:
            now = self._loop.time() if muted_at is None else muted_at
            due = int((now - self._anchor) * self.sample_rate + _SAMPLE_TOLERANCE) - self._taken
            for part in self._queue.take(due):
                at = self._time_of(self._taken)
                self._taken += part.samples_per_channel
                self._played(part, at)
            self._go_on_or_rest()
        if muted_at is not None:
            self._end_all()

    def _go_on_or_rest(self) -> None:
        if self._running and self._queue.until_next is None:
            self._running = False
        elif self._running:
            self._queue.start()

    def _run(self, *, starving: bool) -> None:
        """Start the clock for the frame that was just queued."""
        if self._loop is None or self._queue.until_next is None:
            return
        now = self._loop.time()
        ran_dry_at = self._time_of(self._taken)
        if starving and (now - ran_dry_at) * self.sample_rate <= _SAMPLE_TOLERANCE:
            now = ran_dry_at
        elif starving:
            self._queue.stall(now - ran_dry_at)
        self._anchor, self._taken, self._running = now, 0, True
        self._queue.start()

    def _time_of(self, sample: int) -> float:
        return self._anchor + sample / self.sample_rate

    def _schedule(self, not_before: float = 0.0) -> None:
        """Wake up when there is something to report. An earlier timer stays: it does no harm and saves one a frame."""
        ahead = self._queue.until_next if self._running else None
        if ahead is None or self._loop is None:
            self._cancel_timer()
            return
        when = max(self._time_of(self._taken + ahead), not_before)
        if self._timer is not None and self._timer_at <= when:
            return
        self._cancel_timer()
        self._timer_at = when
        self._timer = self._loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._cancel_timer()
        before = self._taken
        self._catch_up()
        early = self._running and self._taken == before
        self._schedule(self._loop.time() + _EARLY_WAKE_PAUSE if early and self._loop is not None else 0.0)
        self._report()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_all(self) -> None:
        self._running = False
        self._cancel_timer()
        self._queue.clear_all()

    def _report(self) -> None:
        # Last in every entry, when the state is whole again: whoever listens may call back in.
        while self._queue.events and self._on_event is not None:
            self._on_event(self._queue.events.popleft())
