"""One attempt of an exploration: a schedule, faults, what of the script is left out; and what came of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from .choices import Choices
from .faults.fault import Fault
from .invariants import Broken
from .schedule import Schedule

if TYPE_CHECKING:
    from sessionactors.monitors import Monitors
    from sessionactors.runtime.witness import Witness

    from .scenario import Scenario
    from .scenario_run import Run

MakeScenario: TypeAlias = "Callable[[], Scenario]"
"""Makes a fresh scenario: an agent that remembers would not be the same agent again."""
RAISED = "no exception"
"""What is broken when a run ends with an exception that no promise is about."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a run of a scenario is given; the same again is the same run."""

    schedule: Schedule = field(default_factory=Schedule)
    faults: tuple[Fault, ...] = ()
    left_out: tuple[int, ...] = ()
    """Moments of the script, by number."""

    def options(self) -> str:
        """As ``sessionactors explore`` takes it."""
        options = [f"--schedule {self.schedule}", *(f'--fault "{fault}"' for fault in self.faults)]
        if self.left_out:
            options.append(f"--leave-out {','.join(map(str, self.left_out))}")
        return " ".join(options)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went."""

    attempt: Attempt
    run: Run | None
    """None: it ended with an exception."""
    broken: tuple[Broken, ...]
    choices: Choices

    def breaks(self, promise: str) -> bool:
        """Whether this promise is broken."""
        return any(found.promise == promise for found in self.broken)


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried again and again.

    Args:
        scenario: makes a fresh one for each run.
        check: the promises.
        expect: assertions that must hold besides, when no fault strikes; what it raises is a broken expectation.
    """

    scenario: MakeScenario
    check: Callable[[Run], Sequence[Broken]]
    expect: Callable[[Run], None] | None = None

    def play(
        self,
        attempt: Attempt,
        *,
        witness: Callable[[str], Witness | None] | None = None,
        explain: Callable[[Hashable], str] | None = None,
        monitors: Monitors | None = None,
    ) -> Outcome:
        """Run it once, in virtual time.

        Args:
            attempt: schedule, faults, and what is left out.
            witness: sees each message.
            explain: says who is who, for :attr:`.Choices.reasons`.
            monitors: look at the promises after each message, instead of the scenario's own.
        """
        choices = Choices(attempt.schedule)
        choices.explain = explain
        scenario = self.scenario()
        if attempt.left_out:
            scenario.leave_out(attempt.left_out)
        if attempt.faults:
            scenario.inject(*attempt.faults)
        if witness is not None:
            scenario.watch(witness)
        if monitors is not None:
            scenario._session_options["monitors"] = monitors
        try:
            run = scenario.play(choices)
        except Exception as error:  # noqa: BLE001  whatever it is, the run has failed: it is reported, with its place
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {error} (at {place.filename}:{place.lineno})"
            return Outcome(attempt, None, (Broken(RAISED, what),), choices)
        found = list(self.check(run))
        if self.expect is not None and not found and not attempt.faults and not attempt.left_out:
            try:
                self.expect(run)
            except AssertionError as error:
                found.append(Broken("expectation", str(error) or _where(error)))
        return Outcome(attempt, run, tuple(found), choices)


def _where(error: AssertionError) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{place.line} (at {place.filename}:{place.lineno})"
