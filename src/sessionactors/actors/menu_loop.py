"""Whether a voice says the same again and again, as a telephone menu does. Pure.

Each utterance is compared with those before it by the words that tell them apart (tf-idf, cosine). One that is nearly
the same as an earlier one counts; so many in a row are a loop. Window, similarity and count are LiveKit's.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

from sessionactors.runtime.frozen import replace

WINDOW = 20
"""Utterances that are remembered."""
SIMILAR = 0.85
"""Cosine above which two are the same, 0 to 1."""
IN_A_ROW = 3
"""Repetitions in a row that are a loop."""

_WORD = re.compile(r"\b\w\w+\b")


@dataclass(frozen=True, slots=True)
class MenuLoop:
    """What was heard, and how often it was nothing new."""

    utterances: tuple[str, ...] = ()
    repeated: int = 0
    """Utterances in a row that were nothing new."""

    @property
    def found(self) -> bool:
        """Whether it goes in circles."""
        return self.repeated >= IN_A_ROW

    def heard(self, utterance: str) -> MenuLoop:
        """With another utterance."""
        known = (*self.utterances, utterance)[-WINDOW:]
        if not any(_WORD.search(other.lower()) for other in known):
            return replace(self, utterances=known)
        again = len(known) > 1 and max(similarities(known)) > SIMILAR
        return MenuLoop(known, self.repeated + 1 if again else 0)


def similarities(utterances: tuple[str, ...]) -> list[float]:
    """How similar the last one is to each of those before it, 0 to 1."""
    counts = [Counter(_WORD.findall(text.lower())) for text in utterances]
    spread = Counter(word for words in counts for word in words)
    weight = {word: math.log((1 + len(counts)) / (1 + many)) + 1 for word, many in spread.items()}
    *before, last = [{word: count * weight[word] for word, count in words.items()} for words in counts]
    return [_cosine(other, last) for other in before]


def _cosine(one: dict[str, float], other: dict[str, float]) -> float:
    lengths = math.hypot(*one.values()) * math.hypot(*other.values())
    return sum(value * other.get(word, 0.0) for word, value in one.items()) / lengths if lengths else 0.0
