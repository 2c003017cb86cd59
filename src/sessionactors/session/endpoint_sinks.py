"""A user's own outputs as ports: what the actors say is carried to the user's loop, and what is reported, back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from sessionactors.interfaces.audio_io import (
    AudioSink,
    PlaybackFinished,
    PlaybackProgressed,
    PlaybackStarted,
    SinkCallback,
    SinkEvent,
)
from sessionactors.interfaces.text_io import TextSink
from sessionactors.model.audio import AudioFrame
from sessionactors.runtime.containment import escapes

from .endpoints import AudioOutput, PlaybackFinishedEvent, PlaybackStartedEvent, TextOutput

log = structlog.get_logger("sessionactors.session")

EVERY = 0.1
"""Seconds between two estimates of a position."""


@dataclass(slots=True)
class _Segment:
    """A segment that is not over."""

    name: str
    frames: int = 0
    """Handed to the output."""
    seconds: float = 0.0
    ended: bool = False
    flushed: bool = False
    cleared: bool = False
    capturing: bool = False
    heard_from: float | None = None
    """Loop time at which it would have begun if it had never been paused."""


class _OnUserLoop:
    """Calls on the user's loop, in order; none when that is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def __call__(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            self.loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            return


class OutputSink(AudioSink):
    """An :class:`.AudioOutput` as a sink.

    Such an output reports the beginning and the end of a segment. Between them the position is estimated by the clock,
    never beyond what the output was given; :attr:`position_error` says how far it may be off.
    """

    position_error = 2 * EVERY

    def __init__(self, endpoint: AudioOutput, loop: asyncio.AbstractEventLoop) -> None:
        self.label = endpoint.label
        self.sample_rate = endpoint.sample_rate or AudioSink.sample_rate
        self.can_pause = endpoint.can_pause
        self._endpoint = endpoint
        self._call = _OnUserLoop(loop)
        self._on_event: SinkCallback | None = None
        self._attached = self._leaving = False
        self._segments: dict[str, _Segment] = {}
        self._queue: deque[tuple[str, AudioFrame | None]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._paused_at: float | None = None
        self._refused = 0
        self._tail: tuple[AudioOutput, Callable[[], None]] | None = None
        """What shall be the last of the chain as soon as nothing plays."""

    # -- from the actor loop -----------------------------------------------------------------------------------------

    def attach(self, on_event: SinkCallback) -> None:
        """Report to this one."""
        self._on_event = on_event
        self._call(self._attach)

    def begin(self, segment: str) -> None:
        """Open a segment."""
        self._call(self._begin, segment)

    def write(self, segment: str, frame: AudioFrame) -> None:
        """Queue a frame of a segment."""
        self._call(self._take, segment, frame)

    def end(self, segment: str) -> None:
        """A segment has no more frames."""
        self._call(self._take, segment, None)

    def clear(self, segment: str) -> None:
        """Stop a segment."""
        self._call(self._clear, segment)

    def pause(self, segment: str) -> None:
        """Hold a segment."""
        self._call(self._pause, segment)

    def resume(self, segment: str) -> None:
        """Go on with a segment."""
        self._call(self._resume, segment)

    def mute(self) -> None:
        """Stop all."""
        self._call(self._clear_all)

    @property
    def refused(self) -> int:
        """Frames that came for a segment that was over."""
        return self._refused

    def close(self) -> None:
        """Stop all."""
        self._call(self._clear_all)

    def detach(self) -> None:
        """Let the output go once everything is reported."""
        self._call(self._leave)

    # -- from the user's loop ----------------------------------------------------------------------------------------

    def replace_tail(self, tail: AudioOutput, done: Callable[[], None]) -> None:
        """Clear what plays, then put another output at the end of the chain and call ``done``."""
        self._tail = tail, done
        self._clear_all()
        if not self._segments:
            self._put_tail()

    def _put_tail(self) -> None:
        if self._tail is None:
            return
        (tail, done), self._tail = self._tail, None
        before = self._endpoint._put_in(tail)
        self.sample_rate = self._endpoint.sample_rate or AudioSink.sample_rate
        self.can_pause = self._endpoint.can_pause
        if self._attached and before is not None:
            self._guarded(before.on_detached)
            self._guarded(tail.on_attached)
        done()

    # -- on the user's loop ------------------------------------------------------------------------------------------

    def _attach(self) -> None:
        if self._attached:
            return
        self._attached, self._leaving = True, False
        self._endpoint.on("playback_started", self._on_started)
        self._endpoint.on("playback_finished", self._on_finished)
        self._guarded(self._endpoint.on_attached)

    def _leave(self) -> None:
        """Detach when every segment has been reported."""
        self._leaving = True
        if self._segments or not self._attached:
            return
        self._attached = False
        self._endpoint.off("playback_started", self._on_started)
        self._endpoint.off("playback_finished", self._on_finished)
        self._stop_ticking()
        self._guarded(self._endpoint.on_detached)

    def _begin(self, segment: str) -> None:
        if self._tail is not None:  # who was cleared has not said so in time
            self._segments.clear()
            self._put_tail()
        self._segments[segment] = _Segment(segment)

    def _take(self, name: str, frame: AudioFrame | None) -> None:
        segment = self._segments.get(name)
        if segment is None or segment.cleared or segment.ended:
            self._refused += frame is not None
            return
        segment.ended = frame is None
        self._queue.append((name, frame))
        if self._worker is None or self._worker.done():
            self._worker = self._call.loop.create_task(self._hand_over(), name=f"play to {self.label}")

    async def _hand_over(self) -> None:
        while self._queue:
            name, frame = self._queue.popleft()
            segment = self._segments.get(name)
            if segment is None or segment.cleared:
                continue
            try:
                if frame is None:
                    self._flush(segment)
                else:
                    await self._capture(segment, frame)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                if escapes(error):
                    raise
                log.exception("output_failed", output=self.label, segment=name, error=repr(error))
                self._over(segment, segment.seconds if segment.heard_from is not None else 0.0, interrupted=True)

    async def _capture(self, segment: _Segment, frame: AudioFrame) -> None:
        segment.capturing = True
        segment.frames += 1
        await self._endpoint.capture_frame(frame)
        segment.capturing = False
        segment.seconds += frame.duration
        if segment.cleared:
            self._cut(segment)

    def _flush(self, segment: _Segment) -> None:
        segment.flushed = True
        if segment.frames:
            self._endpoint.flush()
        else:
            self._over(segment, 0.0, interrupted=False)

    def _clear(self, name: str) -> None:
        segment = self._segments.get(name)
        if segment is None or segment.cleared:
            return
        segment.cleared = True
        if not segment.frames:
            self._over(segment, 0.0, interrupted=True)
        elif not segment.capturing:
            self._cut(segment)

    def _clear_all(self) -> None:
        for name in tuple(self._segments):
            self._clear(name)

    def _cut(self, segment: _Segment) -> None:
        """The output reports the end of it; one that fails instead has its end reported here."""

        def cut() -> None:
            if not segment.flushed:
                segment.flushed = True
                self._endpoint.flush()
            self._endpoint.clear_buffer()

        self._paused_at = None
        if not self._guarded(cut):
            self._over(segment, self._position(segment), interrupted=True)

    def _pause(self, name: str) -> None:
        if self._paused_at is None and name in self._segments:
            self._paused_at = self._call.loop.time()
            self._tick()
            self._guarded(self._endpoint.pause)

    def _resume(self, name: str) -> None:
        paused_at, self._paused_at = self._paused_at, None
        if paused_at is None:
            return
        segment = self._segments.get(name)
        if segment is not None and segment.heard_from is not None:
            segment.heard_from += self._call.loop.time() - paused_at
        self._guarded(self._endpoint.resume)
        self._tick()

    # -- reports -----------------------------------------------------------------------------------------------------

    def _playing(self) -> _Segment | None:
        """The first segment that the output was given something of."""
        return next((segment for segment in self._segments.values() if segment.frames), None)

    def _on_started(self, _event: PlaybackStartedEvent) -> None:
        segment = next((other for other in self._segments.values() if other.frames and other.heard_from is None), None)
        if segment is not None:
            segment.heard_from = self._call.loop.time()
            self._report(PlaybackStarted(segment.name))
            self._tick()

    def _on_finished(self, event: PlaybackFinishedEvent) -> None:
        segment = self._playing()
        if segment is not None:
            interrupted = event.interrupted or segment.cleared
            self._over(segment, event.playback_position, interrupted=interrupted, text=event.synchronized_transcript)

    def _over(self, segment: _Segment, position: float, *, interrupted: bool, text: str | None = None) -> None:
        if self._segments.pop(segment.name, None) is None:
            return
        self._report(PlaybackFinished(segment.name, position, interrupted, text))
        if not self._segments:
            self._put_tail()
        if self._leaving:
            self._leave()

    def _position(self, segment: _Segment) -> float:
        if segment.heard_from is None:
            return 0.0
        now = self._call.loop.time() if self._paused_at is None else self._paused_at
        return max(0.0, min(segment.seconds, now - segment.heard_from))

    def _tick(self) -> None:
        self._stop_ticking()
        segment = self._playing()
        if segment is None or segment.heard_from is None:
            return
        self._report(PlaybackProgressed(segment.name, self._position(segment)))
        if self._paused_at is None:
            self._ticking = self._call.loop.call_later(EVERY, self._tick)

    def _stop_ticking(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    def _report(self, event: SinkEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)

    def _guarded(self, call: Callable[[], None]) -> bool:
        return guarded(self.label, call)


class OutputTextSink(TextSink):
    """A :class:`.TextOutput` as a sink of words: they come to it in order, one after the other."""

    def __init__(self, endpoint: TextOutput, loop: asyncio.AbstractEventLoop) -> None:
        self.label = endpoint.label
        self._endpoint = endpoint
        self._call = _OnUserLoop(loop)
        self._queue: deque[str | None] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._leaving = False
        self._call(guarded, self.label, endpoint.on_attached)

    def show(self, text: str) -> None:
        """More words."""
        self._call(self._take, text)

    def end(self) -> None:
        """That was all of a segment."""
        self._call(self._take, None)

    def detach(self) -> None:
        """Let the output go once it has everything."""
        self._call(self._leave)

    def _take(self, text: str | None) -> None:
        self._queue.append(text)
        if self._worker is None or self._worker.done():
            self._worker = self._call.loop.create_task(self._hand_over(), name=f"show in {self.label}")

    async def _hand_over(self) -> None:
        while self._queue:
            text = self._queue.popleft()
            try:
                if text is None:
                    self._endpoint.flush()
                else:
                    await self._endpoint.capture_text(text)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                if escapes(error):
                    raise
                log.exception("output_failed", output=self.label, error=repr(error))
        if self._leaving:
            guarded(self.label, self._endpoint.on_detached)

    def _leave(self) -> None:
        if self._leaving:
            return
        self._leaving = True
        if self._worker is None or self._worker.done():
            guarded(self.label, self._endpoint.on_detached)


def guarded(label: str, call: Callable[[], None]) -> bool:
    """Call the user's code; whether it did not raise. What it raises is logged and hurts nobody."""
    try:
        call()
    except BaseException as error:
        if escapes(error):
            raise
        log.exception("output_failed", output=label, error=repr(error))
        return False
    return True
