"""Every promise holds in every order of every conversation of the catalogue: the short version of ``make explore``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sessionactors.testing import Scenario, explore
from sessionactors.testing.campaign import scenarios_of

from tests.exploration import catalogue

SCENARIOS = scenarios_of(catalogue)
SCHEDULES = 37
"""For each: 1,500 in all."""


def test_the_catalogue_is_large_enough() -> None:
    assert len(SCENARIOS) >= 30
    assert len(SCENARIOS) * SCHEDULES >= 1500


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_promise_holds_in_any_order(scenario: Callable[[], Scenario]) -> None:
    covered = explore(scenario, schedules=SCHEDULES)
    assert covered.runs == SCHEDULES
    assert len(covered.orders) > SCHEDULES // 4, "schedules that make no difference explore nothing"
