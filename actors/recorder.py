"""Records a session as a stereo WAV file: what it heard of its callers left, what its agent was heard to say right.

Every sound is placed where it was on the session's clock; the agent's audio ends where its playout ended, also when it
was cut off. The file is written in pieces by a thread while the session goes on, and appears whole or not at all.

    AgentSession(actors=[Recorder("call.wav")])
"""

from __future__ import annotations

import asyncio
import os
import wave
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import soxr
import structlog

from sessionactors import (
    NS,
    AudioFrame,
    CloseEvent,
    Delivery,
    DropIn,
    EffectPort,
    OptionError,
    Outbox,
    PlaybackFinished,
    PlaybackProgressed,
    message,
    messages,
)

Samples: TypeAlias = npt.NDArray[np.int16]
T = TypeVar("T")

log = structlog.get_logger("sessionactors.recorder")

AGENT: Final = "agent"
WRITER: Final = "writer"
WAITING: Final = 5000
"""Pieces that may wait for a slow disk (over a minute of talk); the oldest give way."""
AT_ONCE: Final = 50
"""Pieces handed to the thread together."""
SETTLED: Final = NS
"""Nanoseconds after which a sound is written: what comes later than that goes behind what is there."""
SLACK: Final = 60_000_000
"""Nanoseconds by which a sound may be late and still continue the one before it, so that unrest makes no clicks."""


@message()
class WritingFailed:
    """To itself: the file cannot be written."""

    error: BaseException


RecorderMessage: TypeAlias = Delivery | messages.EventRaised | WritingFailed


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of audio and when it was over."""

    track: str
    frame: AudioFrame
    until: int
    """Kernel clock, ns: end of its last sample."""


@dataclass(frozen=True, slots=True)
class RecorderState:
    """What of the agent's audio has not been played yet, and who is not heard."""

    segment: str = ""
    """Stretch of the agent's speech that came last."""
    over: bool = False
    """It has been played or cut off."""
    unplayed: tuple[AudioFrame, ...] = ()
    position: float = 0.0
    """Seconds of it that were played."""
    muted: frozenset[str] = frozenset()
    """Inputs that the session does not listen to."""
    heard: float = 0.0
    """Seconds of callers recorded."""
    said: float = 0.0
    """Seconds of the agent recorded."""


class Recorder(DropIn[RecorderState, RecorderMessage]):
    """Records callers and agent.

    Args:
        path: the file; an existing one is replaced. ``{room}`` stands for the name of the room.
        sample_rate: Hertz of the recording, 8000 to 48000.

    Raises:
        OptionError: the rate is out of range.
    """

    name = "recorder"
    subscribes = (messages.FrameCaptured, messages.SetInputEnabled, messages.SegmentAudio, messages.SinkReported)
    events = (CloseEvent,)

    def __init__(self, path: str | Path = "recording-{room}.wav", *, sample_rate: int = 24000) -> None:
        if not 8000 <= sample_rate <= 48000:
            raise OptionError(f"sample_rate must be within 8000 and 48000 Hz, got {sample_rate}")
        self._path = str(path)
        self._sample_rate = sample_rate

    def initial(self) -> RecorderState:
        """Nothing heard."""
        return RecorderState()

    def started(self, state: RecorderState, out: Outbox[RecorderMessage]) -> RecorderState:
        """The recording begins now."""
        path = Path(self._path.replace("{room}", out.room.replace("/", "-")))
        recording = Recording(path, sample_rate=self._sample_rate, began=out.now)
        out.effect(WRITER, lambda port: write(port, recording), failed=WritingFailed, inlet=WAITING)
        return super().started(state, out)

    def receive(self, state: RecorderState, message: RecorderMessage, out: Outbox[RecorderMessage]) -> RecorderState:
        """One message."""
        match message:
            case Delivery(message=messages.FrameCaptured(frame)):
                return self._on_caller(state, message, frame, out)
            case Delivery(message=messages.SegmentAudio(segment, frame)):
                return _on_synthesised(state, segment, frame)
            case Delivery(message=messages.SinkReported(event=PlaybackProgressed(segment, position))):
                return self._on_played(state, segment, position, message.sent_at, out)
            case Delivery(message=messages.SinkReported(event=PlaybackFinished(segment, position))):
                state = self._on_played(state, segment, position, message.sent_at, out)
                return replace(state, over=True, unplayed=()) if segment == state.segment else state
            case Delivery(message=messages.SetInputEnabled(enabled), target=ear):
                return replace(state, muted=state.muted - {ear} if enabled else state.muted | {ear})
            case messages.EventRaised():  # the session ends
                out.end_inlet(WRITER)
            case WritingFailed(error):
                raise error
            case Delivery():  # a sink that starts
                pass
        return state

    def _on_caller(
        self, state: RecorderState, heard: Delivery, frame: AudioFrame, out: Outbox[RecorderMessage]
    ) -> RecorderState:
        if heard.target in state.muted:
            return state
        out.feed(WRITER, Sound(heard.target, frame, heard.sent_at))
        return replace(state, heard=state.heard + frame.duration)

    def _on_played(
        self, state: RecorderState, segment: str, position: float, at: int, out: Outbox[RecorderMessage]
    ) -> RecorderState:
        if segment != state.segment or state.over or position <= state.position:
            return state
        played, unplayed = _cut(state.unplayed, position - state.position)
        if played is not None:
            out.feed(WRITER, Sound(AGENT, played, at))
        return replace(state, unplayed=unplayed, position=position, said=state.said + position - state.position)

    def summary(self, state: RecorderState) -> Mapping[str, object]:
        """File and seconds."""
        return {"path": self._path, "callers": round(state.heard, 2), "agent": round(state.said, 2)}


def _on_synthesised(state: RecorderState, segment: str, frame: AudioFrame) -> RecorderState:
    if segment != state.segment:  # segments get their audio one after the other
        return replace(state, segment=segment, over=False, unplayed=(frame,), position=0.0)
    if state.over:  # cut off: nobody hears this
        return state
    return replace(state, unplayed=(*state.unplayed, frame))


def _cut(frames: tuple[AudioFrame, ...], seconds: float) -> tuple[AudioFrame | None, tuple[AudioFrame, ...]]:
    """The audio of the first ``seconds``, and the rest."""
    if not frames:
        return None, ()
    whole = AudioFrame(b"".join(frame.data for frame in frames), frames[0].sample_rate)
    head, rest = whole.split(round(seconds * whole.sample_rate))
    return (head if head.data else None), ((rest,) if rest.data else ())


# -- the file, off the loop --------------------------------------------------------------------------------------------


async def write(port: EffectPort[RecorderMessage], recording: Recording) -> None:
    """Write what is fed until there is no more, or until the session ends; then finish the file.

    Raises:
        OSError: the file cannot be written; nothing of it is left.
    """
    batch: list[Sound] = []
    try:
        try:
            await _in_thread(recording.open)
            async for sound in port.inlet:
                if isinstance(sound, Sound):
                    batch.append(sound)
                if len(batch) >= AT_ONCE:
                    ready, batch = batch, []
                    await _in_thread(partial(recording.write, ready))
        finally:
            while port.inlet.depth():
                left = await anext(port.inlet, None)
                if not isinstance(left, Sound):
                    break
                batch.append(left)
            await _in_thread(partial(recording.finish, batch))
    except BaseException as error:
        await _in_thread(recording.discard)
        if isinstance(error, OSError):  # logged, because the session may be over: nobody else would hear of it
            log.exception("recording_not_written", path=str(recording.path), error=repr(error))
        raise


async def _in_thread(call: Callable[[], T]) -> T:
    """Run in a thread. A cancellation comes through when that has ended, so that one at a time touches the file."""
    work = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        work.result()
        raise


class Recording:
    """The file and its tracks. Every method but the constructor blocks; one thread at a time.

    Args:
        path: where it appears when it is finished.
        sample_rate: Hertz.
        began: kernel clock in ns of the first sample.
    """

    def __init__(self, path: Path, *, sample_rate: int, began: int) -> None:
        self.path = path
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._sample_rate = sample_rate
        self._began = began
        self._tracks: dict[str, Track] = {}
        self._newest = began
        self._written = 0
        self._file: wave.Wave_write | None = None
        self._disk: BinaryIO | None = None

    def open(self) -> None:
        """Begin the file."""
        self._disk = self._partial.open("wb")  # not by wave: what it cannot open, it fails to let go
        self._file = wave.open(self._disk, "wb")  # noqa: SIM115  open as long as the session
        self._file.setnchannels(2)
        self._file.setsampwidth(2)
        self._file.setframerate(self._sample_rate)

    def write(self, sounds: list[Sound]) -> None:
        """Take sounds, and write what is settled."""
        for sound in sounds:
            if sound.track not in self._tracks:
                self._tracks[sound.track] = Track(self._sample_rate, self._began, self._written)
            self._tracks[sound.track].add(sound)
            self._newest = max(self._newest, sound.until)
        self._mix(self._newest - SETTLED)

    def finish(self, sounds: list[Sound]) -> None:
        """Take the last sounds and complete the file, if it was begun."""
        if self._file is not None:
            self.write(sounds)
            self._mix(None)
            self._close()
            self._partial.replace(self.path)

    def discard(self) -> None:
        """Leave nothing behind of a file that is not complete."""
        try:
            self._close()
        finally:
            self._partial.unlink(missing_ok=True)

    def _close(self) -> None:
        file, disk, self._file, self._disk = self._file, self._disk, None, None
        if file is not None and disk is not None:
            with disk:
                file.close()

    def _mix(self, settled: int | None) -> None:
        """Write all tracks up to an instant (None: to their end)."""
        finals = [track.settle(settled) for track in self._tracks.values()]
        if settled is None:
            end = max(finals, default=0)
        else:
            end = min([*finals, _samples(settled - self._began, self._sample_rate)])
        size = end - self._written
        if size <= 0 or self._file is None:
            return
        callers = np.zeros(size, np.int32)
        agent = np.zeros(size, np.int16)
        for name, track in self._tracks.items():
            if name == AGENT:
                agent = track.take(size)
            else:
                callers += track.take(size)
        left = np.clip(callers, -32768, 32767).astype(np.int16)
        self._file.writeframesraw(np.column_stack((left, agent)).astype("<i2").tobytes())
        self._written = end


class Track:
    """One voice, sample by sample.

    When a sound was told is when it was over, or later: after a stall many are told at once. So a sound is placed
    before the one that follows it, which is known once it is settled.
    """

    def __init__(self, sample_rate: int, began: int, written: int) -> None:
        self._sample_rate = sample_rate
        self._began = began
        self._waiting: deque[Sound] = deque()
        self._ready: deque[Samples] = deque()
        self._resampler: soxr.ResampleStream | None = None
        self._input_rate = 0
        self._end = began
        """Kernel clock in ns: end of the last sound that was placed."""
        self.samples = written
        """Samples placed, those taken and those before its time included."""

    def add(self, sound: Sound) -> None:
        """One more sound, not placed yet."""
        self._waiting.append(sound)

    def settle(self, settled: int | None) -> int:
        """Place the sounds that were over by then (None: all); returns up to which sample nothing changes any more."""
        starts: deque[int] = deque()
        for sound in reversed(self._waiting):
            end = min(sound.until, starts[0]) if starts else sound.until
            starts.appendleft(end - round(sound.frame.duration * NS))
        while starts and (settled is None or starts[0] + self._waiting[0].frame.duration * NS <= settled):
            self._place(self._waiting.popleft().frame, starts.popleft())
        if settled is None:
            self._flush()
            return self.samples
        if (starts[0] if starts else settled) - self._end <= SLACK:  # the voice goes on
            return self.samples
        self._flush()
        return _samples((starts[0] if starts else settled) - self._began, self._sample_rate)

    def take(self, size: int) -> Samples:
        """The next samples; silence where there is none."""
        taken: list[Samples] = []
        missing = size
        while missing and self._ready:
            block = self._ready.popleft()
            if len(block) > missing:
                self._ready.appendleft(block[missing:])
                block = block[:missing]
            taken.append(block)
            missing -= len(block)
        self.samples += missing
        return np.concatenate([*taken, np.zeros(missing, np.int16)])

    def _place(self, frame: AudioFrame, start: int) -> None:
        if start - self._end > SLACK:
            self._flush()
            self._put(np.zeros(max(0, _samples(start - self._began, self._sample_rate) - self.samples), np.int16))
            self._end = start
        self._end += round(frame.duration * NS)
        samples = np.frombuffer(frame.data, np.dtype("<i2"))
        if frame.num_channels > 1:
            samples = samples.reshape(-1, frame.num_channels).mean(axis=1).astype(np.int16)
        if frame.sample_rate != self._input_rate:
            self._flush()
            self._input_rate = frame.sample_rate
        if frame.sample_rate == self._sample_rate:
            self._put(samples)
            return
        if self._resampler is None:
            self._resampler = soxr.ResampleStream(frame.sample_rate, self._sample_rate, 1, "int16", "MQ")
        self._put(self._resampler.resample_chunk(samples))

    def _flush(self) -> None:
        if self._resampler is not None:
            stream, self._resampler = self._resampler, None
            self._put(stream.resample_chunk(np.zeros(0, np.int16), last=True))

    def _put(self, samples: Samples) -> None:
        if len(samples):
            self._ready.append(samples)
            self.samples += len(samples)


def _samples(duration: int, sample_rate: int) -> int:
    """Samples in so many nanoseconds."""
    return round(duration * sample_rate / NS)
