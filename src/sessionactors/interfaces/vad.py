"""Voice activity detection: audio in, speech boundaries out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from sessionactors.model.audio import AudioFrame

from .home import Home


class VADEventType(Enum):
    """What a detector saw."""

    START_OF_SPEECH = "start_of_speech"
    INFERENCE_DONE = "inference_done"
    END_OF_SPEECH = "end_of_speech"


@dataclass(frozen=True, slots=True)
class VADEvent:
    """One finding of a detector.

    Durations are audio time in seconds; the moment a thing happened is the moment the event is handled minus the
    duration that belongs to it (speech began ``speech_duration`` ago, speech ended ``silence_duration`` ago) and minus
    ``inference_duration``.
    """

    type: VADEventType
    speech_duration: float
    """Seconds of speech in the present (or just ended) stretch."""
    silence_duration: float
    """Seconds of silence since the last speech."""
    probability: float = 1.0
    """0..1, of the newest window."""
    speaking: bool = True
    """Whether the detector is inside a stretch of speech after this event."""
    inference_duration: float = 0.0
    """Seconds that the detector took for the newest window."""
    raw_accumulated_silence: float | None = None
    """Seconds of windows without voice up to now, pauses inside of speech too; None: as ``silence_duration``."""
    raw_accumulated_speech: float | None = None
    """Seconds of windows with voice up to now; None: not told."""

    @property
    def raw_silence(self) -> float:
        """Seconds since the last window with voice; 0.0 while there is voice."""
        if self.raw_accumulated_speech:
            return 0.0
        return self.silence_duration if self.raw_accumulated_silence is None else self.raw_accumulated_silence


@dataclass(frozen=True, slots=True)
class VADCapabilities:
    """How a detector works."""

    update_interval: float = 0.032
    """Seconds of audio between two findings."""


class VAD(ABC):
    """A detector of speech. One object may serve many sessions at once."""

    home: ClassVar[Home] = Home.ACTOR
    sample_rate: ClassVar[int] = 16000
    """Hertz of the mono audio that :meth:`detect` wants; the session resamples."""
    label: str = "vad"
    model: str = ""
    """The model's name, for figures and bills."""
    provider: str = ""
    """Who serves it."""

    @property
    def capabilities(self) -> VADCapabilities:
        """How it works."""
        return VADCapabilities()

    @property
    @abstractmethod
    def min_silence_duration(self) -> float:
        """Seconds of silence before :attr:`VADEventType.END_OF_SPEECH`."""

    @abstractmethod
    def detect(self, audio: AsyncIterable[AudioFrame]) -> AsyncIterator[VADEvent]:
        """Events for one stream of mono frames at :attr:`sample_rate`, until the audio ends or the iterator is closed.

        Must not block the loop it runs on: put inference into a thread.

        Raises:
            APIError: the detector failed; the session restarts the stream.
        """

    async def aclose(self) -> None:
        """Release what the detector holds. Safe to call twice."""
