"""The sink whose listener is at the other end of a connection: what is sent when, and what was heard of it.

Audio is sent a little ahead of the listener, never more: what a barge-in has to take back stays small, and a client
that does not play is not flooded. What was heard the client says, by marks; one that has none is reckoned by the clock.
Lives on the actor loop; reports come from the connection's. The format of messages is not its business.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Final

from sessionactors.interfaces.audio_io import (
    AudioSink,
    PlaybackFinished,
    PlaybackProgressed,
    PlaybackStarted,
    SinkCallback,
    SinkEvent,
)
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import AudioFormatError, SessionStateError

from .heard_segment import HeardSegment
from .limits import WebSocketLimits
from .line import Line, position_error_of
from .wire import Begin, Clear, Cleared, End, Mark, Played, Sound, Told, Wire

MARK_EVERY: Final = 0.1
"""Seconds of audio from one mark to the next, and from one reckoned report to the next."""
PIECE: Final = 0.1
"""Seconds of audio in a message at most; the first of a stretch has one frame, so that it is heard and marked early."""
LATENCY: Final = 0.1
"""Seconds that audio is taken to need from here to the ear, where nobody says so."""


class RemotePlayout(AudioSink):
    """Plays at the client's.

    Args:
        line: the way to the client.
        wire: says how the client reports, and its sample rate.
        limits: how far ahead to send, and how long to wait for the answer to a clear.
    """

    can_pause = True

    def __init__(self, line: Line, wire: Wire, limits: WebSocketLimits) -> None:
        self.label = f"{wire.label}-sink"
        self.sample_rate = wire.sample_rate
        self.position_error = position_error_of(wire)
        self._line = line
        self._marks = wire.marks
        self._answered = wire.answers_clear
        self.frame = self.sample_rate * wire.frame_ms // 1000
        """Samples of which messages have a whole number, but for the last of a stretch."""
        self._filled: int | None = None
        """The stretch that fills a pause."""
        self._ahead = round(limits.send_ahead * self.sample_rate)
        whole = min(round(PIECE * self.sample_rate), self._ahead // 4) // self.frame
        self._piece = max(1, whole) * self.frame
        self._every = round(MARK_EVERY * self.sample_rate)
        self._clear_within = limits.clear_within
        self._on_event: SinkCallback | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._segments: list[HeardSegment] = []
        self._open: HeardSegment | None = None
        self._clearing: dict[int, tuple[HeardSegment, asyncio.TimerHandle]] = {}
        self._stretches = 0
        self._timer: asyncio.TimerHandle | None = None
        self._muted_at: float | None = None
        self._closed = False
        self._away = False
        self._refused = 0
        self._events: list[SinkEvent] = []

    # -- the port ----------------------------------------------------------------------------------------------------

    @property
    def refused(self) -> int:
        return self._refused

    def attach(self, on_event: SinkCallback) -> None:
        self._on_event = on_event

    def begin(self, segment: str) -> None:
        """Open a segment behind those that still play.

        Raises:
            SessionStateError: another segment is open, or this one is not finished yet.
        """
        if self._open is not None:
            raise SessionStateError(
                f"segment {segment!r} cannot begin while {self._open.name!r} is open: end or clear that one first"
            )
        if any(other.name == segment for other in (*self._segments, *(cut for cut, _ in self._clearing.values()))):
            raise SessionStateError(f"segment {segment!r} was begun before and is still playing: names must be unique")
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        if self._muted_at is not None:
            self._cut_all(self._muted_at)
            self._muted_at = None
            self._line.unsilence()
        if self._closed or self._away:
            self._events += [PlaybackFinished(segment, 0.0, interrupted=True)]
        else:
            self._open = HeardSegment(segment, self.sample_rate)
            self._segments.append(self._open)
        self._report()

    def write(self, segment: str, frame: AudioFrame) -> None:
        """Queue a frame at the end of the open segment; frames of any other segment are refused and counted.

        Raises:
            AudioFormatError: the frame is not mono in the sink's rate.
        """
        if self._open is None or self._open.name != segment:
            self._refused += 1
            return
        if frame.sample_rate != self.sample_rate or frame.num_channels != 1:
            raise AudioFormatError(f"this sink plays mono at {self.sample_rate} Hz, got {frame!r}: resample it first")
        self._open.write(frame.data)
        self._go_on()

    def end(self, segment: str) -> None:
        if self._open is not None and self._open.name == segment:
            self._open.ended = True
            self._open = None
            self._go_on()

    def clear(self, segment: str) -> None:
        """Have the client drop the segment; finished when it has said where it was, or when that takes too long."""
        cut = next((each for each in self._segments if each.name == segment), None)
        if cut is not None:
            self._segments.remove(cut)
            if cut is self._open:
                self._open = None
            if not self._is_clearing(cut):
                self._clear(cut)
        self._go_on()

    def pause(self, segment: str) -> None:
        """Have the client drop what it has of the segment, which is sent again from there by :meth:`resume`."""
        held = next((each for each in self._segments if each.name == segment), None)
        if held is not None and not held.paused:
            held.paused = True
            self._clear(held)
        self._go_on()

    def resume(self, segment: str) -> None:
        held = next((each for each in self._segments if each.name == segment), None)
        if held is not None:
            held.paused = False
        self._go_on()

    def mute(self) -> None:
        """Send nothing from this instant on, and have the client drop what it has, until :meth:`begin`. Thread-safe."""
        loop = self._loop
        if self._muted_at is not None:
            return
        self._muted_at = 0.0 if loop is None else loop.time()
        self._line.silence()
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
                loop.call_soon_threadsafe(self._muted)

    def close(self) -> None:
        """Stop; unfinished segments are reported as interrupted, where they are now."""
        if not self._closed:
            self._closed = True
            self._cut_all(None)
            self._report()

    def fill(self, pcm: bytes) -> bool:
        """Have whole frames of something else heard in a pause of the agent's; False: there is none, or no listener."""
        heard = self._clearing or any(each.paused or each.stretch is not None for each in self._segments)
        if heard or self._closed or self._away or self._muted_at is not None:
            return False
        if self._filled is None:
            self._stretches += 1
            self._filled = self._stretches
            self._line.post(Begin(self._filled))
        self._line.post(Sound(self._filled, pcm))
        return True

    # -- reports of the client ---------------------------------------------------------------------------------------

    def heard(self, report: Played | Cleared) -> None:
        """What the client says of its playing. From any thread."""
        self._soon(lambda: self._on_played(report) if isinstance(report, Played) else self._on_cleared(report))

    def lost(self) -> None:
        """The client is gone. From any thread."""
        self._soon(self.close)

    def away(self) -> None:
        """The client may come back: what plays ends where it is, and what begins meanwhile ends unheard."""
        self._away, self._filled = True, None
        self._soon(self._be_away)

    def back(self, line: Line, wire: Wire) -> None:
        """The client is there again, on another connection. From its thread, behind :meth:`away`.

        Args:
            line: the way to it.
            wire: with the sample rate that it had before.
        """
        self._line, self._marks, self._answered = line, wire.marks, wire.answers_clear
        self.position_error = position_error_of(wire)
        self._away = False

    def _be_away(self) -> None:
        self._cut_all(None)
        self._report()

    def _soon(self, call: Callable[[], None]) -> None:
        loop = self._loop
        if loop is None:  # nothing was begun: there is nothing to say
            return
        if threading.get_ident() == self._thread:
            call()
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            loop.call_soon_threadsafe(call)

    def _on_played(self, played: Played) -> None:
        segment = next((each for each in self._segments if each.stretch == played.stretch), None)
        position = 0 if segment is None else segment.offset + played.samples
        if segment is None or position not in segment.marks or self._is_clearing(segment):
            return  # of a stretch that was cleared, or no mark of ours
        segment.anchor, segment.anchored_at = position, self._now()
        self._hear(segment, position)
        self._go_on()

    def _on_cleared(self, cleared: Cleared) -> None:
        cut = self._clearing.pop(cleared.stretch, None)
        if cut is not None:
            segment, timer = cut
            timer.cancel()
            self._was_taken_back(segment, segment.offset + cleared.samples)
            self._go_on()

    # -- playing -----------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()

    def _go_on(self) -> None:
        """Bring all up to date: last in every entry."""
        if self._muted_at is None:
            self._reckon()
            while self._segments and self._segments[0].done:
                self._finish(self._segments.pop(0), interrupted=False)
            self._send()
        self._report()

    def _reckon(self) -> None:
        """Without marks the clock says what was played."""
        if not self._marks and self._segments and not self._is_clearing(self._segments[0]):
            self._hear(self._segments[0], self._segments[0].reckoned(self._now()))

    def _send(self) -> None:
        if not self._segments or self._closed:
            return
        segment, now = self._segments[0], self._now()
        if segment.paused or self._is_clearing(segment):
            return
        words: list[Told] = []
        while size := self._next_piece(segment, now):
            if segment.stretch is None:
                if self._filled is not None:
                    words.append(Clear(self._filled))
                    self._filled = None
                self._stretches += 1
                segment.stretch, segment.offset = self._stretches, segment.sent
                words.append(Begin(segment.stretch))
            if segment.reckoned(now) == segment.sent:  # nothing plays: the listener hears this next
                segment.anchor, segment.anchored_at = segment.sent, now + LATENCY
            words.append(Sound(segment.stretch, segment.take(size)))
            if self._marks and self._is_mark_due(segment):
                words.append(Mark(segment.stretch, segment.mark()))
        if segment.stretch is not None and segment.ended and segment.sent == segment.written and not segment.complete:
            if self._marks and segment.marked < segment.sent:
                words.append(Mark(segment.stretch, segment.mark()))
            words.append(End(segment.stretch))
            segment.complete = True
        if words:
            self._line.post(*words)
        if not self._marks and segment.on_the_way:
            self._look_again(segment, now)

    def _next_piece(self, segment: HeardSegment, now: float) -> int:
        """Samples to send now: few messages of a tenth of a second rather than many, and nothing beyond the lead."""
        there = segment.written - segment.sent
        if there < self.frame and not segment.ended:
            return 0  # a whole frame, unless it is the last
        size = min(there, self.frame if segment.stretch is None else self._piece)
        if self._marks and segment.stretch is not None:
            size = min(size, max(self.frame, self._every - (segment.sent - segment.marked)))
        if there >= self.frame and not (segment.ended and size == there):
            size -= size % self.frame
        ahead = segment.sent - segment.reckoned(now)
        return size if not ahead or ahead + size <= self._ahead else 0

    def _is_mark_due(self, segment: HeardSegment) -> bool:
        """After the first frame, then now and then, and where the client will run dry."""
        since = segment.sent - segment.marked
        dry = segment.written - segment.sent < self.frame
        return segment.marked == segment.offset or since >= (self._every * 2 // 5 if dry else self._every)

    def _look_again(self, segment: HeardSegment, now: float) -> None:
        """Where the clock plays: at the next report, or at the end of what was sent."""
        left = (segment.sent - segment.heard) / self.sample_rate
        waits = 0.0 if segment.anchored_at is None else max(0.0, segment.anchored_at - now)
        if self._timer is not None:
            self._timer.cancel()
        assert self._loop is not None  # noqa: S101  begun, or there were no segments
        self._timer = self._loop.call_later(waits + max(0.001, min(MARK_EVERY, left)), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._go_on()

    def _hear(self, segment: HeardSegment, position: int) -> None:
        before = segment.heard
        segment.hear(position)
        if segment.heard == before:
            return
        if not segment.started:
            segment.started = True
            self._events.append(PlaybackStarted(segment.name))
        self._events.append(PlaybackProgressed(segment.name, segment.heard / self.sample_rate))

    def _finish(self, segment: HeardSegment, *, interrupted: bool) -> None:
        self._events.append(PlaybackFinished(segment.name, segment.heard / self.sample_rate, interrupted))

    # -- clearing ----------------------------------------------------------------------------------------------------

    def _is_clearing(self, segment: HeardSegment) -> bool:
        return segment.stretch in self._clearing

    def _clear(self, segment: HeardSegment) -> None:
        """Take back what is on the way; where the client answers, it says how far it came."""
        position = segment.reckoned(self._now())
        if segment.stretch is None or not segment.on_the_way or self._loop is None:
            self._was_taken_back(segment, position)
            return
        self._line.post(Clear(segment.stretch))
        if not self._answered:
            self._was_taken_back(segment, position)
            return
        stretch = segment.stretch
        timer = self._loop.call_later(self._clear_within, self._unanswered, stretch, position)
        self._clearing[stretch] = segment, timer

    def _was_taken_back(self, segment: HeardSegment, position: int) -> None:
        """Nothing of it is on the way any more: one that was paused goes on from there, another one is over."""
        self._hear(segment, position)
        if segment in self._segments:
            segment.take_back()
        else:
            self._finish(segment, interrupted=True)

    def _unanswered(self, stretch: int, reckoned: int) -> None:
        segment, _ = self._clearing.pop(stretch)
        self._was_taken_back(segment, reckoned)
        self._go_on()

    def _muted(self) -> None:
        """On the loop, behind :meth:`mute`."""
        if self._muted_at is not None:
            self._cut_all(self._muted_at)
            self._report()

    def _cut_all(self, at: float | None) -> None:
        """Everything ends where it is, or was at a time. The connection is told by who calls this."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._now() if at is None else at
        cut = [segment for segment, _ in self._clearing.values() if segment not in self._segments]
        for _, timer in self._clearing.values():
            timer.cancel()
        self._clearing.clear()
        segments, self._segments, self._open = [*cut, *self._segments], [], None
        for segment in segments:
            if at is None and segment.on_the_way and segment.stretch is not None:
                self._line.post(Clear(segment.stretch))
            self._hear(segment, segment.reckoned(now))
            self._finish(segment, interrupted=True)

    def _report(self) -> None:
        # Last in every entry, when the state is whole again: whoever listens may call back in.
        while self._events and self._on_event is not None:
            self._on_event(self._events.pop(0))
