"""Whether there is room for one more job, and what the server is told about it. Pure, and exact: promise P19."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

Refusal: TypeAlias = Literal["draining", "full", "load"]
"""Why a job is not taken."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What limits a worker."""

    max_sessions: int
    """Jobs at once, those that were accepted and have not come yet included."""
    load_threshold: float = math.inf
    """Load from which on nothing is taken; only where a ``load_fnc`` measures it."""
    measures: bool = False
    """There is a ``load_fnc``."""


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What a worker has in hand."""

    running: int
    reserved: int
    """Jobs that were offered and not refused, and do not run yet."""
    load: float
    """What ``load_fnc`` said last."""
    draining: bool

    @property
    def taken(self) -> int:
        """Slots that are not free."""
        return self.running + self.reserved


def refusal(capacity: Capacity, now: Occupancy) -> Refusal | None:
    """Why one more job would be refused; None if it would not."""
    if now.draining:
        return "draining"
    if now.taken >= capacity.max_sessions:
        return "full"
    if capacity.measures and expected_load(capacity, now) >= capacity.load_threshold:
        return "load"
    return None


def expected_load(capacity: Capacity, now: Occupancy) -> float:
    """The load when all that was accepted runs: what was measured, and for each reserved slot what a job takes.

    What a job takes is the average of those that run; while none does, an even share of the threshold.
    """
    if not now.reserved:
        return now.load
    if now.running:
        share = now.load / now.running
    elif math.isinf(capacity.load_threshold):
        share = 0.0
    else:
        share = capacity.load_threshold / capacity.max_sessions
    return now.load + now.reserved * share


def told_load(capacity: Capacity, now: Occupancy) -> float:
    """The load that the server is told, by which it chooses among workers: as measured, or the share of slots taken."""
    return now.load if capacity.measures else now.taken / capacity.max_sessions


RETRY_STEP = 2.0
LONGEST_RETRY_DELAY = 10.0


def retry_delay(failures: int) -> float:
    """Seconds before the next attempt to connect, after ``failures`` (from 0) failed ones before the last."""
    return min(failures * RETRY_STEP, LONGEST_RETRY_DELAY)
