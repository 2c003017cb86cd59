"""Speech to text: audio in, transcripts and the edges of speech out."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import FlushSentinel

from .home import Home


class SpeechEventType(Enum):
    """What a recogniser reports. Only finals are needed; the others make turns quicker or figures exact."""

    START_OF_SPEECH = "start_of_speech"
    """The user began to speak, as the recogniser hears it."""
    INTERIM_TRANSCRIPT = "interim_transcript"
    """Words so far since the last final; they may change."""
    PREFLIGHT_TRANSCRIPT = "preflight_transcript"
    """Words that will most likely be the next final: good enough to prepare a reply, not to end the turn."""
    FINAL_TRANSCRIPT = "final_transcript"
    """Words that will not change any more."""
    RECOGNITION_USAGE = "recognition_usage"
    """What was billed since the last report."""
    END_OF_SPEECH = "end_of_speech"
    """The user is done, as the recogniser hears it: ends the turn where ``turn_detection="stt"``."""


@dataclass(frozen=True, slots=True)
class RecognizedWord:
    """One word or segment of a transcript. Times are seconds of the stream's audio; None: not known."""

    text: str
    start_time: float | None = None
    end_time: float | None = None
    confidence: float | None = None
    """0..1."""
    speaker_id: str | None = None


@dataclass(frozen=True, slots=True)
class RecognitionUsage:
    """What a recogniser bills."""

    audio_duration: float
    """Seconds."""
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class SpeechData:
    """A transcript as an alternative of an event."""

    language: str
    text: str
    start_time: float | None = None
    """Seconds of the stream's audio at which the words begin; None: not known."""
    end_time: float | None = None
    confidence: float | None = None
    """0..1."""
    speaker_id: str | None = None
    """Who spoke, as a recogniser that tells speakers apart names them."""
    words: tuple[RecognizedWord, ...] = ()


@dataclass(frozen=True, slots=True)
class SpeechEvent:
    """One report of a recogniser.

    What was said may be given flat (``text``, ``language``, ...) or as ``alternatives``, best first; both can be read.
    """

    type: SpeechEventType
    text: str = ""
    language: str = "en"
    confidence: float | None = None
    """0..1."""
    complete: bool | None = None
    """Whether the words form a complete utterance, when the recogniser can tell (a grammar can); None when not."""
    start_time: float | None = None
    """Seconds of the stream's audio at which the words, or the speech, begin; None: not known."""
    end_time: float | None = None
    """The same for their end."""
    words: tuple[RecognizedWord, ...] = ()
    speaker_id: str | None = None
    usage: RecognitionUsage | None = None
    """Of :attr:`SpeechEventType.RECOGNITION_USAGE`."""
    request_id: str = ""
    alternatives: tuple[SpeechData, ...] = ()

    def __post_init__(self) -> None:
        if self.alternatives:
            best = self.alternatives[0]
            for name in ("text", "language", "confidence", "start_time", "end_time", "words", "speaker_id"):
                object.__setattr__(self, name, getattr(best, name))
        elif self.text:
            data = SpeechData(
                self.language,
                self.text,
                self.start_time,
                self.end_time,
                self.confidence,
                self.speaker_id,
                self.words,
            )
            object.__setattr__(self, "alternatives", (data,))

    def later(self, seconds: float) -> SpeechEvent:
        """The same as a part of a longer audio, in which so many seconds come before it."""

        def moved(at: float | None) -> float | None:
            return None if at is None else at + seconds

        words = tuple(
            dataclasses.replace(word, start_time=moved(word.start_time), end_time=moved(word.end_time))
            for word in self.words
        )
        # Alternatives are made anew of what stands flat: a second choice of times that are not known is no help.
        return dataclasses.replace(
            self, start_time=moved(self.start_time), end_time=moved(self.end_time), words=words, alternatives=()
        )

    def with_text(self, text: str) -> SpeechEvent:
        """The same with other words."""
        return SpeechEvent(
            self.type,
            text,
            self.language,
            self.confidence,
            self.complete,
            self.start_time,
            self.end_time,
            self.words,
            self.speaker_id,
            self.usage,
            self.request_id,
        )


@dataclass(frozen=True, slots=True)
class STTCapabilities:
    """What a recogniser can do. The defaults fit a plain streaming one."""

    streaming: bool = True
    """Understands speech while it is being spoken."""
    interim_results: bool = True
    diarization: bool = False
    """Tells speakers apart."""
    aligned_transcript: Literal["word", "chunk"] | None = None
    """What its transcripts have times for; None: nothing."""
    end_of_speech: bool = False
    """Reports the edges of speech: needed for ``turn_detection="stt"``."""
    keyterms: bool = False
    """Takes words to expect from :func:`.recognition_context`."""
    chat_context: bool = False
    """Takes what was said last from there."""


class STT(ABC):
    """A streaming recogniser. One object may serve many sessions at once."""

    home: Home = Home.ACTOR
    sample_rate: int = 16000
    """Hertz of the mono audio that :meth:`transcribe` wants; the session resamples."""
    label: str = "stt"
    model: str = ""
    """The model's name, for figures and bills."""
    provider: str = ""
    """Who serves it."""

    @property
    def capabilities(self) -> STTCapabilities:
        """What it can do."""
        return STTCapabilities()

    @abstractmethod
    def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        """Events for one stream of mono frames, until the audio ends or the iterator is closed.

        A ``FLUSH`` in the audio says that the user stopped speaking: finalise what is open and emit it.
        An utterance with no recognised words emits nothing, or a final with empty text.

        Raises:
            APIError: the recogniser failed; the session opens a new stream with the audio since the last final.
        """

    async def aclose(self) -> None:
        """Release what the recogniser holds. Safe to call twice."""
