"""Speech to text: audio in, transcripts out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import FlushSentinel

from .home import Home


class SpeechEventType(Enum):
    """What a recogniser reports."""

    INTERIM_TRANSCRIPT = "interim_transcript"
    FINAL_TRANSCRIPT = "final_transcript"


@dataclass(frozen=True, slots=True)
class SpeechEvent:
    """A transcript, interim (may change) or final (will not)."""

    type: SpeechEventType
    text: str
    language: str = "en"
    confidence: float | None = None
    """0..1."""
    complete: bool | None = None
    """Whether the words form a complete utterance, when the recogniser can tell (a grammar can); None when not."""


class STT(ABC):
    """A streaming recogniser. One object may serve many sessions at once."""

    home: ClassVar[Home] = Home.ACTOR
    sample_rate: ClassVar[int] = 16000
    """Hertz of the mono audio that :meth:`transcribe` wants; the session resamples."""
    label: str = "stt"

    @abstractmethod
    def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        """Transcripts for one stream of mono frames, until the audio ends or the iterator is closed.

        A ``FLUSH`` in the audio says that the user stopped speaking: finalise what is open and emit it.
        An utterance with no recognised words emits nothing, or a final with empty text.

        Raises:
            APIError: the recogniser failed; the session opens a new stream with the audio since the last final.
        """

    async def aclose(self) -> None:
        """Release what the recogniser holds. Safe to call twice."""
