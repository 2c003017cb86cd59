"""Several people on scripted lines: whose audio a stream is about, so that each is understood by a script of their own.

A line in a scenario carries no voice. What tells one from another is the level of its silence.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import TypeVar

from sessionactors.interfaces.stt import STT, SpeechEvent
from sessionactors.interfaces.vad import VAD, VADEvent
from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import FlushSentinel

from .scripted_ear import ScriptedSTT, ScriptedVAD

Item = TypeVar("Item", AudioFrame, AudioFrame | FlushSentinel)


def line_of(item: AudioFrame | FlushSentinel) -> int:
    """The number of the line that a frame comes from."""
    return int.from_bytes(item.data[:2], "little", signed=True) if isinstance(item, AudioFrame) else 0


class VADByLine(VAD):
    """Finds speech on each line where its script says."""

    label = "scripted-vad"

    def __init__(self, lines: Sequence[ScriptedVAD]) -> None:
        self._lines = lines

    @property
    def min_silence_duration(self) -> float:
        """As that of the first line."""
        return self._lines[0].min_silence_duration

    async def detect(self, audio: AsyncIterable[AudioFrame]) -> AsyncIterator[VADEvent]:
        """Events of the line that the first frame comes from."""
        frames = aiter(audio)
        async for first in frames:
            async for event in self._lines[line_of(first)].detect(_behind(first, frames)):
                yield event


class STTByLine(STT):
    """Understands on each line what its script says."""

    label = "scripted-stt"

    def __init__(self, lines: Sequence[ScriptedSTT]) -> None:
        self._lines = lines

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        """Events of the line that the first frame comes from."""
        frames = aiter(audio)
        async for first in frames:
            async for event in self._lines[line_of(first)].transcribe(_behind(first, frames), language=language):
                yield event


async def _behind(first: Item, rest: AsyncIterator[Item]) -> AsyncIterator[Item]:
    yield first
    async for item in rest:
        yield item
