"""A microphone of these tests: frames, flushes and news of the context, as fast as they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

from sessionactors.interfaces.recognition_context import NO_CONTEXT, RecognitionContext
from sessionactors.interfaces.stt import STT, SpeechEvent, SpeechEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import FLUSH, FlushSentinel

FRAME = 0.02
"""Seconds."""


class Microphone(AsyncIterator[AudioFrame | FlushSentinel]):
    """Plays what it is given: seconds of silence, flushes, contexts; an event is waited for.

    Args:
        items: in order.
        sample_rate: hertz.
        context: what is known at first.
    """

    def __init__(
        self,
        items: Iterable[float | FlushSentinel | RecognitionContext | asyncio.Event | Exception],
        sample_rate: int = 16000,
        context: RecognitionContext = NO_CONTEXT,
    ) -> None:
        self.context = context
        self.frames = 0
        self._items = list(items)
        self._rate = sample_rate
        self._left = 0

    async def __anext__(self) -> AudioFrame | FlushSentinel:
        while True:
            if self._left:
                self._left -= 1
                self.frames += 1
                return AudioFrame(bytes(2 * round(self._rate * FRAME)), self._rate)
            if not self._items:
                raise StopAsyncIteration
            match self._items.pop(0):
                case FlushSentinel():
                    return FLUSH
                case RecognitionContext() as context:
                    self.context = context
                case asyncio.Event() as event:
                    await event.wait()
                case Exception() as error:
                    raise error
                case seconds:
                    self._left = round(seconds / FRAME)


async def heard(
    stt: STT, *items: float | FlushSentinel | RecognitionContext | asyncio.Event | Exception
) -> list[SpeechEvent]:
    """All that it says about the audio."""
    return [event async for event in stt.transcribe(Microphone(items, stt.sample_rate))]


def told(events: Iterable[SpeechEvent], *kinds: SpeechEventType) -> list[tuple[str, str]]:
    """Kind and text of each, without usage."""
    return [
        (event.type.value, event.text)
        for event in events
        if (event.type in kinds if kinds else event.type is not SpeechEventType.RECOGNITION_USAGE)
    ]


async def until(condition: Callable[[], object]) -> None:
    """Wait, by turns of the loop, for what a server on this loop notes."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is noted sets no event
            await asyncio.sleep(0.002)
