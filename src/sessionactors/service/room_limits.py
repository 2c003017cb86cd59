"""How long and how much a room may: its lifetime, silence, tokens, time on the actor loop, memory. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Final, Literal, TypeAlias

from sessionactors.model.errors import OptionError

WhenOver: TypeAlias = Literal["warn", "close", "kill"]
"""What becomes of a room that is over a limit. Its session is told in each case, once, by an ``error`` event.

``warn``: nothing else. ``close``: what is being said is heard, then the farewell, then it is closed. ``kill``: it is
ended now, whatever it does; a handler or callback that blocks its loop is still waited for, as nobody can take a loop
away.
"""


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
        if self.when_over not in ("warn", "close", "kill"):
            raise OptionError(f'a limit warns, closes or kills, got {self.when_over!r}: "warn", "close" or "kill"')


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLimits:
    """Limits of each room; a number stands for ``Limit(number)``, None for no limit.

    Looked at once a second, memory every five. What a room used before it was restarted counts.

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
    memory: Limit | float | None = None
    """Bytes that the room's conversation holds: see :func:`.held_memory` for what is counted, and what cannot be."""

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
    memory: float = 0.0
    """As of the last time it was measured; 0.0 if nobody asked."""


def exceeded(limits: RoomLimits, use: RoomUse) -> Iterator[tuple[str, float, Limit]]:
    """Which limits a room is over, by how much it has used; the harshest first."""
    over = [
        (one.name, getattr(use, one.name), limit)
        for one in fields(limits)
        if isinstance(limit := getattr(limits, one.name), Limit) and getattr(use, one.name) > limit.most
    ]
    return iter(sorted(over, key=lambda found: _HARSHEST.index(found[2].when_over)))


_HARSHEST: Final = ("kill", "close", "warn")
