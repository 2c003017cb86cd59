"""Time for actors: monotonic nanoseconds, and a wall clock that cannot jump.

A loop that offers ``time_ns()`` (the virtual loop of ``sessionactors.testing``) is its own clock; others run on
``time.monotonic_ns``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

NS = 1_000_000_000


def seconds(nanoseconds: int) -> float:
    """Nanoseconds as seconds."""
    return nanoseconds / NS


def nanoseconds(seconds: float) -> int:
    """Seconds as nanoseconds, rounded."""
    return round(seconds * NS)


class Clock:
    """The clock of one actor system."""

    __slots__ = ("_monotonic_origin", "_wall_origin", "now")

    now: Callable[[], int]
    """Monotonic time in nanoseconds; only differences mean anything."""

    def __init__(self, now: Callable[[], int] = time.monotonic_ns, wall_origin: float | None = None) -> None:
        self.now = now
        self._monotonic_origin = now()
        self._wall_origin = time.time() if wall_origin is None else wall_origin

    @property
    def origin(self) -> int:
        """Monotonic time at which the wall clock was looked at."""
        return self._monotonic_origin

    def set_origin(self, at: int, wall: float) -> None:
        """For a replay: the wall clock was ``wall`` seconds since the epoch at the monotonic time ``at``."""
        self._monotonic_origin, self._wall_origin = at, wall

    @classmethod
    def for_loop(cls, loop: asyncio.AbstractEventLoop) -> Clock:
        """The clock that belongs to a loop."""
        virtual: Callable[[], int] | None = getattr(loop, "time_ns", None)
        if virtual is None:
            return cls()
        return cls(virtual, wall_origin=getattr(loop, "wall_origin", 0.0))

    def wall(self, at: int | None = None) -> float:
        """Seconds since the epoch at a monotonic instant (default: now).

        Follows the monotonic clock from the start of the system, so a clock step never moves a turn.
        """
        instant = self.now() if at is None else at
        return self._wall_origin + (instant - self._monotonic_origin) / NS
