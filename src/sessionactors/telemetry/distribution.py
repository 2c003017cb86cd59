"""How measured times are distributed: counts by bound for exporters, and the last ones for percentiles on a screen."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import ceil
from typing import Final

SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Bounds for what a caller notices."""
RECENT: Final = 512
"""Measurements of which percentiles are taken."""


class Distribution:
    """Measurements of one kind.

    Args:
        bounds: ascending; what is above the last is counted too.
    """

    __slots__ = ("bounds", "counts", "recent", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """Measurements up to each bound, and above the one before it."""
        self.total = 0.0
        self.recent: deque[float] = deque(maxlen=RECENT)

    def add(self, value: float) -> None:
        """Count a measurement."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
        self.recent.append(value)

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def cumulative(self) -> list[tuple[str, float]]:
        """As Prometheus counts: up to each bound all that is not above it, and last ``+Inf``."""
        names = [*map(str, self.bounds), "+Inf"]
        return [(name, float(upto)) for name, upto in zip(names, accumulate(self.counts), strict=True)]

    def percentile(self, share: float) -> float | None:
        """The smallest of the last :data:`RECENT` that this share of them does not exceed; None: there are none.

        Args:
            share: 0..1, such as 0.95.
        """
        return percentile(self.recent, share)


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that this share of all does not exceed (nearest rank); None: there are none."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None
