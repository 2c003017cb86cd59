"""The phrases of an intent table as a small pattern language, and the matching of words against it.

A phrase is words, ``{slot}`` for one of a slot's values, and ``[optional words]``::

    book a table for {number} at {time} [please]

The same parsed phrase gives the grammar of the recogniser (:mod:`.grammar`) and the matcher of the responder, so
what can be heard is what can be answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from .errors import IntentTableError

_TOKEN = re.compile(
    r"\{(?P<slot>[a-z][a-z0-9_]*)\}|(?P<bracket>[\[\]])|(?P<word>[^\s\[\]{}]+)|(?P<space>\s+)|(?P<bad>.)"
)
_SPOKEN_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*'?")
_TEXT_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)*")


@dataclass(frozen=True, slots=True)
class SlotRef:
    """A place in a phrase that one of the slot's values fills."""

    name: str


@dataclass(frozen=True, slots=True)
class Maybe:
    """Words that may be left out."""

    elements: tuple[Element, ...]


Element: TypeAlias = "str | SlotRef | Maybe"
Phrase: TypeAlias = tuple[Element, ...]

SlotValues: TypeAlias = Mapping[str, Sequence[tuple[str, ...]]]
"""The words of every value of every slot; within a slot the longest first."""


def split_words(text: str) -> list[str]:
    """The words of a text as the matcher compares them: lower case, no punctuation, apostrophes kept.

    >>> split_words("I'd like a table at 7:30, please!")
    ["i'd", 'like', 'a', 'table', 'at', '7', '30', 'please']
    """
    return _TEXT_WORD.findall(text.lower().replace("\u2019", "'"))


def is_spoken_word(word: str) -> bool:
    """Whether the word can be in a pronunciation dictionary: lower-case letters and apostrophes, no digits."""
    return _SPOKEN_WORD.fullmatch(word) is not None


def parse_phrase(text: str) -> Phrase:
    """Read a phrase.

    Raises:
        IntentTableError: if brackets do not pair, a word has capitals, digits or punctuation, a slot comes twice, or
            nothing would be left when all optional words are.
    """
    groups: list[list[Element]] = [[]]
    for found in _TOKEN.finditer(text):
        if slot := found["slot"]:
            groups[-1].append(SlotRef(slot))
        elif found["bracket"] == "[":
            groups.append([])
        elif found["bracket"] == "]":
            inner = groups.pop()
            if not groups or not inner:
                raise IntentTableError(f"phrase {text!r}: ']' without a '[' and words before it")
            groups[-1].append(Maybe(tuple(inner)))
        elif word := found["word"]:
            if not is_spoken_word(word):
                raise IntentTableError(
                    f"phrase {text!r}: {word!r} is not a spoken word; write lower-case letters, numbers as words"
                )
            groups[-1].append(word)
        elif found["bad"]:
            raise IntentTableError(f"phrase {text!r}: {found['bad']!r} is neither a word, a {{slot}} nor [optional]")
    if len(groups) != 1:
        raise IntentTableError(f"phrase {text!r}: '[' is never closed")
    phrase = tuple(groups[0])
    names = list(slot_names(phrase))
    if len(names) != len(set(names)):
        raise IntentTableError(f"phrase {text!r}: a slot may come once in a phrase; make a second slot for the second")
    if all(isinstance(element, Maybe) for element in phrase):
        raise IntentTableError(f"phrase {text!r}: at least one word must not be optional")
    return phrase


def slot_names(phrase: Phrase) -> Iterator[str]:
    """Names of the slots in a phrase, in order."""
    for element in phrase:
        match element:
            case SlotRef(name):
                yield name
            case Maybe(elements):
                yield from slot_names(elements)
            case str():
                pass


def phrase_words(phrase: Phrase) -> Iterator[str]:
    """The literal words of a phrase, optional ones too."""
    for element in phrase:
        match element:
            case str():
                yield element
            case Maybe(elements):
                yield from phrase_words(elements)
            case SlotRef():
                pass


@dataclass(frozen=True, slots=True)
class Span:
    """Where a phrase matched: words ``start`` (inclusive) to ``end`` (exclusive), and the words each slot took."""

    start: int
    end: int
    taken: Mapping[str, tuple[str, ...]]


@dataclass(slots=True)
class Walk:
    """One walk of phrases over a list of words. Remembers whether the words ran out inside a phrase."""

    words: Sequence[str]
    slots: SlotValues
    ran_out: bool = field(default=False, init=False)
    """True once more words could have continued a phrase: what was said may go on."""

    def spans(self, phrase: Phrase, start: int) -> Iterator[Span]:
        """Every way the phrase matches from word ``start``, longest values and optional words first."""
        for end, taken in self._ends(phrase, start):
            yield Span(start, end, dict(taken))

    def _ends(self, elements: Phrase, at: int) -> Iterator[tuple[int, tuple[tuple[str, tuple[str, ...]], ...]]]:
        if not elements:
            yield at, ()
            return
        head, rest = elements[0], elements[1:]
        match head:
            case Maybe(inner):
                yield from self._ends(inner + rest, at)
                yield from self._ends(rest, at)
            case SlotRef(name):
                for value in self.slots[name]:
                    if self._matches(value, at):
                        for end, taken in self._ends(rest, at + len(value)):
                            yield end, ((name, value), *taken)
            case str():
                if self._matches((head,), at):
                    yield from self._ends(rest, at + 1)

    def _matches(self, wanted: tuple[str, ...], at: int) -> bool:
        here = tuple(self.words[at : at + len(wanted)])
        if here == wanted:
            return True
        if here == wanted[: len(here)] and at + len(here) == len(self.words):
            self.ran_out = True
        return False
