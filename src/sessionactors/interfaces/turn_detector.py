"""End-of-turn detection: is the user done, or only pausing? From the words, or from the sound of the voice.

Both kinds propose; the ``turn`` actor decides, and waits for neither longer than its time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext

from .home import Home

MIN_VAD_SILENCE = 0.25
"""Seconds of silence that a VAD must ask for beside a :class:`StreamingTurnDetector`: what it needs to predict in."""


class TurnDetector(ABC):
    """Predicts from the conversation's text whether the user's turn is over."""

    home: Home = Home.ACTOR
    label: str = "turn_detector"
    streaming: bool = False
    """It reads text; a :class:`StreamingTurnDetector` listens to the audio."""

    def unlikely_threshold(self, language: str | None = None) -> float | None:
        """Below this probability the session waits ``max_delay`` instead of ``min_delay``.

        Args:
            language: as the recogniser names it; None when it does not.

        Returns:
            0..1, or None when the language is not supported: then the detector is not asked.
        """
        return 0.5

    @abstractmethod
    async def predict_end_of_turn(self, chat_ctx: ChatContext) -> float:
        """Probability (0..1) that the turn is over; the last item of ``chat_ctx`` is the user's transcript so far.

        What it raises is logged, and the turn ends as without a detector.
        """


class TurnDetectorStream(ABC):
    """One participant's voice, as a streaming detector follows it. Called on the detector's home, never at once."""

    @abstractmethod
    def push_frame(self, frame: AudioFrame) -> None:
        """Hear the next mono frame at the detector's rate. Must return at once."""

    @abstractmethod
    async def predict(self) -> float:
        """Probability (0..1) that the turn is over with what was heard so far. Cancelled when the voice goes on."""

    def flush(self) -> None:
        """The turn was committed: what was heard belongs to it and not to the next one."""

    async def aclose(self) -> None:
        """Release what the stream holds."""


class StreamingTurnDetector(ABC):
    """Predicts from the sound of the voice whether the user's turn is over.

    Needs a VAD: it is asked when the voice has been silent for 0.2 s, so that its answer is there when the VAD reports
    the end of speech. The VAD must wait for at least :data:`MIN_VAD_SILENCE` seconds of silence.
    """

    home: ClassVar[Home] = Home.ACTOR
    streaming: bool = True
    """It listens to the audio itself; delays that were not given are 0.3 and 2.5 s beside it."""
    sample_rate: ClassVar[int] = 16000
    """Hertz of the mono audio that the streams want; the session resamples."""
    label: str = "turn_detector"
    prediction_timeout: float = 1.0
    """Seconds for a prediction; then the turn ends as without a detector."""

    def unlikely_threshold(self, language: str | None = None) -> float | None:
        """See :meth:`TurnDetector.unlikely_threshold`."""
        return 0.5

    @abstractmethod
    def stream(self) -> TurnDetectorStream:
        """Begin to follow one participant.

        Raises:
            APIError: it cannot; the session tries again, and turns end as without a detector meanwhile.
        """

    async def aclose(self) -> None:
        """Release what the detector holds. Safe to call twice."""


AnyTurnDetector = TurnDetector | StreamingTurnDetector
