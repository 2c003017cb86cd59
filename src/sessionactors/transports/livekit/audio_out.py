"""The agent's voice in a LiveKit room.

The native library plays from its own queue by its own clock. That queue is kept short of what a late loop needs, and
everything in it can be taken back: what is cut off, paused or muted is not played, to the block of 10 ms.

A sample counts as played when its time on the loop's clock is over; the library's clock runs beside it, at most a block
apart (:attr:`RoomVoice.position_error`). Nothing is queued before somebody has subscribed to the track.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from sessionactors.interfaces.audio_io import AudioSink, SinkCallback
from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.model.errors import SessionStateError
from sessionactors.transports.segments import PlayoutStatistics, SegmentQueue

from .native_queue import BLOCK, NativeQueue

LEAD: Final = 0.2
"""Seconds that are queued ahead: how late the loop may be without a gap."""
REFILL: Final = 0.1
"""Seconds left in the queue when it is filled up again."""
FLUSH: Final = 0.02
"""Seconds of silence behind a cut: the encoder sends the half of a packet that it holds at once, not with the silence
that the library sends a tenth of a second later."""

_SAMPLE_TOLERANCE: Final = 1e-3
_EARLY_WAKE_PAUSE: Final = 0.001  # uvloop's clock has whole milliseconds: do not spin until the next one


class RoomVoice(AudioSink):
    """Plays segments into a track.

    Lives on the actor loop; :meth:`mute`, :meth:`subscribed` and :meth:`unsubscribed` may come from anywhere.

    Args:
        native: the library's queue.
        progress_interval: seconds > 0 between two reports of a position.
    """

    label = "livekit-track"
    can_pause = True
    position_error = BLOCK

    def __init__(self, native: NativeQueue, *, progress_interval: float = 0.1) -> None:
        self.sample_rate = native.sample_rate
        self._native = native
        self._queue = SegmentQueue(native.sample_rate, progress_interval)
        self._block = round(native.sample_rate * BLOCK)
        self._lead = round(native.sample_rate * LEAD)
        self._refill = round(native.sample_rate * REFILL)
        self._on_event: SinkCallback | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self._anchor = 0.0
        self._taken = 0
        self._ahead = 0
        """Samples in the native queue that have not been played yet, by the loop's clock."""
        self._dry_at: float | None = None
        """When the native queue ran dry; None: it was emptied on purpose, or has not run."""
        self._flush = False
        """Silence is owed to the encoder."""
        self._quiet_until = 0.0
        """When that silence is over."""
        self._listened = False
        self._muted_at: float | None = None
        self._closed = False

    @property
    def statistics(self) -> PlayoutStatistics:
        """The account of what was written, up to the last event."""
        return self._queue.statistics

    @property
    def refused(self) -> int:
        return self._queue.refused

    def attach(self, on_event: SinkCallback) -> None:
        self._on_event = on_event

    # -- who listens, from the room's loop ---------------------------------------------------------------------------

    def subscribed(self) -> None:
        """Somebody listens: play what waits."""
        self._listened = True
        self._wake()

    def unsubscribed(self) -> None:
        """The track is not published any more: hold what comes until somebody listens again."""
        self._listened = False
        self._wake()

    # -- segments ----------------------------------------------------------------------------------------------------

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
        self._go_on()

    def write(self, segment: str, frame: AudioFrame) -> None:
        """Queue a frame at the end of the open segment; frames of any other segment are refused and counted.

        Raises:
            AudioFormatError: the frame is not mono in the sink's rate.
        """
        self._catch_up()
        self._queue.write(segment, frame)
        self._go_on()

    def end(self, segment: str) -> None:
        self._catch_up()
        self._queue.end(segment)
        self._go_on()

    def clear(self, segment: str) -> None:
        """Stop the segment at the current block and report it finished before this returns."""
        self._catch_up()
        if self._queue.queued_before(segment) < self._ahead:
            self._take_back()
        self._queue.clear(segment)
        self._go_on()

    def pause(self, segment: str) -> None:
        self._catch_up()
        if self._queue.queued_before(segment) < self._ahead:
            self._take_back()
        self._queue.pause(segment)
        self._go_on()

    def resume(self, segment: str) -> None:
        self._catch_up()
        self._queue.resume(segment)
        self._go_on()

    def mute(self) -> None:
        if self._muted_at is not None:
            return
        loop = self._loop
        self._muted_at = 0.0 if loop is None else loop.time()
        self._native.silence()
        self._wake()

    def close(self) -> None:
        """Stop playing; unfinished segments are reported as interrupted. From any thread."""
        loop = self._loop
        if loop is None or loop is _running_loop():
            self._shut()
            return
        self._native.clear()
        try:
            loop.call_soon_threadsafe(self._shut)
        except RuntimeError:  # it is closed: nobody is left to be told
            self._native.close()

    def _shut(self) -> None:
        self._catch_up()
        self._closed = True
        self._end_all()
        self._native.close()
        self._report()

    # -- the clock ---------------------------------------------------------------------------------------------------

    def _bind(self, segment: str) -> None:
        if self._on_event is None:
            raise SessionStateError(f"segment {segment!r} cannot begin: attach() to the sink first")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise SessionStateError(f"segment {segment!r} cannot begin: the sink plays on another event loop")

    def _wake(self) -> None:
        """From any thread: look at what is to be done."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it is closed: nothing plays and nobody is left to be told
                loop.call_soon_threadsafe(self._tick)

    def _tick(self) -> None:
        self._cancel_timer()
        self._catch_up()
        if not self._listened and self._ahead:
            self._take_back()
        self._go_on()

    def _catch_up(self) -> None:
        """Count as played what the clock says, and no more than was queued."""
        loop = self._loop
        if loop is None:
            return
        if self._running:
            now = loop.time() if self._muted_at is None else self._muted_at
            due = int((now - self._anchor) * self.sample_rate + _SAMPLE_TOLERANCE) - self._taken
            played = min(due, self._ahead)
            if played > 0:
                self._queue.take(played)
                self._taken += played
                self._ahead -= played
            if self._ahead == 0:
                self._running = False
                self._dry_at = self._anchor + self._taken / self.sample_rate
            else:
                self._queue.start()
        if self._muted_at is not None:
            self._end_all()

    def _go_on(self) -> None:
        """Queue what is due, wake up for what is next, and tell what happened."""
        self._feed()
        self._schedule()
        self._report()

    def _feed(self) -> None:
        loop = self._loop
        if loop is None or self._closed or self._native.busy:
            return
        pcm = self._next() if self._listened and self._muted_at is None else b""
        if not pcm:
            if self._flush and not self._running:
                self._flush = False
                self._quiet_until = loop.time() + FLUSH
                self._native.capture(bytes(round(self.sample_rate * FLUSH) * BYTES_PER_SAMPLE), self._landed)
            return
        self._flush = False
        samples = len(pcm) // BYTES_PER_SAMPLE
        if not self._running:
            now = max(loop.time(), self._quiet_until)
            if self._dry_at is not None and (now - self._dry_at) * self.sample_rate > _SAMPLE_TOLERANCE:
                self._queue.stall(now - self._dry_at)
            elif self._dry_at is not None:
                now = self._dry_at
            self._anchor, self._taken, self._running, self._dry_at = now, 0, True, None
            self._queue.start()
        self._ahead += samples
        short = -samples % self._block  # the library would keep a part of a block for what is said next
        self._native.capture(pcm + bytes(short * BYTES_PER_SAMPLE), self._landed)

    def _next(self) -> bytes:
        """What to queue now: whole blocks, and the rest of one only where nothing follows it."""
        if self._running and self._ahead > self._refill:
            return b""
        pcm, ended = self._queue.ahead(self._ahead, self._lead - self._ahead)
        if ended:
            return pcm
        whole = len(pcm) // BYTES_PER_SAMPLE // self._block * self._block
        return pcm[: whole * BYTES_PER_SAMPLE]

    def _landed(self) -> None:
        """From the library's thread: the next capture may begin, if one waits."""
        if self._flush or not self._running or self._ahead <= self._refill:
            self._wake()

    def _take_back(self) -> None:
        """Empty the native queue; what is still to be played is queued again."""
        if self._ahead or self._native.busy:
            self._native.clear()
            self._flush = True
        self._ahead, self._running, self._dry_at = 0, False, None

    def _schedule(self) -> None:
        self._cancel_timer()
        loop, until = self._loop, self._queue.until_next
        if loop is None or not self._running or until is None:
            return
        until = min(until, self._ahead if self._ahead <= self._refill else self._ahead - self._refill)
        when = self._anchor + (self._taken + until) / self.sample_rate
        self._timer = loop.call_at(max(when, loop.time() + _EARLY_WAKE_PAUSE), self._tick)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_all(self) -> None:
        self._take_back()
        self._cancel_timer()
        self._queue.clear_all()

    def _report(self) -> None:
        # Last in every entry, when the state is whole again: whoever listens may call back in.
        while self._queue.events and self._on_event is not None:
            self._on_event(self._queue.events.popleft())


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
