"""From an order that breaks a promise to the simplest one that still does.

First the fewest preemptions: of all the choices in which the failing run did not take what was next, those that matter
(Zeller's ddmin). Then the fewest faults, then the shortest script. Each step is tried by running; nothing is guessed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from .attempt import Attempt, Outcome, Trial
from .schedule import Schedule

T = TypeVar("T")

MOST_RUNS = 400
"""Runs that shrinking may take."""
MOST_SECONDS = 30.0
"""Real seconds that it may take."""
OTHER_ORDERS = 3
"""Random orders in which a shorter script is tried, besides those known to fail."""


def shrink(trial: Trial, failed: Outcome, *, runs: int = MOST_RUNS, seconds: float = MOST_SECONDS) -> Outcome:
    """The simplest attempt found that breaks the same promise.

    Args:
        trial: what is tried.
        failed: breaks a promise.
        runs: after so many it is content with what has been found.
        seconds: and after so many real ones.
    """
    return _Shrinking(trial, failed, runs, seconds).best()


class _Shrinking:
    def __init__(self, trial: Trial, failed: Outcome, runs: int, seconds: float) -> None:
        self._trial = trial
        self._failed = failed
        self._promise = failed.broken[0].promise
        self._best = failed
        self._runs = runs
        self._until = time.monotonic() + seconds

    def best(self) -> Outcome:
        self._fewest_preemptions()
        self._fewest_faults()
        if self._promise != "expectation":  # that is about the whole script
            self._shortest_script()
        return self._best

    def _tired(self) -> bool:
        return self._runs <= 0 or time.monotonic() > self._until

    def _fails(self, attempt: Attempt) -> bool:
        """Whether it breaks the same promise; if so it is the best one by now."""
        if self._tired():
            return False
        self._runs -= 1
        outcome = self._trial.play(attempt)
        if not outcome.breaks(self._promise):
            return False
        self._best = outcome
        return True

    # -- preemptions -------------------------------------------------------------------------------------------------

    def _fewest_preemptions(self) -> None:
        base = self._best.attempt
        picks = self._best.choices.deviations
        if not picks or self._fails(replace(base, schedule=base.schedule.with_picks({}))):
            return
        if not self._fails(replace(base, schedule=base.schedule.with_picks(picks))):
            return  # not the order alone: the exact one does not do it again

        def fails(some: Sequence[tuple[int, int]]) -> bool:
            return self._fails(replace(base, schedule=base.schedule.with_picks(dict(some))))

        least = self._fewest(list(picks.items()), fails)
        self._smaller_picks(base, dict(least))

    def _smaller_picks(self, base: Attempt, picks: Mapping[int, int]) -> None:
        """The second instead of the fifth, where that is enough."""
        for choice, pick in picks.items():
            now = dict(self._best.attempt.schedule.picks)
            if pick > 1 and choice in now:
                self._fails(replace(base, schedule=base.schedule.with_picks({**now, choice: 1})))

    @staticmethod
    def _fewest(items: list[T], fails: object) -> list[T]:
        """Delta debugging: a subset that fails, of which no single one can be left out."""
        parts = 2
        while len(items) >= 2:
            size = max(1, len(items) // parts)
            chunks = [items[start : start + size] for start in range(0, len(items), size)]
            for number, chunk in enumerate(chunks):
                rest = [item for other, part in enumerate(chunks) if other != number for item in part]
                if parts == 2 and fails(chunk):  # type: ignore[operator]
                    items, parts = chunk, 2
                    break
                if fails(rest):  # type: ignore[operator]
                    items, parts = rest, max(2, parts - 1)
                    break
            else:
                if size == 1:
                    break
                parts = min(len(items), parts * 2)
        return items

    # -- faults and script -------------------------------------------------------------------------------------------

    def _fewest_faults(self) -> None:
        for fault in self._best.attempt.faults:
            left = tuple(other for other in self._best.attempt.faults if other is not fault)
            self._fails(replace(self._best.attempt, faults=left))

    def _shortest_script(self) -> None:
        for moment in reversed(range(self._trial.scenario().moments())):
            best = self._best.attempt
            without = replace(best, left_out=tuple(sorted((*best.left_out, moment))))
            if self._fails(without):
                continue
            seeds = range(1, OTHER_ORDERS + 1) if best.schedule.picks else ()
            orders = [self._failed.attempt.schedule, *map(Schedule.random, seeds)]
            if any(self._fails(replace(without, schedule=order)) for order in orders):
                self._fewest_preemptions()
                if len(self._best.attempt.schedule.picks) > len(best.schedule.picks) + 1:
                    self._restore(best)

    def _restore(self, attempt: Attempt) -> None:
        """A shorter script that takes a longer explanation is no gain."""
        self._fails(attempt)
