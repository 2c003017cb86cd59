"""The words that a recogniser should expect: those that were given, and those that a model is sure of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sessionactors.messages.keyterms import KeytermsSearched
from sessionactors.runtime.frozen import replace

PENDING_FOR = 3
"""Searches in which a word that is not sure must be confirmed; then it is forgotten."""


@dataclass(frozen=True, slots=True)
class KeytermList:
    """The words, and those in doubt."""

    given: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    """The oldest first."""
    pending: Mapping[str, int] = field(default_factory=dict)
    """Words in doubt, with the search that saw them first."""
    searches: int = 0

    @property
    def terms(self) -> tuple[str, ...]:
        """All that are to be expected, each once."""
        return tuple(dict.fromkeys((*self.given, *self.found)))

    def searched(self, result: KeytermsSearched, most: int | None) -> KeytermList:
        """After a search: what it is sure of is expected, what it doubts is remembered for a while.

        Args:
            result: what the model says.
            most: words found that are kept, the newest.
        """
        number = self.searches + 1
        gone = set(result.remove)
        confirmed = [term for term in result.confirm if term not in self.given]
        found = [term for term in dict.fromkeys((*self.found, *confirmed)) if term not in gone]
        pending = dict.fromkeys(result.pending, number) | dict(self.pending)
        return replace(
            self,
            found=tuple(found if most is None else found[len(found) - min(most, len(found)) :]),
            pending={
                term: since
                for term, since in pending.items()
                if term not in gone and term not in found and term not in self.given and number - since < PENDING_FOR
            },
            searches=number,
        )
