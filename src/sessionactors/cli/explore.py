"""``sessionactors explore``: scenarios in many orders, or one of them in exactly one order."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast, get_args

from sessionactors.model.errors import OptionError
from sessionactors.testing.attempt import Attempt, Trial
from sessionactors.testing.campaign import Explored, NoScenario, explore_all, scenario_named, scenarios_of
from sessionactors.testing.covered import Covered
from sessionactors.testing.exploration import Draw, breach, expectation_of
from sessionactors.testing.faults import broken, parse
from sessionactors.testing.schedule import Schedule

from .loading import load_module

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    target: str
    """``MODULE`` or ``MODULE:NAME``."""
    schedules: int
    first: int
    strategy: Draw
    faults: int
    jobs: int


def explore_many(wanted: Wanted, say: Say, *, as_json: bool) -> bool:
    """Explore; False if a promise was broken.

    Raises:
        OptionError: there is no such module, or nothing to explore in it.
    """
    if wanted.schedules < 1 or wanted.jobs < 1 or wanted.faults < 0 or wanted.first < 0:
        raise OptionError("--schedules and --jobs must be at least 1, --first and --faults at least 0")
    module_name, name = _parts(wanted.target)
    module = load_module(module_name)
    names = [name] if name else list(scenarios_of(module))
    if name:
        scenario_named(module, name)
    if not names:
        raise NoScenario(f"{module_name} has no scenarios: write functions that take nothing and return a Scenario")
    total, kept = Covered(), True
    explored = explore_all(
        module_name,
        names,
        load_module,
        schedules=wanted.schedules,
        first=wanted.first,
        strategy=wanted.strategy,
        faults=wanted.faults,
        jobs=wanted.jobs,
    )
    for done in explored:
        total.add(done.covered)
        kept = kept and not done.broken
        say(_as_json(done) if as_json else _as_text(done))
    if not as_json:
        say(f"{len(names)} scenarios: {total}")
    return kept


def explore_one(target: str, attempt: Attempt, say: Say) -> bool:
    """Run one scenario in exactly one order; False if it breaks a promise.

    Raises:
        OptionError: there is no such scenario.
    """
    module_name, name = _parts(target)
    if not name:
        raise OptionError(f"--schedule and --fault are about one scenario: give its name, as in {target}:NAME")
    scenario = scenario_named(load_module(module_name), name)
    trial = Trial(scenario, broken, expectation_of(scenario))
    outcome = trial.play(attempt)
    if outcome.broken:
        say(str(breach(trial, outcome, target, shrunk=False)))
        return False
    for note in outcome.choices.notes:
        say(f"note: {note}")
    say(f"{name} keeps every promise in {len(outcome.choices.made)} choices by {attempt.schedule}")
    return True


def attempt_of(schedule: str | None, faults: Sequence[str], leave_out: str) -> Attempt:
    """From the options of the command line.

    Raises:
        OptionError: one of them is not understood.
    """
    numbers = [number.strip() for number in leave_out.split(",") if number.strip()]
    if not all(number.isdecimal() for number in numbers):
        raise OptionError(f"--leave-out takes numbers of moments, such as 2,5, got {leave_out!r}")
    return Attempt(
        Schedule.parse(schedule or "fifo"), tuple(parse(fault) for fault in faults), tuple(map(int, numbers))
    )


def draw_of(strategy: str) -> Draw:
    """The strategy of this name.

    Raises:
        OptionError: there is none.
    """
    if strategy not in get_args(Draw):
        raise OptionError(f"--strategy {strategy}: there is no such one; there are {', '.join(get_args(Draw))}")
    return cast("Draw", strategy)


def _parts(target: str) -> tuple[str, str]:
    module, colon, name = target.rpartition(":")
    if not colon or "/" in name or "\\" in name:  # a drive letter is no module
        return target, ""
    return module, name


def _as_text(done: Explored) -> str:
    kept = "ok" if not done.broken else "BROKEN"
    line = f"{done.name:40} {done.covered}  {done.seconds:.1f} s  {kept}"
    return "\n".join((line, *done.broken))


def _as_json(done: Explored) -> str:
    return json.dumps(
        {
            "scenario": done.name,
            "schedules": done.covered.runs,
            "orders": len(done.covered.orders),
            "pairs": len(done.covered.pairs),
            "seconds": round(done.seconds, 3),
            "broken": list(done.broken),
        }
    )
