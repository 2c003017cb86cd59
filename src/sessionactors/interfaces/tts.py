"""Text to speech: text in, audio out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from sessionactors.model.audio import AudioFrame

from .home import Home
from .markup import Markup


@dataclass(frozen=True, slots=True)
class WordTiming:
    """Where a piece of the text is in the audio of a synthesis."""

    text_end: int
    """Index into the text pushed so far: this word and all before it end here (code points, exclusive)."""
    end_time: float
    """Seconds from the start of the synthesised audio at which the word has been spoken."""


@dataclass(frozen=True, slots=True)
class SynthesizedAudio:
    """Audio for the text, with the words that end inside it when the voice can tell."""

    frame: AudioFrame
    timings: tuple[WordTiming, ...] = ()

    def moved(self, characters: int, seconds: float) -> SynthesizedAudio:
        """The same as a part of a longer synthesis, in which so much text and audio come before it."""
        moved = (WordTiming(timing.text_end + characters, timing.end_time + seconds) for timing in self.timings)
        return SynthesizedAudio(self.frame, tuple(moved))


class TTS(ABC):
    """A voice. One object may serve many sessions at once."""

    home: Home = Home.ACTOR
    may_be_silent: ClassVar[bool] = False
    """Whether no audio for a text is an answer; if not, it is a failure."""
    answers_within: float | None = None
    """For a voice that asks several others: seconds in which it has begun to speak or has failed with all of them. The
    session waits so long, and does not ask again for what none of them would begin. None: the session's own budget."""
    label: str = "tts"
    model: str = ""
    """The model's name, for figures and bills."""
    provider: str = ""
    """Who serves it."""

    @property
    @abstractmethod
    def sample_rate(self) -> int:
        """Hertz of the mono audio it yields."""

    @property
    def aligned_transcript(self) -> bool:
        """Whether :attr:`SynthesizedAudio.timings` are given for every word."""
        return False

    @property
    def markup(self) -> Markup | None:
        """The markers that steer it; None: it knows none. The session puts them into its own words for it."""
        return None

    @abstractmethod
    def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[SynthesizedAudio]:
        """Audio for one stretch of speech whose text arrives in sentence-sized pieces.

        Pieces are concatenated as they are (they carry their own spaces). Closing the iterator aborts the synthesis.
        Must not block the loop it runs on.

        Raises:
            APIError: the voice failed; the session asks again for the text whose audio it has not got.
        """

    def prewarm(self) -> None:
        """Get ready for the first synthesis, without waiting.

        Called at its home when a session starts with it, or an agent takes over that has it.
        """

    async def aclose(self) -> None:
        """Release what the voice holds. Safe to call twice."""
