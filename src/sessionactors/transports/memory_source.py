"""The audio of a participant who lives in this process: frames as they are pushed, and clips that are played."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sessionactors.interfaces.audio_io import AudioSource, FrameCallback
from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.model.errors import SessionStateError

from .pacing import FramePacer, check_frame_ms


@dataclass(frozen=True, slots=True)
class _Clip:
    at: float | None
    frames: deque[AudioFrame]


class MemorySource(AudioSource):
    """What a participant says: frames pushed as they are, or recordings played in real time.

    :meth:`push`, :meth:`play` and :meth:`end` may be called from any thread.

    Args:
        frame_ms: length of played frames, 10 to 100 ms.
        silence_rate: deliver frames of silence of this rate (Hertz) while nothing is played, as an open line does; None
            for nothing at all between recordings.
        silence_level: value of the samples of that silence, so that lines can be told apart.

    Raises:
        OptionError: ``frame_ms`` is out of range.
    """

    label = "memory-source"

    def __init__(self, *, frame_ms: int = 20, silence_rate: int | None = None, silence_level: int = 0) -> None:
        self._frame_ms = check_frame_ms(frame_ms)
        self._period = frame_ms / 1000
        self._silence = None if silence_rate is None else _silence(silence_rate, frame_ms, silence_level)
        self._lock = threading.Lock()
        self._clips: deque[_Clip] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pacer: FramePacer | None = None
        self._origin = 0.0
        self._wake_up: asyncio.TimerHandle | None = None
        self._on_frame: FrameCallback | None = None
        self._on_end: Callable[[], None] | None = None
        self._stopped = False
        self._unheard = 0

    @property
    def unheard(self) -> int:
        """Frames pushed while nobody listened: before :meth:`start` or after :meth:`stop`."""
        return self._unheard

    def start(self, on_frame: FrameCallback, on_end: Callable[[], None]) -> None:
        if self._on_frame is not None or self._stopped:
            raise SessionStateError("a MemorySource is started once")
        self._loop = asyncio.get_running_loop()
        self._on_frame, self._on_end = on_frame, on_end
        self._go_on()

    def stop(self) -> None:
        self._stopped = True
        self._rest()

    def push(self, frame: AudioFrame) -> None:
        """Deliver a frame now, whatever is being played."""
        if self._on_frame is None or self._stopped:
            self._unheard += 1
        else:
            self._on_frame(frame)

    def play(self, pcm: AudioFrame, *, at: float | None = None) -> None:
        """Say a recording of any length in real time, behind those that were given before.

        The last frame is filled up with silence. A frame is delivered when its last sample has been spoken.

        Args:
            pcm: the recording, any rate and channel count.
            at: loop time in seconds of its first sample; None for now, or for the start if that is still to come. On an
                open line (``silence_rate``) it begins with the next frame.
        """
        frames = deque(_frames(pcm, self._frame_ms))
        if not frames:
            return
        with self._lock:
            self._clips.append(_Clip(at, frames))
        self._wake()

    def end(self) -> None:
        """Say that this participant's audio is over: nothing more is delivered."""
        if self._stopped:
            return
        self._stopped = True
        self._wake()
        if self._on_end is not None:
            self._on_end()

    def _wake(self) -> None:
        loop = self._loop
        if loop is None:
            return
        if _running_loop() is loop:
            self._go_on()
        else:
            loop.call_soon_threadsafe(self._go_on)

    def _go_on(self) -> None:
        """Start the line for what is to be said next, unless it runs: a running line looks for itself."""
        loop = self._loop
        if self._stopped or loop is None:
            self._rest()
            return
        if self._pacer is not None:
            return
        now = loop.time()
        begin = self._next_begin(now) if self._silence is None else now
        if self._wake_up is not None:
            self._wake_up.cancel()
            self._wake_up = None
        if begin is None:
            return
        if begin > now:
            self._wake_up = loop.call_at(begin, self._go_on)
            return
        self._origin = begin
        self._pacer = FramePacer(loop, begin, self._period, self._deliver)

    def _next_begin(self, now: float) -> float | None:
        with self._lock:
            if not self._clips:
                return None
            at = self._clips[0].at
        # Late by less than a frame is the timer's doing and does not move the recording.
        return now if at is None or at < now - self._period else at

    def _deliver(self, number: int) -> bool:
        frame = self._frame_at(self._origin + number * self._period)
        if frame is None:
            self._pacer = None
            self._go_on()
            return False
        if self._on_frame is not None and not self._stopped:
            self._on_frame(frame)
        return True

    def _frame_at(self, begin: float) -> AudioFrame | None:
        """The frame that begins at ``begin``: of the recording that is due, or silence."""
        with self._lock:
            if self._clips:
                clip = self._clips[0]
                if clip.at is None or clip.at <= begin + self._period / 1000:
                    frame = clip.frames.popleft()
                    if not clip.frames:
                        self._clips.popleft()
                    return frame
        return self._silence

    def _rest(self) -> None:
        if self._wake_up is not None:
            self._wake_up.cancel()
            self._wake_up = None
        if self._pacer is not None:
            self._pacer.stop()
            self._pacer = None


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _silence(sample_rate: int, frame_ms: int, level: int) -> AudioFrame:
    sample = level.to_bytes(BYTES_PER_SAMPLE, "little", signed=True)
    return AudioFrame(sample * (sample_rate * frame_ms // 1000), sample_rate)


def _frames(pcm: AudioFrame, frame_ms: int) -> Iterator[AudioFrame]:
    """Cut into frames of ``frame_ms``, the last one filled up with silence."""
    instant = BYTES_PER_SAMPLE * pcm.num_channels
    begin = 0
    for number in itertools.count(1):
        if begin >= len(pcm.data):
            return
        # From the frame's number, not from the last cut: at 11025 Hz 20 ms are 220 samples or 221 in turn.
        end = number * frame_ms * pcm.sample_rate // 1000 * instant
        yield AudioFrame(pcm.data[begin:end].ljust(end - begin, b"\0"), pcm.sample_rate, pcm.num_channels)
        begin = end
