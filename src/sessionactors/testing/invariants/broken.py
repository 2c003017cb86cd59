"""A promise that was not kept, and what a check is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from sessionactors.testing.scenario_run import Run


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that a run did not keep."""

    promise: str
    what: str
    at: int = 0
    """Id of the message at which it broke; 0: only the whole run shows it."""

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


Check: TypeAlias = Callable[[Run], Iterable[Broken]]
"""Looks at a finished run."""
