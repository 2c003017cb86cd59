"""What a voice is given of a text: without markdown markers and emoji, and with the way back to the text. Pure.

Transforms only leave characters out, so the way back is a list of kept stretches. Word timings of a voice refer to what
it was given; history and transcript need the place in the original (promise P2).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sessionactors.model.options import NamedTransform


@dataclass(frozen=True, slots=True)
class KeptStretch:
    """Characters that the voice is given, and where they are in the original."""

    spoken: int
    """Index of the first one in the spoken text."""
    original: int
    """Index of the same one in the original."""
    length: int


@dataclass(frozen=True, slots=True)
class SpokenText:
    """What a voice is given of an original text."""

    text: str
    stretches: tuple[KeptStretch, ...]
    original_length: int

    def original_end(self, spoken_end: int) -> int:
        """How much of the original has been said when ``spoken_end`` characters of the spoken text have been.

        A closing marker left out right after a word belongs to the word, an opening one after a space to the next.
        """
        if spoken_end <= 0:
            return 0
        if spoken_end >= len(self.text):
            return self.original_length
        index = bisect_right(self.stretches, spoken_end - 1, key=lambda stretch: stretch.spoken) - 1
        stretch = self.stretches[index]
        end = stretch.original + spoken_end - stretch.spoken
        if spoken_end == stretch.spoken + stretch.length and not self.text[spoken_end - 1].isspace():
            return self.stretches[index + 1].original
        return end


def spoken_text(original: str, before: str, transforms: Iterable[NamedTransform]) -> SpokenText:
    """Leave out what a voice should not say.

    Args:
        original: a piece of text that ends at white space, or at the end of the text.
        before: the text before the piece; its last character is enough.
        transforms: what to leave out.
    """
    dropped = bytearray(len(original))
    for transform in transforms:
        for start, end in _DROPPERS[transform](original, before):
            dropped[start:end] = b"\1" * (end - start)
    return _kept(original, dropped)


def _kept(original: str, dropped: bytearray) -> SpokenText:
    stretches: list[KeptStretch] = []
    spoken = index = 0
    while index < len(original):
        if dropped[index]:
            index += 1
            continue
        end = dropped.find(b"\1", index)
        end = len(original) if end < 0 else end
        stretches.append(KeptStretch(spoken, index, end - index))
        spoken += end - index
        index = end
    text = "".join(original[stretch.original : stretch.original + stretch.length] for stretch in stretches)
    return SpokenText(text, tuple(stretches), len(original))


_LINE_MARKS = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+|```[^\n]*$|(?:[-*_][ \t]*){3,}$)", re.MULTILINE)
_IMAGE_OR_LINK = re.compile(r"(!?\[)([^\[\]\n]*)(\]\([^()\s]*\))")
_EMPHASIS = re.compile(r"\*{1,3}|_{1,3}|~~")


def _markdown(text: str, before: str) -> Iterator[tuple[int, int]]:
    line_start = not before or before.endswith("\n")
    for mark in _LINE_MARKS.finditer(text):
        if mark.start() > 0 or line_start:
            yield mark.span()
    for link in _IMAGE_OR_LINK.finditer(text):
        yield link.span(1)
        yield link.span(3)
    for mark in _EMPHASIS.finditer(text):
        if _is_marker(mark.group(), text[mark.start() - 1 : mark.start()] or before[-1:], text[mark.end() :][:1]):
            yield mark.span()
    for index, character in enumerate(text):
        if character == "`":
            yield index, index + 1


def _is_marker(mark: str, left: str, right: str) -> bool:
    """Whether asterisks or underscores emphasise: they touch a word, and are neither a product nor part of a name."""
    touches = bool(left.strip() or right.strip())
    inside_word = left.isalnum() and right.isalnum()
    return touches and not (inside_word and (mark[0] == "_" or len(mark) == 1))


def _emoji(text: str, before: str) -> Iterator[tuple[int, int]]:
    after_emoji = False
    for index, character in enumerate(text):
        is_part = _is_emoji(character) or character in _PRESENTATION or (character == _JOINER and after_emoji)
        if is_part:
            yield index, index + 1
        after_emoji = is_part


_JOINER = "\N{ZERO WIDTH JOINER}"
"""Joins emoji; in some scripts it joins letters, where it stays."""
_PRESENTATION = "\N{VARIATION SELECTOR-16}\N{COMBINING ENCLOSING KEYCAP}"
_EMOJI_BLOCKS = ((0x1F000, 0x1FAFF), (0x2600, 0x27BF), (0x2B00, 0x2BFF), (0xE0020, 0xE007F))


def _is_emoji(character: str) -> bool:
    code = ord(character)
    return code >= _EMOJI_BLOCKS[1][0] and any(first <= code <= last for first, last in _EMOJI_BLOCKS)


_Dropper: TypeAlias = Callable[[str, str], Iterator[tuple[int, int]]]

_DROPPERS: Mapping[NamedTransform, _Dropper] = {"filter_markdown": _markdown, "filter_emoji": _emoji}
