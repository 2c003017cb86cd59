"""A run with monitors on: at which message a promise broke, not only that it did."""

from __future__ import annotations

from sessionactors.monitors import Monitors, Violation

from .scenario import Scenario
from .scenario_run import Run
from .schedule import Schedule


def watched(scenario: Scenario, schedule: Schedule | int | None = None) -> tuple[Run, tuple[Violation, ...]]:
    """Play a scenario with monitors on; virtual time, not from within a running loop. The order is the same.

    Args:
        scenario: a fresh one.
        schedule: as for :meth:`.Scenario.play`.

    Returns:
        The run, and what broke while it went on, the first first.
    """
    monitors = Monitors()
    scenario._session_options["monitors"] = monitors
    run = scenario.play(schedule)
    return run, monitors.violations
