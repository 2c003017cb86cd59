"""Interruption or listening noise, by a list of words and the length of the voice. No model, no network.

What it is good for: short, unmistakable listening noises ("mm-hm", "yeah", "right") of people who say nothing else.
What it is not: it does not hear how something is said, so an angry "yeah, yeah" is a backchannel, and "no" is an
interruption unless it is in the list. Without words it goes by duration alone, which laughter and coughs mislead.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from sessionactors.interfaces.interruption_detector import InterruptionDetector, Overlap, OverlapVerdict
from sessionactors.model.errors import OptionError

BACKCHANNELS: Final = frozenset(
    {
        *("mm", "mmm", "mhm", "hm", "hmm", "mm-hm", "mm-hmm", "uh-huh", "uhuh", "huh", "ah", "aha", "oh", "ooh"),
        *("yeah", "yes", "yep", "yup", "ok", "okay", "right", "sure", "exactly", "true", "indeed", "really"),
        *("i see", "got it", "all right", "alright", "of course", "go on", "good", "great", "nice", "cool", "wow"),
    }
)
"""What people say to show that they listen, in lower case."""

_WORD = re.compile(r"[\w'-]+")


class WordListInterruptionDetector(InterruptionDetector):
    """Takes an overlap for a backchannel if all that is said is in a list, and short.

    Args:
        backchannels: words and phrases of up to three words, in lower case; the default ones are English.
        most_words: so many words at most are a backchannel, >= 1.
        longest: seconds > 0 of voice; one that is longer and has no words is taken for an interruption.

    Raises:
        OptionError: an argument is out of range.
    """

    label = "offline.WordListInterruptionDetector"

    def __init__(
        self, backchannels: Collection[str] = BACKCHANNELS, *, most_words: int = 4, longest: float = 1.5
    ) -> None:
        if most_words < 1:
            raise OptionError(f"most_words must be >= 1, got {most_words}")
        if longest <= 0:
            raise OptionError(f"longest must be > 0 seconds, got {longest}")
        self._backchannels = frozenset(phrase.lower() for phrase in backchannels)
        self._most_words = most_words
        self._longest = longest

    async def judge(self, overlap: Overlap) -> OverlapVerdict | None:
        """By the words if there are any; else by duration, once no words are to come."""
        words = _WORD.findall(overlap.transcript.lower())
        if words:
            return self._by_words(words)
        if overlap.duration > self._longest:
            return OverlapVerdict(is_interruption=True, probability=0.6)
        return OverlapVerdict(is_interruption=False, probability=0.4) if overlap.final else None

    def _by_words(self, words: list[str]) -> OverlapVerdict:
        rest = len(words)
        while rest:
            for length in (3, 2, 1):
                if length <= rest and " ".join(words[rest - length : rest]) in self._backchannels:
                    rest -= length
                    break
            else:
                return OverlapVerdict(is_interruption=True, probability=0.9)
        if len(words) > self._most_words:
            return OverlapVerdict(is_interruption=True, probability=0.7)
        return OverlapVerdict(is_interruption=False, probability=0.1)
