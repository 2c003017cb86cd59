"""Where the words that an engine names are in the text it was given."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

_WORD: Final = re.compile(r"\S+")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")
_CLAUSE_END: Final = re.compile(r"(?<=[,;:])\s+")
_SPACE: Final = re.compile(r"\s+")
_FEWEST: Final = 20
"""Characters of the shortest part worth cutting off: not "Dr. "."""


class TextWords:
    """The space-separated words of a text: what a word timing can point to."""

    def __init__(self, text: str) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for word in _WORD.finditer(text):
            self._starts.append(word.start())
            self._ends.append(word.end())

    def end_of_word_at(self, index: int) -> int:
        """End (exclusive) of the word that contains the character, with its punctuation; of the one before a space."""
        at = bisect_right(self._starts, index) - 1
        return self._ends[at] if at >= 0 else 0


def split_long(text: str, most: int) -> list[str]:
    """Cut a text of more than ``most`` characters into parts that concatenate to it, so that the first is spoken soon.

    Cuts after the first sentence, else after the last clause that fits, else between words; never inside a word.
    """
    parts: list[str] = []
    while len(text) > most and (cut := _cut(text, most)) is not None:
        parts.append(text[:cut])
        text = text[cut:]
    return [*parts, text]


def _cut(text: str, most: int) -> int | None:
    for boundary, choose in ((_SENTENCE_END, min), (_CLAUSE_END, max), (_SPACE, max)):
        cuts = [found.end() for found in boundary.finditer(text)]
        if within := [cut for cut in cuts if _FEWEST <= cut <= most]:
            return choose(within)
    # One word longer than a part: take it whole.
    return next((found.end() for found in _SPACE.finditer(text, most) if found.end() < len(text)), None)
