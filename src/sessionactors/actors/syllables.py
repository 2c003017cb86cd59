"""How long words take to say: counted in syllables. Pure; tested as a table.

The rule is for English and near enough for languages written with vowels: a syllable for each group of vowels, none for
a silent ``e`` at the end. What has no letters that can be counted (a number, another script) counts by its length.
"""

from __future__ import annotations

import re

SYLLABLES_PER_SECOND = 3.83
"""Of a voice that does not say when each word is spoken: the rate of LiveKit's synchroniser."""
CHARACTERS_PER_SYLLABLE = 3
"""Of what has no vowels."""

_WORD = re.compile(r"\S+")
_LETTERS = re.compile(r"[a-z]+")
_VOWELS = re.compile(r"[aeiouy]+")


def syllables(word: str) -> int:
    """How many syllables a word has; 0 for punctuation alone, at least 1 otherwise."""
    spoken = "".join(character for character in word if character.isalnum())
    if not spoken:
        return 0
    letters = "".join(_LETTERS.findall(spoken.lower()))
    if len(letters) < len(spoken):
        return max(1, -(-len(spoken) // CHARACTERS_PER_SYLLABLE))
    groups = len(_VOWELS.findall(letters))
    if groups > 1 and letters.endswith("e") and not letters.endswith(("le", "ee")):
        groups -= 1
    return max(1, groups)


def spoken_within(text: str, count: float) -> int:
    """Where in a text the last whole word ends that is spoken within so many syllables."""
    end, said = 0, 0
    for word in _WORD.finditer(text):
        said += syllables(word[0])
        if said > count:
            break
        end = word.end()
    return end


def count_of(text: str) -> int:
    """Syllables of a text."""
    return sum(syllables(word[0]) for word in _WORD.finditer(text))
