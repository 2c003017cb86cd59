"""How many words a text has, in scripts with and without spaces between words. Pure."""

from __future__ import annotations

import re
from typing import Final

_UNSPACED: Final = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
"""Thai, kana and ideographs: nothing tells where a word ends, so each character counts as one, as in LiveKit."""


def word_count(*texts: str) -> int:
    """Words in all the texts. Punctuation by itself is none."""
    return sum(_words(text) for text in texts)


def _words(text: str) -> int:
    return sum(1 for word in _UNSPACED.sub(r" \g<0> ", text).split() if any(char.isalnum() for char in word))
