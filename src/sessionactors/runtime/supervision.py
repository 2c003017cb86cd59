"""Supervision as data: what is restarted when a child fails, how often, and when the failure goes up.

The strategies and the restart intensity are those of Erlang/OTP; backoff is exponential with seeded jitter.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import structlog

from .clock import nanoseconds
from .errors import RestartsExhausted

if TYPE_CHECKING:
    from .cell import Cell

log = structlog.get_logger("sessionactors.runtime")


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


def on_failure(cell: Cell, error: BaseException) -> None:
    """Decide what becomes of a cell whose handler (or hook, or port) raised, and of its siblings."""
    parent = cell.parent
    if parent is None or parent.stopping:
        cell.begin_stop("failed", error)
        return
    spec = cell.spec
    if spec.restart is Restart.TEMPORARY:
        cell.begin_stop("failed", error)
        return
    supervision = parent.actor.supervision
    now = cell.system.clock.now()
    spent = spec.max_restarts is not None and cell.restarts >= spec.max_restarts
    number = 0 if spent else parent.restart_window().grant(now)
    if number == 0:
        _give_up(parent, cell, error)
        return
    delay = nanoseconds(supervision.backoff.delay(number, cell.tree.random.random()))
    for sibling in _affected(parent, cell, supervision.strategy):
        if sibling is not cell and sibling.spec.restart is Restart.TEMPORARY:
            sibling.begin_stop("sibling failed", None)
        else:
            sibling.restart(error, delay)


def on_ended(cell: Cell) -> None:
    """A cell has ended by itself: if it was significant, its parent ends too."""
    parent = cell.parent
    if parent is None or parent.stopping:
        return
    if cell.spec.significant:
        parent.begin_stop(f"significant child {cell.name} ended", None)


def _affected(parent: Cell, failed: Cell, strategy: Strategy) -> list[Cell]:
    children = list(parent.children.values())
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return [failed]
        case Strategy.REST_FOR_ONE:
            return children[children.index(failed) :]
        case Strategy.ONE_FOR_ALL:
            return children


def _give_up(parent: Cell, cell: Cell, error: BaseException) -> None:
    exhausted = RestartsExhausted(f"{cell.path} failed again after {cell.restarts} restart(s): {error!r}")
    exhausted.__cause__ = error
    log.error(
        "restarts_exhausted", room=cell.tree.name, actor=cell.path, message_id=0, restarts=cell.restarts, error=repr(error)
    )
    heard = parent.watches(cell)
    cell.begin_stop("failed", exhausted)
    if not heard:  # nobody upstairs handles the end of this child: the failure is the parent's own
        on_failure(parent, exhausted)
