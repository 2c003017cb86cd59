"""Streaming recognition over a WebSocket: audio out, reports in, for any vendor whose protocol is told by a dialect.

What differs between vendors is in a :class:`Dialect`, which knows no socket and can be tested as a table. What is the
same is here: three tasks' worth of work in one place (send, receive, mind the time), and that nothing of it is left.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from typing import TypeAlias

from sessionactors.interfaces.recognition_context import RecognitionContext, recognition_context
from sessionactors.interfaces.stt import RecognitionUsage, SpeechEvent, SpeechEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIError, APITimeoutError
from sessionactors.model.sentinel import FlushSentinel

from .vendor_socket import VendorSocket

Frame: TypeAlias = str | bytes
"""One message of the WebSocket: text or binary."""

TICK = 1.0
"""Seconds between two looks at the clock."""
IDLE_AFTER = 4.0
"""Seconds without audio after which the vendor is told that we are still there; the shortest limit known is 10."""
UNANSWERED = 15.0
"""Seconds of audio, and half as many on the clock, to which a vendor that always answers said nothing: it hangs."""
END_WITHIN = 5.0
"""Seconds for the last words and the end of the connection."""
USAGE_EVERY = 5.0
"""Seconds of audio from one report of usage to the next."""


class Dialect(ABC):
    """How one vendor is spoken to, in one stream.

    Args:
        label: whose stream it is, for people.
        sample_rate: of the audio, in hertz.
        chunk: seconds of audio in one message.
    """

    def __init__(self, label: str, sample_rate: int, chunk: float = 0.05) -> None:
        self.label = label
        self._sample_rate = sample_rate
        self._chunk = max(1, round(sample_rate * chunk)) * 2
        self._held = bytearray()

    @property
    def answers_audio(self) -> bool:
        """Whether the vendor says something now at least every :data:`UNANSWERED` seconds of audio, even of silence."""
        return True

    def chunks(self, frame: AudioFrame) -> Iterable[bytes]:
        """The audio in pieces of the size that the vendor wants; the rest is held.

        Raises:
            APIError: it is not mono at the sample rate.
        """
        if frame.sample_rate != self._sample_rate or frame.num_channels != 1:
            raise APIError(f"{self.label} takes mono at {self._sample_rate} Hz, got {frame}", retryable=False)
        self._held += frame.data
        while len(self._held) >= self._chunk:
            yield bytes(self._held[: self._chunk])
            del self._held[: self._chunk]

    def seconds(self, pcm: bytes) -> float:
        """How long it lasts."""
        return len(pcm) / 2 / self._sample_rate

    def rest(self) -> bytes:
        """The audio that was held."""
        held = bytes(self._held)
        self._held.clear()
        return held

    @abstractmethod
    def audio(self, pcm: bytes) -> Frame:
        """The message that carries it."""

    @abstractmethod
    def flush(self) -> Iterable[Frame]:
        """The user stopped speaking: finish what is open."""

    @abstractmethod
    def end(self) -> Iterable[Frame]:
        """No more audio comes."""

    def idle(self) -> Iterable[Frame]:
        """No audio has come for a while."""
        return ()

    def context(self, context: RecognitionContext) -> Iterable[Frame]:
        """What the recogniser may know has changed."""
        return ()

    def changed(self) -> Iterable[Frame]:
        """What there is to say besides audio: options that changed, an update that had to wait."""
        return ()

    @abstractmethod
    def heard(self, message: Frame) -> Iterable[SpeechEvent]:
        """What a message of the vendor means.

        Raises:
            APIError: it reports an error, or cannot be read.
        """

    def is_over(self) -> bool:
        """Whether the vendor has said its last word, though it has not closed the connection."""
        return False


async def recognize(
    connect: Callable[[], Awaitable[VendorSocket]], audio: AsyncIterable[AudioFrame | FlushSentinel], dialect: Dialect
) -> AsyncIterator[SpeechEvent]:
    """Events for the audio, until it ends and the last words have come.

    Args:
        connect: opens the connection.
        audio: mono frames at the dialect's rate, and flushes.
        dialect: how the vendor is spoken to.

    Raises:
        APIError: the connection failed, or the vendor did.
    """
    socket = await connect()
    stream = _Stream(socket, audio, dialect)
    tasks = [asyncio.create_task(work, name=f"{dialect.label}: {name}") for name, work in stream.work()]
    try:
        while (message := await stream.receive()) is not None:
            for event in dialect.heard(message):
                for usage in stream.usage(now=event.type is SpeechEventType.FINAL_TRANSCRIPT):
                    yield usage
                yield event
            for usage in stream.usage():
                yield usage
            if stream.ended and dialect.is_over():
                break
            await stream.say(dialect.changed())
        for usage in stream.usage(now=True):
            yield usage
    finally:
        for task in tasks:
            task.cancel()
        try:
            await socket.aclose()
        finally:
            await asyncio.wait(tasks)


class _Stream:
    """One stream while it runs."""

    def __init__(
        self, socket: VendorSocket, audio: AsyncIterable[AudioFrame | FlushSentinel], dialect: Dialect
    ) -> None:
        self.ended = False
        """The audio has ended, and the vendor knows."""
        self._socket = socket
        self._audio = audio
        self._dialect = dialect
        self._clock = asyncio.get_running_loop().time
        self._error: Exception | None = None
        self._last_sent = self._last_heard = self._clock()
        self._unanswered = 0.0
        self._unbilled = 0.0

    def work(self) -> Iterable[tuple[str, Coroutine[None, None, None]]]:
        """What runs beside the receiving."""
        yield "sending", self._guarded(self._send)
        yield "minding the time", self._guarded(self._mind)

    async def receive(self) -> Frame | None:
        """The next message; None at the end."""
        try:
            message = await self._socket.receive()
        except APIError as broken:
            raise self._error or broken from None
        if message is None and self._error is not None:
            raise self._error
        self._last_heard = self._clock()
        self._unanswered = 0.0
        return message

    async def say(self, frames: Iterable[Frame]) -> None:
        """Send these."""
        for frame in frames:
            await self._socket.send(frame)
            self._last_sent = self._clock()

    def usage(self, *, now: bool = False) -> Iterable[SpeechEvent]:
        """What was sent since the last report; not of little audio, unless ``now``."""
        if self._unbilled >= USAGE_EVERY or (now and self._unbilled > 0):
            billed = RecognitionUsage(round(self._unbilled, 6))
            self._unbilled = 0.0
            yield SpeechEvent(SpeechEventType.RECOGNITION_USAGE, usage=billed, request_id=self._socket.request_id)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Whatever fails here ends the stream: who receives raises it."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - raised again by `receive`
            self._error = self._error or error
            self._socket.abort()

    async def _send(self) -> None:
        dialect, context = self._dialect, recognition_context(self._audio)
        async for item in self._audio:
            known = recognition_context(self._audio)
            if known is not context:
                context = known
                await self.say(dialect.context(context))
            if isinstance(item, FlushSentinel):
                await self._send_audio(dialect.rest())
                await self.say(dialect.flush())
                continue
            for pcm in dialect.chunks(item):
                await self._send_audio(pcm)
        await self._send_audio(dialect.rest())
        await self.say(dialect.end())
        self.ended = True
        self._last_heard = self._clock()
        if dialect.is_over():
            await self._socket.aclose()  # nothing is owed, and this vendor does not close by itself

    async def _send_audio(self, pcm: bytes) -> None:
        if pcm:
            seconds = self._dialect.seconds(pcm)
            self._unbilled += seconds
            self._unanswered += seconds
            await self.say((self._dialect.audio(pcm),))

    async def _mind(self) -> None:
        """Keep the connection alive, and find out when the other side is not."""
        dialect = self._dialect
        while True:
            await asyncio.sleep(TICK)
            now = self._clock()
            if self.ended:
                if now - self._last_heard >= END_WITHIN:
                    raise APITimeoutError(f"{dialect.label}: no end within {END_WITHIN:g} s of the end of the audio")
                continue
            hangs = self._unanswered >= UNANSWERED and now - self._last_heard >= UNANSWERED / 2
            if hangs and dialect.answers_audio:
                raise APITimeoutError(f"{dialect.label}: no answer to {self._unanswered:.0f} s of audio")
            await self.say(dialect.changed())
            if now - self._last_sent >= IDLE_AFTER:
                await self.say(dialect.idle())
