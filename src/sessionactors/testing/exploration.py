"""Run one scenario under many schedules, with and without faults, and look at the promises after each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, cast, get_args

from sessionactors.model.errors import OptionError
from sessionactors.monitors import Monitors, Violation

from . import faults as possible_faults
from .attempt import Attempt, Outcome, Trial
from .breach_report import led_to, report
from .choices import Choices
from .covered import Covered, Pairs, order_of
from .faults.fault import Fault
from .invariants import Broken
from .scenario import Scenario
from .scenario_run import Run
from .schedule import Schedule
from .shrinking import shrink

if TYPE_CHECKING:
    from sessionactors.runtime import Delivery

    from .faults.possible import Possible

Draw: TypeAlias = Literal["mixed", "random", "pct", "delay"]
"""How the schedules of an exploration are drawn; ``mixed``: each in turn."""
MakeT = TypeVar("MakeT", bound=Callable[[], Scenario])
_EXPECTATION = "__expectation__"


class PromiseBroken(AssertionError):
    """Raised when a schedule breaks a promise: says which one, what broke, and which messages led to it."""

    def __init__(
        self, outcome: Outcome, again: str, reasons: Sequence[str] = (), violation: Violation | None = None
    ) -> None:
        self.outcome = outcome
        self.schedule = outcome.attempt.schedule
        self.faults = outcome.attempt.faults
        self.broken = outcome.broken
        self.run = outcome.run
        self.violation = violation
        """The message at which it was seen first; None: monitors do not see it."""
        super().__init__(report(outcome, again=again, reasons=reasons, violation=violation))

    @property
    def led(self) -> list[Delivery]:
        """The messages that led to it."""
        run = self.run
        return [] if run is None else led_to(run, self.broken[0], self.violation)

    @classmethod
    def of(cls, run: Run, broken: Sequence[Broken], *, again: str) -> PromiseBroken:
        """Of a run that somebody else has made; ``again`` says how."""
        attempt = Attempt(run.schedule or Schedule(), run.struck)
        return cls(Outcome(attempt, run, tuple(broken), run.choices or Choices(attempt.schedule)), again)


def expecting(expect: Callable[[Run], None]) -> Callable[[MakeT], MakeT]:
    """Decorate what makes a scenario: assertions on its run that must hold in any order, besides the promises."""

    def decorate(make: MakeT) -> MakeT:
        setattr(make, _EXPECTATION, expect)
        return make

    return decorate


def explore(
    scenario: Callable[[], Scenario],
    *,
    schedules: int = 200,
    first: int = 1,
    strategy: Draw = "mixed",
    faults: int = 0,
    check: Callable[[Run], Sequence[Broken]] = possible_faults.broken,
    expect: Callable[[Run], None] | None = None,
    shrunk: bool = True,
    covered: Covered | None = None,
) -> Covered:
    """Run a scenario under so many schedules; virtual time, not from within a running loop.

    Args:
        scenario: makes a fresh one for each schedule.
        schedules: how many.
        first: the first seed; the others follow it.
        strategy: ``"mixed"``: random walks, priorities (``pct``) and delays in turn; or one of them.
        faults: how many faults strike in each run, drawn from all that are possible in it.
        check: the promises that are looked at after each run; those that can be kept under its faults unless given.
        expect: assertions that must hold besides, in any order and when no fault strikes; those of :func:`expecting`
            unless given. What it raises is reported as a broken expectation.
        shrunk: report the simplest schedule that breaks the promise, which takes up to half a minute.
        covered: add to these sums, with the (state, message) pairs, which are left out otherwise.

    Returns:
        What was covered.

    Raises:
        PromiseBroken: at the first schedule that breaks one.
        OptionError: there is no such strategy.
    """
    if strategy not in get_args(Draw):
        raise OptionError(f"{strategy!r} is no way to draw schedules; there are {', '.join(get_args(Draw))}")
    trial = Trial(scenario, check, expect or expectation_of(scenario))
    watched = covered is not None
    covered = Covered() if covered is None else covered
    expected, drawn_from = _measured(trial, faults)
    pairs = covered.pairs
    witness = (lambda _: Pairs(pairs)) if watched else None  # type: ignore[abstract]  # it needs one of many calls
    for seed in range(first, first + schedules):
        attempt = Attempt(schedule_of(seed, strategy, expected))
        if drawn_from is not None:
            attempt = replace(attempt, faults=drawn_from.draw(seed, faults))
        outcome = trial.play(attempt, witness=witness)
        covered.runs += 1
        if outcome.run is not None:
            covered.orders.add(order_of(outcome.run.deliveries))
            expected = max(1, len(outcome.choices.made))
        if outcome.broken:
            raise breach(trial, outcome, name_of(scenario), shrunk=shrunk)
    return covered


def expectation_of(scenario: Callable[[], Scenario]) -> Callable[[Run], None] | None:
    """What :func:`expecting` said of it."""
    return cast("Callable[[Run], None] | None", getattr(scenario, _EXPECTATION, None))


def schedule_of(seed: int, strategy: Draw, expected: int) -> Schedule:
    """The schedule that an exploration draws for a seed."""
    kind = ("random", "pct", "delay")[seed % 3] if strategy == "mixed" else strategy
    if kind == "pct":
        return Schedule.pct(seed, depth=2 + seed // 3 % 3, expected=expected)
    if kind == "delay":
        return Schedule.delayed(seed, delays=1 + seed // 3 % 4, expected=expected)
    return Schedule.random(seed)


def breach(trial: Trial, outcome: Outcome, name: str, *, shrunk: bool) -> PromiseBroken:
    """What is raised: simplest first, with the choices in words."""
    if shrunk:
        outcome = shrink(trial, outcome)
    if outcome.attempt.schedule.strategy == "fifo":
        said = trial.play(outcome.attempt, explain=_who)
        if said.breaks(outcome.broken[0].promise):
            outcome = said
    again = f"sessionactors explore {name} {outcome.attempt.options()}"
    if ":" not in name:
        again = f'scenario().play(Schedule.parse("{outcome.attempt.schedule}"))'
    return PromiseBroken(outcome, again, outcome.choices.reasons, _first_seen(trial, outcome))


def _first_seen(trial: Trial, outcome: Outcome) -> Violation | None:
    """Run it once more, with monitors on: the checks of a finished run know that a promise broke, not at what."""
    if outcome.run is None:
        return None
    monitors = Monitors()
    trial.play(outcome.attempt, monitors=monitors)
    return next((seen for seen in monitors.violations if seen.promise == outcome.broken[0].promise), None)


def name_of(scenario: Callable[[], Scenario]) -> str:
    """How the command line finds it: ``module:function``; what it does not find has no colon."""
    name = getattr(scenario, "__qualname__", "scenario")
    return f"{scenario.__module__}:{name}" if name.isidentifier() else name


def _measured(trial: Trial, faults: int) -> tuple[int, Possible | None]:
    """By a run as in production: what can go wrong in it, if that is wanted. How long it is, later runs tell."""
    if not faults:
        return 1000, None

    def counted() -> Scenario:
        scenario = trial.scenario()
        scenario.inject()
        return scenario

    outcome = replace(trial, scenario=counted).play(Attempt())
    if outcome.run is None:
        raise AssertionError(f"the scenario fails without any fault: {outcome.broken[0]}")
    return len(outcome.choices.made), possible_faults.possible(outcome.run)


def _who(key: Hashable) -> str:
    """A key of the choices, for people."""
    if isinstance(key, str):
        return key.removeprefix("scenario/")
    name = getattr(key, "get_name", None)
    if name is not None:
        return f"task {name()}"
    handle = getattr(key, "handle", None)
    return f"timer {getattr(handle, '_callback', key)!r}"


__all__ = ["Draw", "Fault", "PromiseBroken", "expecting", "explore"]
