"""Run one scenario under many schedules, and look at the promises after each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sessionactors.session import diagram

from . import invariants
from .invariants import Broken
from .scenario import Scenario
from .scenario_run import Run
from .schedule import Schedule

DRAWN = 40
"""Messages in the diagram of a failure."""


class PromiseBroken(AssertionError):
    """Raised when a schedule breaks a promise: says which one, what broke, and which messages came last."""

    def __init__(self, schedule: Schedule | str, found: Sequence[Broken], run: Run) -> None:
        self.schedule = schedule
        self.broken = tuple(found)
        self.run = run
        more = "".join(f"\n  also {other}" for other in found[1:])
        drawn = [delivery for delivery in run.deliveries if type(delivery.message) not in diagram.MEDIA][-DRAWN:]
        again = schedule if isinstance(schedule, str) else f'scenario().play(Schedule.parse("{schedule}"))'
        super().__init__(
            f"{schedule} breaks {found[0]}{more}\n"
            f"again: {again}\n"
            f"the last {len(drawn)} messages:\n{diagram.mermaid(drawn, room=run.room)}"
        )


def explore(
    scenario: Callable[[], Scenario],
    *,
    schedules: int = 200,
    first: int = 1,
    check: Callable[[Run], Sequence[Broken]] = invariants.broken,
    expect: Callable[[Run], None] | None = None,
) -> None:
    """Run a scenario under so many schedules; virtual time, not from within a running loop.

    Args:
        scenario: makes a fresh one for each schedule.
        schedules: how many.
        first: the first seed; the others follow it.
        check: the promises that are looked at after each run.
        expect: assertions that must hold besides, in any order; what it raises is reported as a broken expectation.

    Raises:
        PromiseBroken: at the first schedule that breaks one.
    """
    for seed in range(first, first + schedules):
        schedule = Schedule.random(seed)
        run = scenario().play(schedule)
        found = list(check(run))
        if expect is not None and not found:
            try:
                expect(run)
            except AssertionError as error:
                raise PromiseBroken(schedule, [Broken("expectation", str(error))], run) from error
        if found:
            raise PromiseBroken(schedule, found, run)
