"""What is said after tools, and in which order: their own words, several results, calls that were cancelled."""

from __future__ import annotations

import asyncio

import pytest

from sessionactors import Agent, FunctionCallOutput, RunContext, ToolFlag, function_tool
from sessionactors.session.tool import Tool
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import near, played

Context = RunContext[object]


def asked(*tools: Tool, **options: object) -> Scenario:
    """The user types at 0.5 s."""
    scenario = Scenario(Agent(instructions="Be kind.", tools=list(tools)), **options)  # type: ignore[arg-type]
    scenario.user_types("Go.", at=0.5)
    return scenario


def timed(name: str, seconds: float, *, background: bool = False, flags: ToolFlag = ToolFlag.NONE) -> Tool:
    """A tool that takes so long; in the background, it says so first."""

    async def run(context: Context) -> str:
        """Takes its time."""
        if background:
            await context.update(f"{name} has begun")
        await asyncio.sleep(seconds)
        return f"{name} is done"

    tool: Tool = function_tool(run, name=name, flags=flags)
    return tool


def outputs(run: Run) -> list[str]:
    return [item.output for item in run.history if isinstance(item, FunctionCallOutput)]


# -- what a tool says itself -----------------------------------------------------------------------------------------


WORDS = ["One moment.", "I am booking it.", "Nearly there.", "It is booked."]


def books(*, waits: bool, audio: bool) -> Scenario:
    @function_tool
    async def book(context: Context) -> str:
        """Books it."""
        context.session.say("I am booking it.")
        handle = context.session.say("Nearly there.")
        if waits:
            await handle
        return "booked"

    scenario = asked(book, audio=audio)
    scenario.llm_replies("One moment.", tool_calls=[("book", "{}")])
    scenario.llm_replies("It is booked.")
    return scenario


@pytest.mark.parametrize("audio", [True, False])
@pytest.mark.parametrize("waits", [True, False])
def test_what_a_tool_says_is_heard_behind_the_words_before_it_and_before_its_reply(waits: bool, audio: bool) -> None:
    run = played(books(waits=waits, audio=audio))
    assert run.said() == WORDS
    assert run.agent_states[2:] == [*["thinking", "speaking"] * 4, "listening"]
    starts = [heard.at for heard in run.audio]
    assert starts == sorted(starts)
    ends = [heard.until for heard in run.audio]
    assert all(start >= end for start, end in zip(starts[1:], ends, strict=False))


def test_what_a_tool_says_comes_before_its_reply_in_any_order() -> None:
    def expected(run: Run) -> None:
        assert run.said() == WORDS

    explore(lambda: books(waits=False, audio=False), schedules=3, expect=expected)


# -- several tools ---------------------------------------------------------------------------------------------------


def test_the_slower_of_two_tools_is_waited_for_and_answers_stand_in_the_order_of_the_calls() -> None:
    scenario = asked(timed("a", 3.0), timed("b", 1.0), audio=False)
    scenario.llm_replies(tool_calls=[("a", "{}"), ("b", "{}")])
    scenario.llm_replies("Both.")
    run = played(scenario)
    assert outputs(run) == ["a is done", "b is done"]
    assert run.said() == ["Both."]
    assert run.agent_became("speaking") == [near(3.7)]  # called at 0.6, the reply's first word 0.1 behind the result


def test_background_tools_are_replied_to_as_they_end_whatever_the_order_of_the_calls() -> None:
    scenario = asked(timed("a", 3.0, background=True), timed("b", 1.0, background=True), audio=False)
    scenario.llm_replies(tool_calls=[("a", "{}"), ("b", "{}")])
    for text in ("Both have begun.", "B is done.", "A is done."):
        scenario.llm_replies(text)
    run = played(scenario)
    assert run.said() == ["Both have begun.", "B is done.", "A is done."]
    assert run.agent_became("speaking") == [near(0.9), near(1.7), near(3.7)]
    assert outputs(run)[2:] == ["b is done", "a is done"]


def test_what_ends_in_the_background_while_its_step_goes_on_is_told_behind_the_reply_of_that_step() -> None:
    scenario = asked(timed("a", 3.0), timed("b", 1.0, background=True), audio=False)
    scenario.llm_replies(tool_calls=[("a", "{}"), ("b", "{}")])
    scenario.llm_replies("A is done, and B has begun.")
    scenario.llm_replies("B is done.")
    run = played(scenario)
    assert run.said() == ["A is done, and B has begun.", "B is done."]
    assert (outputs(run)[0], outputs(run)[-1]) == ("a is done", "b is done")


# -- calls that are cancelled ----------------------------------------------------------------------------------------


def cancelled(background: bool) -> Scenario:
    scenario = asked(timed("a", 9.0, background=background, flags=ToolFlag.CANCELLABLE), audio=False)
    scenario.llm_replies(tool_calls=[("a", "{}")])
    if background:
        scenario.llm_replies("It has begun.")
    scenario.user_types("Stop it.", at=2.0)
    scenario.llm_replies(tool_calls=[("lk_agents_cancel_task", '{"call_id": "call-1-1"}')])
    scenario.llm_replies("Stopped.")
    scenario.llm_otherwise("One reply too many.")
    return scenario


@pytest.mark.parametrize("background", [True, False])
def test_a_call_that_the_model_cancels_is_replied_to_once_by_who_cancelled_it(background: bool) -> None:
    run = played(cancelled(background))
    assert run.said() == [*(["It has begun."] if background else []), "Stopped."]
    assert "The call was cancelled, as asked for." in outputs(run)
    assert "a is done" not in outputs(run)


def test_a_call_that_the_model_cancels_is_replied_to_once_in_any_order() -> None:
    def once(run: Run) -> None:
        assert run.said() == ["It has begun.", "Stopped."]

    explore(lambda: cancelled(True), schedules=3, expect=once)
