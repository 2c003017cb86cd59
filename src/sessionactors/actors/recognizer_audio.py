"""The audio as a recogniser reads it: frames and flushes, and word of the flushes that were read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

from sessionactors.interfaces.recognition_context import NO_CONTEXT, RecognitionContext
from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import FlushSentinel

LONGEST_FRAME = 0.1
"""Seconds; as long as a source may make them."""


class RecognizerAudio(AsyncIterator[AudioFrame | FlushSentinel]):
    """Passes on what is fed, and says when a flush was read and more is asked for: the recogniser lives.

    Not an async generator: a recogniser may cease to read at any place, and nobody would close it.

    Args:
        flush_taken: awaited before the item behind a flush is given out.
        fed: frames and flushes, and news of the context.
        context: what the recogniser may know at first.
    """

    def __init__(
        self,
        flush_taken: Callable[[], Awaitable[None]],
        fed: AsyncIterator[object],
        context: RecognitionContext = NO_CONTEXT,
    ) -> None:
        self.context = context
        """What the recogniser may know, see :func:`.recognition_context`."""
        self._flush_taken = flush_taken
        self._fed = fed
        self._flushed = False

    async def __anext__(self) -> AudioFrame | FlushSentinel:
        if self._flushed:
            self._flushed = False
            await self._flush_taken()
        item = await anext(self._fed)
        while isinstance(item, RecognitionContext):
            self.context = item
            item = await anext(self._fed)
        item = cast("AudioFrame | FlushSentinel", item)
        self._flushed = isinstance(item, FlushSentinel)
        return item


def joined(frames: tuple[AudioFrame, ...]) -> list[AudioFrame]:
    """The same audio in fewer frames, of at most 100 ms: fifteen seconds of small ones would overrun an inlet."""
    made: list[AudioFrame] = []
    pieces: list[bytes] = []
    seconds = 0.0
    for frame in frames:
        if pieces and seconds + frame.duration > LONGEST_FRAME:
            made.append(AudioFrame(b"".join(pieces), frame.sample_rate))
            pieces, seconds = [], 0.0
        pieces.append(frame.data)
        seconds += frame.duration
    if pieces:
        made.append(AudioFrame(b"".join(pieces), frames[-1].sample_rate))
    return made
