"""One attempt at synthesising a segment, as the actor sees it, and where the next one has to begin. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from sessionactors.interfaces.tts import WordTiming
from sessionactors.runtime.frozen import replace

from .segment_text import SegmentText
from .voice_pace import VoicePace
from .withheld_audio import WithheldAudio


@dataclass(frozen=True, slots=True)
class WordMark:
    """A word has been spoken when so much audio has come."""

    spoken: int
    """The end of the word in the spoken text."""
    samples: int
    """From the start of the segment."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A running attempt."""

    number: int
    spoken_from: int
    """Where in the spoken text it began."""
    samples_from: int
    """How much audio of the segment there was before."""
    fed: int
    """Where in the spoken text the voice has been given text to."""
    wanting: bool = False
    """The voice asks for text that has not come."""
    text_ended: bool = False
    """The voice knows that no more text comes."""
    marks: tuple[WordMark, ...] = ()
    pace: VoicePace = field(default_factory=VoicePace)

    def place(
        self, timings: tuple[WordTiming, ...], text: SegmentText, rate: int
    ) -> tuple[Attempt, tuple[WordTiming, ...]]:
        """Word timings of the voice as places in the segment's text and audio; one that goes backwards is left out."""
        marks = self.marks
        placed: list[WordTiming] = []
        last = marks[-1] if marks else WordMark(self.spoken_from, self.samples_from)
        for timing in timings:
            spoken = min(self.spoken_from + timing.text_end, self.fed)
            samples = max(self.samples_from + round(timing.end_time * rate), last.samples)
            if spoken > last.spoken:
                last = WordMark(spoken, samples)
                marks = (*marks, last)
                placed.append(WordTiming(text.original_end(spoken), samples / rate))
        return replace(self, marks=marks), tuple(placed)


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where the next attempt begins."""

    spoken: int
    samples: int
    """Audio beyond this is of text that will be said again."""
    certain: bool = True
    """False: text before may not have been said."""


def resume_point(attempt: Attempt, audio: WithheldAudio, *, aligned: bool) -> ResumePoint:
    """Where to go on after an attempt that broke off.

    After the last word that has been spoken, where the voice gives timings; where it began, if it gave no audio. A
    voice without timings that gave some audio leaves one thing known: what it had not been given was not spoken. There
    it goes on, because a sentence said twice is heard, and text that may have been lost is at least reported.

    Args:
        attempt: what broke off.
        audio: the segment's audio so far.
        aligned: whether the voice gives timings for every word.
    """
    if audio.received <= attempt.samples_from:
        return ResumePoint(attempt.spoken_from, attempt.samples_from)
    spoken = [mark for mark in attempt.marks if mark.samples <= audio.received]
    if spoken:
        return ResumePoint(spoken[-1].spoken, spoken[-1].samples)
    if aligned or attempt.marks:
        return ResumePoint(attempt.spoken_from, attempt.samples_from)
    return ResumePoint(attempt.fed, audio.received, certain=False)
