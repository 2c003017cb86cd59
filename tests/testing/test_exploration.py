"""What exploration finds is shrunk, drawn, and can be had again; what it is asked wrongly is said."""

from __future__ import annotations

import asyncio
import re

import pytest

from sessionactors import Agent, function_tool
from sessionactors.actors.states import AGENT_TRANSITIONS
from sessionactors.messages.tools import ToolFinished
from sessionactors.model.errors import OptionError
from sessionactors.testing import Broken, Covered, PromiseBroken, Run, Scenario, Schedule, expecting, explore
from sessionactors.testing.attempt import RAISED, Attempt, Trial
from sessionactors.testing.exploration import name_of, schedule_of
from sessionactors.testing.faults import broken, parse
from sessionactors.testing.shrinking import shrink


@function_tool
async def works(name: str) -> str:
    """Takes as long as any other."""
    await asyncio.sleep(0)  # timers of one instant would come in any order in production too
    return name


def two_tools() -> Scenario:
    """Two tools that take as long: which ends first is anybody's guess; and one more text, for nothing."""
    scenario = Scenario(Agent(instructions="Be kind.", tools=[works]), audio=False)
    scenario.user_types("Both.", at=0.5)
    scenario.llm_replies(tool_calls=[("works", '{"name": "a"}'), ("works", '{"name": "b"}')])
    scenario.llm_otherwise("Done.")
    scenario.user_types("Thanks.", at=3.0)
    return scenario


def in_order(run: Run) -> list[Broken]:
    ended = [end.call_id for end in run.told(ToolFinished)]
    return [Broken("order", f"{ended[0]} ended before {ended[1]}")] if ended != sorted(ended) else []


def test_a_breach_is_shrunk_to_few_choices_and_moments_and_can_be_had_again() -> None:
    with pytest.raises(PromiseBroken) as caught:
        explore(two_tools, schedules=30, check=in_order)
    error = caught.value
    assert error.schedule.strategy == "fifo"
    assert 1 <= len(error.schedule.picks) <= 3
    assert error.outcome.attempt.left_out, "the second text has nothing to do with it"
    again = Trial(two_tools, in_order).play(
        Attempt(Schedule.parse(str(error.schedule)), (), error.outcome.attempt.left_out)
    )
    assert again.broken == error.broken
    text = str(error)
    assert f"sessionactors explore tests.testing.test_exploration:two_tools --schedule {error.schedule}" in text
    assert re.search(r"choice \d+: \S.* before \S", text)
    assert 3 <= len(re.findall(r"->>|--x|-x", text)) <= 25


def test_a_breach_in_every_order_needs_no_choice_at_all() -> None:
    with pytest.raises(PromiseBroken) as caught:
        explore(two_tools, schedules=1, check=lambda _: [Broken("P0", "it never holds")])
    assert dict(caught.value.schedule.picks) == {}
    assert len(caught.value.outcome.attempt.left_out) == two_tools().moments()


def test_faults_that_have_nothing_to_do_with_it_are_left_out() -> None:
    def struck(run: Run) -> list[Broken]:
        return [Broken("P0", "struck")] if any(str(fault) == "drop transport.text#2" for fault in run.struck) else []

    from sessionactors.testing.faults import parse

    trial = Trial(two_tools, struck)
    both = (parse("clock:60 *@3"), parse("drop transport.text#2"))
    found = shrink(trial, trial.play(Attempt(Schedule.random(1), both)))
    assert list(map(str, found.attempt.faults)) == ["drop transport.text#2"]
    assert '--fault "drop transport.text#2"' in found.attempt.options()


def test_faults_are_drawn_from_what_a_run_without_them_did() -> None:
    struck: list[str] = []

    def note(run: Run) -> list[Broken]:
        struck.extend(map(str, run.struck))
        return []

    explore(two_tools, schedules=4, faults=1, check=note)
    assert len(struck) >= 2


def test_an_exception_of_a_run_is_a_breach_with_its_place() -> None:
    def raises(_: object) -> None:
        raise KeyError("missing")

    def scenario() -> Scenario:
        scenario = two_tools()
        scenario.call(0.6, raises)
        return scenario

    with pytest.raises(PromiseBroken, match=f"{RAISED}: KeyError: 'missing'") as caught:
        explore(scenario, schedules=2, shrunk=False)
    assert caught.value.run is None
    with pytest.raises(AssertionError, match="fails without any fault"):
        explore(scenario, schedules=1, faults=1)


def test_what_is_expected_of_a_scenario_goes_with_it() -> None:
    def expect(run: Run) -> None:
        assert run.conversation == [], "nobody says a word"

    make = expecting(expect)(two_tools)
    try:
        with pytest.raises(PromiseBroken, match="expectation: nobody says a word"):
            explore(make, schedules=1, shrunk=False)
    finally:
        del make.__expectation__  # type: ignore[attr-defined]


def test_what_was_covered_is_counted() -> None:
    covered = Covered()
    explore(two_tools, schedules=6, covered=covered)
    assert covered.runs == 6
    assert 2 <= len(covered.orders) <= 6
    assert ("agent", "UserTurnEnded") in {(actor, message) for actor, _, message in covered.pairs}
    twice = Covered()
    twice.add(covered)
    twice.add(covered)
    assert str(twice).startswith(f"12 schedules, {len(covered.orders)} distinct orders, {len(covered.pairs)} (state")


def test_schedules_are_of_each_kind_in_turn() -> None:
    kinds = [schedule_of(seed, "mixed", 100).strategy for seed in range(6)]
    assert kinds == ["random", "pct", "delay"] * 2
    assert schedule_of(4, "delay", 100).strategy == "delay"


def test_a_strategy_that_is_none_is_refused() -> None:
    with pytest.raises(OptionError, match="'dfs' is no way to draw schedules; there are mixed, random, pct, delay"):
        explore(two_tools, strategy="dfs")  # type: ignore[arg-type]


def test_only_what_a_process_could_find_has_a_command() -> None:
    assert name_of(two_tools) == "tests.testing.test_exploration:two_tools"
    assert ":" not in name_of(lambda: Scenario(Agent(instructions="")))


def stuck_at_the_close() -> Scenario:
    """A model that ignores that it is cancelled, for longer than the close may take."""
    scenario = Scenario(Agent(instructions="Be kind.", tools=[works]), audio=False)
    scenario.user_types("Both.", at=0.5)
    scenario.llm_replies("One moment.", tool_calls=[("works", '{"name": "a"}')])
    scenario.close(1.0, deadline=1.0)
    return scenario


@pytest.mark.leaves_behind("what ignores that it is cancelled")
def test_p10_what_ignores_its_cancellation_beyond_the_close_is_named_and_that_is_no_breach() -> None:
    stuck = Attempt(faults=(parse("stuck:2 llm.calls#1"),))
    outcome = Trial(stuck_at_the_close, broken).play(stuck)
    assert outcome.broken == ()
    assert outcome.run is not None
    assert outcome.run.report is not None
    assert list(outcome.run.report.abandoned) == ["scenario/llm"]
    explore(stuck_at_the_close, schedules=3, faults=1)


def test_the_report_names_the_message_at_which_monitors_saw_the_breach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AGENT_TRANSITIONS, "thinking", frozenset())
    with pytest.raises(PromiseBroken) as caught:
        explore(two_tools, schedules=1)
    violation = caught.value.violation
    assert violation is not None
    assert violation.promise == "P6"
    assert f"first seen: P6 at {violation.message_type} #{violation.message_id} in scenario" in str(caught.value)
    assert caught.value.led[-1].id == violation.message_id, "what came behind it has not led to it"


def test_a_breach_at_a_message_ends_the_story_there_and_a_long_story_is_told_from_its_end() -> None:
    def late(run: Run) -> list[Broken]:
        return [Broken("P3", "turn-2 is late", [each.id for each in run.deliveries if each.turn == "turn-2"][-1])]

    def all_of_it(_: Run) -> list[Broken]:
        return [Broken("P17", "nobody is named")]

    with pytest.raises(PromiseBroken) as first:
        explore(two_tools, schedules=1, check=late, shrunk=False)
    assert first.value.led[-1].id == first.value.broken[0].at
    with pytest.raises(PromiseBroken, match=r"the last 25 of the \d+ messages that led to it") as second:
        explore(two_tools, schedules=1, check=all_of_it, shrunk=False)
    assert len(second.value.led) > 25
