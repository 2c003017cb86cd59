"""How long and how much a room may: its lifetime, its silence, its tokens, its time on the actor loop. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from sessionactors.model.errors import OptionError

WhenOver: TypeAlias = Literal["close", "warn"]
"""What becomes of a room that is over a limit: it is closed, or told of, once for each limit."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So much, and what happens beyond.

    Raises:
        OptionError: not a positive number, or no such policy.
    """

    most: float
    when_over: WhenOver = "close"

    def __post_init__(self) -> None:
        if not self.most > 0:
            raise OptionError(f"a limit of a room must be > 0, got {self.most!r}")
        if self.when_over not in ("close", "warn"):
            raise OptionError(f'a limit closes or warns, got {self.when_over!r}: "close" or "warn"')


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLimits:
    """Limits of each room; a number stands for ``Limit(number)``, None for no limit.

    Memory is none of them: rooms share the process, which cannot tell whose it is.

    Raises:
        OptionError: a limit is not positive.
    """

    lifetime: Limit | float | None = None
    """Seconds from the opening of the room."""
    idle: Limit | float | None = None
    """Seconds in which nobody says, types or does anything."""
    tokens: Limit | float | None = None
    """Of all models, prompts and replies together."""
    handling: Limit | float | None = None
    """Seconds of the actor loop that the room's actors have used."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, int | float):
                object.__setattr__(self, one.name, Limit(value))

    @property
    def are_set(self) -> bool:
        """Whether there is any."""
        return any(getattr(self, one.name) is not None for one in fields(self))


@dataclass(frozen=True, slots=True)
class RoomUse:
    """What a room has used so far; the fields are those of :class:`RoomLimits`."""

    lifetime: float
    idle: float
    tokens: float
    handling: float


def exceeded(limits: RoomLimits, use: RoomUse) -> Iterator[tuple[str, float, Limit]]:
    """Which limits a room is over, by how much it has used; those that close it first."""
    over = [
        (one.name, getattr(use, one.name), limit)
        for one in fields(limits)
        if isinstance(limit := getattr(limits, one.name), Limit) and getattr(use, one.name) > limit.most
    ]
    return iter(sorted(over, key=lambda found: found[2].when_over != "close"))
