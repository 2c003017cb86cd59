"""Supervision as data: what is restarted when a child fails, how often, and when the failure goes up.

The strategies and the restart intensity are those of Erlang/OTP; backoff is exponential with seeded jitter. What these
values lead to is in ``failure``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from .clock import nanoseconds


class Strategy(Enum):
    """Who is restarted when one child fails."""

    ONE_FOR_ONE = "one_for_one"
    REST_FOR_ONE = "rest_for_one"
    """The failed child and those started after it."""
    ONE_FOR_ALL = "one_for_all"


class Restart(Enum):
    """Whether a child is restarted. One that ends on purpose stays ended: refs to it must not come back to life."""

    TRANSIENT = "transient"
    """Only after a failure."""
    TEMPORARY = "temporary"
    """Never, also when a sibling's failure took it down."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait before restart ``n`` (from 1): ``min(first * factor ** (n - 1), maximum)``, with jitter."""

    first: float = 0.0
    maximum: float = 1.0
    factor: float = 2.0
    jitter: float = 0.1
    """Share of the delay that is random, 0..1."""

    def delay(self, attempt: int, random: float) -> float:
        """Seconds before this attempt; ``random`` is 0..1."""
        base = min(self.first * self.factor ** (attempt - 1), self.maximum)
        return base * (1 - self.jitter + 2 * self.jitter * random)


@dataclass(frozen=True, slots=True)
class Supervision:
    """How an actor supervises its children."""

    strategy: Strategy = Strategy.ONE_FOR_ONE
    max_restarts: int = 3
    """More than this many restarts ``within`` seconds, and the supervisor gives up."""
    within: float = 5.0
    """Seconds; one sliding window for all children together."""
    backoff: Backoff = Backoff()


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How one child is treated."""

    restart: Restart = Restart.TRANSIENT
    keep_state: bool = False
    """Restart from the last committed state instead of ``initial()``."""
    significant: bool = False
    """When it ends by itself, its parent ends too."""
    max_restarts: int | None = None
    """Restarts this child may have in its whole life; None: only the supervisor's window counts."""


DEFAULT_CHILD = ChildSpec()


class RestartWindow:
    """The restarts a supervisor has granted in its sliding window."""

    __slots__ = ("_moments", "_within", "limit")

    def __init__(self, supervision: Supervision) -> None:
        self.limit = supervision.max_restarts
        self._within = nanoseconds(supervision.within)
        self._moments: deque[int] = deque()

    def grant(self, now: int) -> int:
        """Count a restart at ``now``: its number in the window, or 0 when there were too many."""
        while self._moments and self._moments[0] <= now - self._within:
            self._moments.popleft()
        if len(self._moments) >= self.limit:
            return 0
        self._moments.append(now)
        return len(self._moments)
