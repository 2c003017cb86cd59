"""Times of characters, as ElevenLabs gives them with its audio, made into times of the words of our text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sessionactors.interfaces.tts import WordTiming

LOOK_AHEAD: Final = 32
"""Characters of our text that the vendor may have left out in one place, such as markup."""
SLACK: Final = 0.1
"""Seconds by which times and audio may differ."""


class CharAlignment:
    """The words of one text, as they are spoken.

    The vendor's characters are those of the text as it was sent (``alignment``). Those of the text as it is read out
    (``normalizedAlignment``: "fifty dollars") have no place in ours, and the history has to be cut at a place.
    """

    def __init__(self) -> None:
        self._text = ""
        self._ended = False
        self._at = 0
        """Up to here our text has been spoken,"""
        self._time = 0.0
        """at this time,"""
        self._told = 0
        """and told up to here."""

    def push(self, text: str) -> None:
        """More of our text."""
        self._text += text

    def end(self) -> None:
        """No more text comes."""
        self._ended = True

    def words(
        self, chars: Sequence[str], starts_ms: Sequence[int], durations_ms: Sequence[int], offset: float, length: float
    ) -> tuple[WordTiming, ...]:
        """Words that have been spoken by the end of a piece of audio, and were not told before.

        Args:
            chars: spoken in the piece.
            starts_ms: of each, from the beginning of the piece, or of all audio: both are seen.
            durations_ms: of each.
            offset: seconds of audio before the piece.
            length: seconds of the piece.
        """
        if not len(chars) == len(starts_ms) == len(durations_ms) or not chars:
            return ()
        first, last = starts_ms[0] / 1000, (starts_ms[-1] + durations_ms[-1]) / 1000
        absolute = first >= offset - SLACK and last > length + SLACK
        base = 0.0 if absolute else offset
        ends = [base + (start + duration) / 1000 for start, duration in zip(starts_ms, durations_ms, strict=True)]
        return self.words_by(chars, ends)

    def words_by(self, chars: Sequence[str], ends: Sequence[float]) -> tuple[WordTiming, ...]:
        """The same, where the times are known.

        Args:
            chars: spoken one after the other.
            ends: seconds of all audio at which each has been spoken.
        """
        timings: list[WordTiming] = []
        for char, end in zip(chars, ends, strict=False):
            if not char.isspace():
                self._speak(char, end)
            if self._at > self._told and (char.isspace() or self._word_is_over()):
                timings.append(self._tell())
        return tuple(timings)

    def last_words(self, length: float) -> tuple[WordTiming, ...]:
        """What is left when all audio has come.

        Args:
            length: seconds of all audio.
        """
        self._time = min(self._time, length)
        return (self._tell(),) if self._at > self._told else ()

    def _speak(self, chars: str, time: float) -> None:
        self._time = max(self._time, time)
        for char in chars:
            found = self._text.find(char, self._at, self._at + LOOK_AHEAD)
            if found >= 0:
                self._at = found + 1

    def _word_is_over(self) -> bool:
        return self._text[self._at].isspace() if self._at < len(self._text) else self._ended

    def _tell(self) -> WordTiming:
        self._told = self._at
        return WordTiming(self._at, self._time)
