"""The moments of a script: what can be left out of it, to find what matters for what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionactors.runtime.witness import Witness

_SCRIPTED = ("_sayings", "_reports", "_acts", "_commands", "_calls", "_kills", "_replies", "_responses")
"""Lists of a scenario of which each entry is a moment."""


class Moments:
    """What a :class:`.Scenario` says of its own script."""

    left_out: tuple[int, ...] = ()
    """Numbers of the moments that were left out."""
    _observers: tuple[Callable[[str], Witness | None], ...] = ()

    def moments(self) -> int:
        """How many moments it has: what is said, typed, answered, called, killed."""
        return sum(len(getattr(self, name)) for name in _SCRIPTED)

    def leave_out(self, numbers: Collection[int]) -> None:
        """Script all but these moments, numbered from 0; the others keep their times."""
        gone, before = set(numbers), 0
        self.left_out = tuple(sorted(gone))
        for name in _SCRIPTED:
            entries = getattr(self, name)
            kept = [entry for number, entry in enumerate(entries, before) if number not in gone]
            before += len(entries)
            setattr(self, name, kept)

    def watch(self, make: Callable[[str], Witness | None]) -> None:
        """Let a witness see all that happens in the run; ``make`` is given the name of its room."""
        self._observers = (*self._observers, make)
