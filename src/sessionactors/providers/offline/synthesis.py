"""What the offline voices share: threads that speak, and audio cut into frames as it is made.

A voice is a synchronous function of one text that hands out audio as it goes. Here it becomes a :class:`TTS`: each
piece of text is spoken as soon as it arrives, in a thread, and its frames are out before the next piece is awaited.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import warnings
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

from sessionactors.interfaces.tts import TTS, SynthesizedAudio, WordTiming
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIError, OptionError

from .threads import call_on_loop, ended

FRAME_DURATION: Final = 0.04
"""Seconds of the frames that are yielded; the last one of a piece is half to one and a half of it."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Audio as a voice hands it out, with the words that end in it or ended before."""

    pcm: bytes
    """int16 little-endian, mono."""
    timings: tuple[WordTiming, ...] = ()
    """Relative to the text and the audio of this one call."""


Emit: TypeAlias = Callable[[Spoken], bool]
"""Takes audio from a voice; False tells it to stop."""
Speak: TypeAlias = Callable[[Emit], None]
"""Speaks one text; runs in a thread."""


class ThreadedTTS(TTS):
    """A voice that speaks in threads of its own, which start with the first synthesis.

    Args:
        threads: how many texts are spoken at the same time, >= 1.

    Raises:
        OptionError: ``threads`` is not positive.
    """

    def __init__(self, threads: int) -> None:
        if threads < 1:
            raise OptionError(f"a voice needs at least one thread, got {threads}")
        self._threads = SpeakingThreads(self.label, threads)

    @property
    def aligned_transcript(self) -> bool:
        """True: both offline voices know where their words end."""
        return True

    async def synthesize(self, text: AsyncIterable[str]) -> AsyncGenerator[SynthesizedAudio, None]:
        """See :meth:`TTS.synthesize`.

        Raises:
            APIError: the engine failed, or the voice was closed.
        """
        characters = 0
        samples = 0
        async for piece in text:
            if any(character.isalnum() for character in piece):
                frames = Frames(self.sample_rate, samples)
                async with aclosing(self._threads.run(partial(self._speak, piece))) as chunks:
                    async for spoken in chunks:
                        for audio in frames.push(_moved(spoken, characters, samples / self.sample_rate)):
                            yield audio
                for audio in frames.rest():
                    yield audio
                samples = frames.end
            characters += len(piece)

    async def aclose(self) -> None:
        """End the threads. Syntheses still open fail with APIError. Safe to call twice."""
        await self._threads.closed()

    def __del__(self) -> None:
        # An option that is out of range leaves an object without threads.
        if (threads := self.__dict__.get("_threads")) is not None and threads.running:
            warnings.warn(f"unclosed {self!r}: call aclose()", ResourceWarning, source=self, stacklevel=2)
            threads.stop()

    @abstractmethod
    def _speak(self, text: str, emit: Emit) -> None:
        """Speak a text that has letters or digits. Called in a thread.

        Raises:
            APIError: the engine failed.
        """


@dataclass(slots=True)
class Frames:
    """Audio of any length to frames of one, each with the words that end in it.

    Args:
        sample_rate: Hertz.
        end: samples of the synthesis before the first one here.
    """

    sample_rate: int
    end: int
    """Samples of the synthesis up to the last one yielded."""
    _pending: bytearray = field(default_factory=bytearray, init=False)
    _timings: deque[WordTiming] = field(default_factory=deque, init=False)

    def push(self, spoken: Spoken) -> Iterator[SynthesizedAudio]:
        """Add audio; the frames that are whole now. Half a frame is held back, so that the last one is no crumb."""
        self._pending += spoken.pcm
        self._timings += spoken.timings
        length = 2 * round(self.sample_rate * FRAME_DURATION)
        while 2 * len(self._pending) >= 3 * length:
            frame = self._cut(length)
            until = self.end / self.sample_rate
            words: list[WordTiming] = []
            while self._timings and self._timings[0].end_time <= until:
                words.append(self._timings.popleft())
            yield SynthesizedAudio(frame, tuple(words))

    def rest(self) -> Iterator[SynthesizedAudio]:
        """What is left, with the words that are left."""
        if self._pending:
            yield SynthesizedAudio(self._cut(len(self._pending)), tuple(self._timings))

    def _cut(self, length: int) -> AudioFrame:
        pcm = bytes(self._pending[:length])
        del self._pending[:length]
        self.end += len(pcm) // 2
        return AudioFrame(pcm, self.sample_rate)


class SpeakingThreads:
    """Threads that speak one text each at a time.

    Args:
        name: of the threads.
        count: how many, >= 1.
    """

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._stopped = False

    @property
    def running(self) -> bool:
        """Whether threads were started and not told to end."""
        return bool(self._threads) and not self._stopped

    async def run(self, speak: Speak) -> AsyncGenerator[Spoken, None]:
        """What ``speak`` hands out, as it does. Closing the iterator stops it at its next piece of audio.

        Raises:
            APIError: what ``speak`` raised, or the voice was closed.
        """
        job = _Job(speak, asyncio.get_running_loop())
        self._submit(job)
        try:
            while (item := await job.next()) is not None:
                yield item
        finally:
            job.abandoned = True

    def stop(self) -> None:
        """Tell the threads to end. Returns at once."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
        for _ in self._threads:
            self._jobs.put(None)

    async def closed(self) -> None:
        """End the threads and wait for them."""
        self.stop()
        for thread in self._threads:
            await ended(thread)

    def _submit(self, job: _Job) -> None:
        with self._lock:
            if self._stopped:
                raise _closed()
            if len(self._threads) < self._count:
                thread = threading.Thread(target=self._work, name=f"sessionactors-{self._name}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._stopped:
                job.finish(_closed())
            elif not job.abandoned:
                self._do(job)
            del job  # it refers to the voice, which must not be kept alive by a thread that waits

    def _do(self, job: _Job) -> None:
        def emit(spoken: Spoken) -> bool:
            if job.abandoned or self._stopped:
                return False
            job.deliver(spoken)
            return True

        try:
            job.speak(emit)
        except APIError as error:
            job.finish(error)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is told to who listens
            failure = APIError(f"the voice failed: {error!r}")
            failure.__cause__ = error
            job.finish(failure)
        else:
            job.finish(_closed() if self._stopped and not job.abandoned else None)


class _Job:
    """One text to be spoken, and the audio on its way to the loop that wants it."""

    def __init__(self, speak: Speak, loop: asyncio.AbstractEventLoop) -> None:
        self.speak = speak
        self.abandoned = False
        self._loop = loop
        self._items: deque[Spoken | APIError | None] = deque()
        self._woken = asyncio.Event()

    def deliver(self, spoken: Spoken) -> None:
        """From the thread: more audio."""
        call_on_loop(self._loop, self._put, spoken)

    def finish(self, error: APIError | None) -> None:
        """From the thread: no more audio, and why."""
        call_on_loop(self._loop, self._put, error)

    async def next(self) -> Spoken | None:
        """More audio; None at the end."""
        while not self._items:
            self._woken.clear()
            await self._woken.wait()
        item = self._items.popleft()
        if isinstance(item, APIError):
            raise item
        return item

    def _put(self, item: Spoken | APIError | None) -> None:
        self._items.append(item)
        self._woken.set()


def _closed() -> APIError:
    return APIError("the voice is closed", retryable=False)


def _moved(spoken: Spoken, characters: int, seconds: float) -> Spoken:
    """The same with timings that count from the start of the whole synthesis."""
    return Spoken(
        spoken.pcm,
        tuple(WordTiming(timing.text_end + characters, timing.end_time + seconds) for timing in spoken.timings),
    )
