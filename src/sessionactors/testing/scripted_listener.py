"""A turn detector that listens, and thinks what the script says, in the order in which it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sessionactors.interfaces.turn_detector import StreamingTurnDetector, TurnDetectorStream
from sessionactors.model.audio import AudioFrame


class ScriptedStreamingTurnDetector(StreamingTurnDetector):
    """Gives one scripted probability after the other; 1.0 when there are no more.

    Args:
        probabilities: 0..1, in the order of the questions.
        takes: seconds for each.
        error: raised instead of a probability.
        unsupported: no language is supported.
    """

    label = "scripted-streaming-turn-detector"

    def __init__(
        self,
        probabilities: Sequence[float] = (),
        *,
        takes: float = 0.05,
        error: Exception | None = None,
        unsupported: bool = False,
    ) -> None:
        self.heard = 0.0
        """Seconds of audio, of all streams."""
        self.asked: list[float] = []
        """At how many seconds of audio it was asked."""
        self.withdrawn = 0
        """Questions that were cancelled."""
        self.flushes = 0
        self.streams = 0
        self.closed = 0
        self._left = list(probabilities)
        self._takes = takes
        self._error = error
        self._unsupported = unsupported

    def unlikely_threshold(self, language: str | None = None) -> float | None:
        """Half, or none."""
        return None if self._unsupported else 0.5

    def stream(self) -> TurnDetectorStream:
        """A stream that counts on the detector."""
        self.streams += 1
        return _Stream(self)

    async def think(self) -> float:
        """The next probability."""
        self.asked.append(round(self.heard, 3))
        try:
            await asyncio.sleep(self._takes)
        except asyncio.CancelledError:
            self.withdrawn += 1
            raise
        if self._error is not None:
            raise self._error
        return self._left.pop(0) if self._left else 1.0


class _Stream(TurnDetectorStream):
    def __init__(self, detector: ScriptedStreamingTurnDetector) -> None:
        self._detector = detector

    def push_frame(self, frame: AudioFrame) -> None:
        self._detector.heard += frame.duration

    async def predict(self) -> float:
        return await self._detector.think()

    def flush(self) -> None:
        self._detector.flushes += 1

    async def aclose(self) -> None:
        self._detector.closed += 1
