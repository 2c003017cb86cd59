"""How a tree ended: which of its actors came to an end, and which were given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .system import ActorSystem


@dataclass(frozen=True, slots=True)
class CloseReport:
    """How each actor of a tree ended."""

    room: str
    clean: tuple[str, ...]
    abandoned: dict[str, str]
    """Path -> what it was doing: the actor did not end within the deadline."""
    seconds: float


def of_blocked_loop(system: ActorSystem, room: str, seconds: float) -> CloseReport:
    """From any thread: the report of a tree whose loop did not answer in ``seconds``."""
    handling = system.handling
    where = "the actor loop is blocked" if handling is None else f"the actor loop is blocked by {handling.path}"
    return of_lost_loop(system, room, where, seconds)


def of_lost_loop(system: ActorSystem, room: str, why: str, seconds: float) -> CloseReport:
    """The report of a tree that could not end: all of its actors were left where they were."""
    tree = system.trees.get(room)
    return CloseReport(room, (), {} if tree is None else dict.fromkeys(list(tree.cells), why), seconds)
