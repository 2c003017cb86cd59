"""Which tools of many fit a few words of a model: strategies of search. Pure.

A strategy of your own has the three methods of :class:`SearchStrategy`; each may be a coroutine function.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from .tool import Tool, Toolset

NAME, DESCRIPTION, PARAMETERS = 3.0, 2.0, 1.0
"""What a word counts by where it is found."""

PLAIN_WORD = re.compile(r"([^\W_]+)[.,!?;:']*")
"""A word with the punctuation of a sentence behind it."""
TOLD_APART_BY_SIGNS = re.compile(r"[^\W_]+[+#]+")
"""``c++`` and ``c#`` are not ``c``."""


@dataclass
class SearchItem:
    """One tool that can be found."""

    source: Tool | Toolset
    """What is loaded when it is found: the tool, or the whole set that it is in."""
    name: str
    description: str
    """Empty if the tool has none."""
    parameters: dict[str, str] = field(default_factory=dict)
    """Their descriptions, by name."""
    index_data: object = field(default=None, repr=False)
    """Whatever the strategy keeps with it."""


class SearchStrategy(Protocol):
    """Finds tools. One strategy may serve several sets, if it keeps all it knows in the items."""

    def build_index(self, items: list[SearchItem]) -> Awaitable[None] | None:
        """These can be found from now on. Called before the first search, and when the tools have changed."""
        ...

    def search(
        self, query: str, items: list[SearchItem], max_results: int
    ) -> list[SearchItem] | Awaitable[list[SearchItem]]:
        """The items that fit best, the best first; none if nothing fits."""
        ...

    def cleanup(self) -> Awaitable[None] | None:
        """The set closes."""
        ...


class KeywordSearchStrategy:
    """Counts the words of the query that are found: 3 in the name, 2 in the description, 1 in the parameters.

    A word of the query may be a regular expression.
    """

    def build_index(self, items: list[SearchItem]) -> None:
        """Keep what is searched in lower case."""
        for item in items:
            item.index_data = tuple(text.lower() for text in (item.name, item.description, _told(item.parameters)))

    def search(self, query: str, items: list[SearchItem], max_results: int) -> list[SearchItem]:
        """The items with the most words."""
        patterns = [_pattern(word) for word in _keywords(query)]
        return _best(((self._score(item, patterns), item) for item in items), max_results)

    def cleanup(self) -> None:
        """Nothing is kept here."""

    def _score(self, item: SearchItem, patterns: Iterable[re.Pattern[str]]) -> float:
        texts = cast("tuple[str, str, str]", item.index_data)
        weighted = list(zip((NAME, DESCRIPTION, PARAMETERS), texts, strict=True))
        return sum(weight for pattern in patterns for weight, text in weighted if pattern.search(text))


@dataclass(frozen=True, slots=True)
class _Words:
    """Of one item, those of its name thrice and those of its description twice."""

    counts: Mapping[str, int]
    total: int


class BM25SearchStrategy:
    """Ranks by Okapi BM25: rare words count for more, long descriptions for less.

    Args:
        k1: how much a word that is there again adds, >= 0.
        b: how much the length of what a tool says of itself matters, from 0 to 1.
    """

    def __init__(self, *, k1: float = 1.5, b: float = 0.75) -> None:
        self._k1 = k1
        self._b = b

    def build_index(self, items: list[SearchItem]) -> None:
        """Count the words of each item."""
        for item in items:
            words = [
                *(_words(item.name) * int(NAME)),
                *(_words(item.description) * int(DESCRIPTION)),
                *_words(_told(item.parameters)),
            ]
            item.index_data = _Words(Counter(words), len(words))

    def search(self, query: str, items: list[SearchItem], max_results: int) -> list[SearchItem]:
        """The items whose words fit best."""
        indexed = [(item, cast("_Words", item.index_data)) for item in items]
        mean = sum(words.total for _, words in indexed) / len(indexed) if indexed else 0.0
        rarity: dict[str, float] = {}
        for word in _words(query):
            among = sum(word in words.counts for _, words in indexed)
            rarity[word] = math.log((len(indexed) - among + 0.5) / (among + 0.5) + 1.0)
        return _best(((self._score(words, rarity, mean), item) for item, words in indexed), max_results)

    def cleanup(self) -> None:
        """Nothing is kept here."""

    def _score(self, words: _Words, rarity: Mapping[str, float], mean: float) -> float:
        length = 1.0 - self._b + (self._b * words.total / mean if mean else self._b)
        return sum(
            weight * found * (self._k1 + 1.0) / (found + self._k1 * length)
            for word, weight in rarity.items()
            if (found := words.counts.get(word, 0))
        )


def _best(scored: Iterable[tuple[float, SearchItem]], most: int) -> list[SearchItem]:
    found = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])
    return [item for _, item in found[:most]]


def _told(parameters: Mapping[str, str]) -> str:
    return " ".join(f"{name} {description}" for name, description in parameters.items())


def _words(text: str) -> list[str]:
    """Words in lower case, those told apart by signs whole as well."""
    lower = text.lower()
    return re.findall(r"[^\W_]+", lower) + TOLD_APART_BY_SIGNS.findall(lower)


def _keywords(query: str) -> Sequence[str]:
    """Each word once: a plain one without the punctuation of a sentence, another one as it is."""
    words = query.lower().split()
    return list(dict.fromkeys(plain.group(1) if (plain := PLAIN_WORD.fullmatch(word)) else word for word in words))


def _pattern(word: str) -> re.Pattern[str]:
    if TOLD_APART_BY_SIGNS.fullmatch(word):  # `c++` is a regular expression, too: any `c`
        return re.compile(re.escape(word))
    try:
        return re.compile(word)
    except re.error:
        return re.compile(re.escape(word))
