"""Tools that go on in the background: what they tell meanwhile and in the end, and how they wait for the quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sessionactors import (
    Agent,
    FunctionCall,
    FunctionCallOutput,
    FunctionTool,
    OptionError,
    RunContext,
    SessionStateError,
    ToolExecutionUpdatedEvent,
    function_tool,
)
from sessionactors.messages.tools import ToolFinished
from sessionactors.testing import Run, Scenario, explore, invariants

from tests.session.talks import Session, near, played

Body = Callable[[RunContext[object]], Awaitable[object]]


def acting(body: Body, **rules: Any) -> FunctionTool[..., object]:
    async def act(context: RunContext[object]) -> object:
        return await body(context)

    tool = function_tool(act, **rules)
    assert isinstance(tool, FunctionTool)
    return tool


def asked(body: Body, *, audio: bool = False, options: dict[str, Any] | None = None, **rules: Any) -> Scenario:
    """The user asks at 0.5 (typed), or until 2.5 (spoken); the model calls the tool."""
    agent = Agent(instructions="Be kind.", tools=[acting(body, **rules)])
    scenario = Scenario(agent, audio=audio, **(options or {}))
    if audio:
        scenario.user_says("Book a flight.", at=0.5, until=2.5)
    else:
        scenario.user_types("Book a flight.", at=0.5)
    return scenario


def calling(scenario: Scenario, text: str = "") -> Scenario:
    scenario.llm_replies(text, tool_calls=[("act", "{}")])
    return scenario


def updates(run: Run) -> list[str]:
    told = [event.update for event in run.of(ToolExecutionUpdatedEvent)]
    return [f"{update.type} {getattr(update, 'id', '') or getattr(update, 'status', '')}".strip() for update in told]


def pairs(run: Run) -> list[tuple[str, str]]:
    return [(item.call_id, item.output) for item in run.history if isinstance(item, FunctionCallOutput)]


async def books(context: RunContext[object]) -> str:
    await context.update("Looking for flights.")
    await asyncio.sleep(3.0)
    await context.update("Three found.")
    await asyncio.sleep(3.0)
    return "Booked."


# -- updates ---------------------------------------------------------------------------------------------------------


def test_the_first_update_answers_the_call_and_the_end_is_told_when_all_is_quiet() -> None:
    scenario = calling(asked(books))
    for text in ("I am looking.", "There are three.", "It is booked."):
        scenario.llm_replies(text)
    run = played(scenario)
    assert run.said() == ["I am looking.", "There are three.", "It is booked."]
    assert [call_id for call_id, _ in pairs(run)] == ["call-1-1", "call-1-1_update_1", "call-1-1_final"]
    outputs = [output for _, output in pairs(run)]
    assert "Looking for flights." in outputs[0]
    assert "has not finished" in outputs[0]
    assert outputs[2] == "Booked."
    assert [request.tool_choice for request in run.requests] == ["auto", "auto", "none", "none"]
    (end,) = run.told(ToolFinished)
    assert (end.call_id, end.outcome, end.duration) == ("call-1-1", "completed", near(6.0))
    assert updates(run) == [
        "tool_call_started",
        "tool_call_updated call-1-1",
        "tool_call_updated call-1-1_update_1",
        "tool_reply_updated scheduled",
        "tool_reply_updated completed",
        "tool_call_ended call-1-1_final",
        "tool_reply_updated scheduled",
        "tool_reply_updated completed",
    ]


def test_the_conversation_goes_on_while_a_tool_runs_in_the_background() -> None:
    scenario = calling(asked(books))
    scenario.llm_replies("I am looking.")
    scenario.user_types("How is the weather?", at=2.0)
    scenario.llm_replies("Fine.")
    scenario.llm_replies("There are three.")
    scenario.llm_replies("It is booked.")
    run = played(scenario)
    assert run.said() == ["I am looking.", "Fine.", "There are three.", "It is booked."]


def test_what_comes_while_somebody_speaks_is_told_in_one_reply() -> None:
    async def chatters(context: RunContext[object]) -> str:
        await context.update("one")
        await asyncio.sleep(4.0)
        await context.update("two")
        await asyncio.sleep(0.5)
        await context.update("three")
        return "four"

    scenario = calling(asked(chatters, audio=True))
    scenario.llm_replies("It has begun.")
    scenario.tts_speaks(duration=1.0)
    scenario.call(6.0, lambda session: session.say("A long story of this and that."))
    scenario.tts_speaks(duration=5.0, text="A long story of this and that.")
    scenario.llm_replies("All of it.")
    scenario.tts_speaks(duration=1.0)
    run = played(scenario)
    assert run.said() == ["It has begun.", "A long story of this and that.", "All of it."]
    replies = [event.update for event in run.of(ToolExecutionUpdatedEvent) if event.update.type == "tool_reply_updated"]
    assert replies[0].update_ids == ("call-1-1_update_1", "call-1-1_update_2", "call-1-1_final")
    assert run.agent_became("speaking")[-1] > 11.0


def test_a_deferred_reply_does_not_come_between_the_users_words_and_their_reply() -> None:
    async def quick(context: RunContext[object]) -> str:
        await context.update("begun")
        await asyncio.sleep(5.0)
        return "done"

    scenario = calling(asked(quick, audio=True))
    scenario.llm_replies("It has begun.")
    scenario.tts_speaks(duration=1.0)
    scenario.user_says("And tell me a joke.", at=7.0, until=8.3)  # the tool returns at 8.1 and waits
    scenario.llm_replies("Ha ha.")
    scenario.tts_speaks(duration=1.0)
    scenario.llm_replies("It is done.")
    scenario.tts_speaks(duration=1.0)
    run = played(scenario)
    assert run.said() == ["It has begun.", "Ha ha.", "It is done."]


def test_a_model_that_has_told_it_already_may_say_nothing() -> None:
    async def quick(context: RunContext[object]) -> str:
        await context.update("begun")
        await asyncio.sleep(2.0)
        return "done"

    scenario = calling(asked(quick))
    scenario.llm_replies("It has begun.")
    scenario.llm_replies("")
    run = played(scenario)
    assert run.said() == ["It has begun."]
    assert updates(run)[-1] == "tool_reply_updated skipped"
    assert len(run.requests) == 3


def test_an_update_that_is_no_text_is_told_as_json_and_a_template_may_be_given() -> None:
    async def tells(context: RunContext[object]) -> str:
        await context.update({"found": 3})
        await context.update("x", template="<{function_name}|{call_id}|{message}>")
        await context.update("y", template=lambda args: args["message"].upper())
        with pytest.raises(OptionError, match="got object"):
            await context.update(object())
        return "end"

    scenario = calling(asked(tells))
    scenario.llm_replies("Begun.")
    scenario.llm_replies("Ended.")
    run = played(scenario)
    assert [output for _, output in pairs(run)] == ['{"found": 3}', "<act|call-1-1|x>", "Y", "end"]


def test_the_words_of_tool_handling_are_used() -> None:
    words = {"async_options": {"update_template": "UPD {message}", "reply_at_tail_template": "TELL {call_ids}"}}
    scenario = calling(asked(books, options={"tool_handling": words}))
    for text in ("One.", "Two.", "Three."):
        scenario.llm_replies(text)
    run = played(scenario)
    assert pairs(run)[0][1] == "UPD Looking for flights."
    instructed = [item.text_content for item in run.requests[2].items if item.type == "message"]
    assert instructed[-1] == "TELL ['call-1-1_update_1']"


@pytest.mark.parametrize("ends", ["error", "none"])
def test_a_background_tool_may_fail_or_say_nothing_in_the_end(ends: str) -> None:
    async def odd(context: RunContext[object]) -> object:
        await context.update("begun")
        await asyncio.sleep(1.0)
        if ends == "error":
            raise KeyError("secret")
        return None

    scenario = calling(asked(odd))
    scenario.llm_replies("Begun.")
    scenario.llm_otherwise("It failed.")
    run = played(scenario)
    expected = ("call-1-1_final", "An internal error occurred") if ends == "error" else ("call-1-1_final", "")
    assert pairs(run)[-1] == expected
    assert run.said() == (["Begun.", "It failed."] if ends == "error" else ["Begun."])


def test_a_context_that_outlives_its_tool_says_so() -> None:
    kept: list[RunContext[object]] = []

    async def leaks(context: RunContext[object]) -> str:
        kept.append(context)
        return "done"

    async def late(session: Session) -> None:
        with pytest.raises(SessionStateError, match="tool 'act' has returned already"):
            await kept[0].update("late")

    scenario = calling(asked(leaks))
    scenario.llm_replies("Done.")
    scenario.call(3.0, late)
    played(scenario)


def test_a_background_tool_may_wait_for_a_speech_of_its_own() -> None:
    async def waits(context: RunContext[object]) -> str:
        with pytest.raises(SessionStateError):
            await context.speech_handle.wait_for_playout()
        await context.update("begun")
        await context.speech_handle.wait_for_playout()
        return "done"

    scenario = calling(asked(waits))
    scenario.llm_replies("Begun.")
    scenario.llm_replies("Done.")
    assert played(scenario).said() == ["Begun.", "Done."]


# -- the words before ------------------------------------------------------------------------------------------------


def test_a_tool_waits_for_the_words_before_it_and_no_others() -> None:
    heard: list[float] = []

    async def waits(context: RunContext[object]) -> str:
        await context.wait_for_playout()
        heard.append(asyncio.get_running_loop().time())
        return "done"

    scenario = calling(asked(waits, audio=True), "One moment, please.")
    scenario.tts_speaks(duration=2.0)
    scenario.llm_replies("Done.")
    scenario.tts_speaks(duration=2.0)
    run = played(scenario)
    # The words are heard from 3.5 to 5.5; the reply can begin only after that.
    assert run.agent_became("thinking")[1] == near(5.5)
    assert run.agent_became("speaking")[1] == near(5.5 + 0.4 + 0.1)
    assert len(heard) == 1


def test_a_tool_that_waits_for_words_that_are_cut_off_goes_on() -> None:
    log: list[str] = []

    async def waits(context: RunContext[object]) -> str:
        await context.wait_for_playout()
        log.append("went on")
        return "done"

    scenario = calling(asked(waits, audio=True), "I will tell you a very long story about this.")
    scenario.tts_speaks(duration=20.0)
    scenario.user_says("Stop it now.", at=6.0, until=7.0)
    scenario.llm_replies("Fine.")
    played(scenario)
    assert log == ["went on"]


# -- the quiet -------------------------------------------------------------------------------------------------------


def test_the_quiet_is_one_tools_at_a_time_and_reports_wait_for_its_end() -> None:
    order: list[str] = []

    async def interviews(context: RunContext[object]) -> str:
        await context.update("begun")
        await asyncio.sleep(1.0)
        async with context.foreground():
            order.append("in front")
            await context.session.say("One question.")
            await asyncio.sleep(2.0)
            await context.session.say("Another question.")
        order.append("behind")
        return "done"

    scenario = calling(asked(interviews))
    scenario.llm_replies("Begun.")
    scenario.llm_otherwise("It is told.")
    run = played(scenario)
    assert run.said() == ["Begun.", "One question.", "Another question.", "It is told."]
    assert order == ["in front", "behind"]


def test_what_a_tool_has_told_is_said_before_it_comes_to_the_front() -> None:
    async def tells(context: RunContext[object]) -> None:
        await context.update("begun")
        await context.update("more")
        async with context.foreground():
            await context.session.say("In front.")

    scenario = calling(asked(tells))
    scenario.llm_replies("Begun.")
    scenario.llm_replies("There is more.")
    assert played(scenario).said() == ["Begun.", "There is more.", "In front."]


def test_the_quiet_of_a_tool_that_is_cancelled_is_given_back() -> None:
    async def hogs(context: RunContext[object]) -> None:
        await context.update("begun")
        async with context.foreground():
            await asyncio.sleep(1000)

    scenario = calling(asked(hogs, timeout=4.0))
    scenario.llm_replies("Begun.")
    scenario.llm_replies("It was stopped.")
    run = played(scenario)
    assert run.said() == ["Begun.", "It was stopped."]
    assert run.state_of("floor")["quiet_for"] is None


# -- fillers ---------------------------------------------------------------------------------------------------------


def filled(**options: Any) -> Scenario:
    source = options.pop("source", "Still looking.")
    seconds = options.pop("seconds", 6.0)

    async def takes_long(context: RunContext[object]) -> str:
        async with context.with_filler(source, **options):
            await asyncio.sleep(seconds)
        return "done"

    scenario = calling(asked(takes_long, audio=True), "One moment.")
    scenario.tts_speaks(duration=1.0)
    scenario.tts_speaks(duration=1.0, text="Still looking.")
    scenario.llm_replies("Done.")
    scenario.tts_speaks(duration=1.0)
    return scenario


def test_a_filler_is_said_when_it_has_been_quiet_for_the_delay() -> None:
    run = played(filled(delay=2.0))
    assert run.said() == ["One moment.", "Still looking.", "Done."]
    quiet_since = run.agent_became("thinking")[1]
    assert quiet_since == near(4.5)
    assert run.agent_became("speaking")[1] == near(quiet_since + 2.0 + 0.2)  # 0.2 to the first sound


def test_fillers_go_on_at_the_interval_up_to_the_most() -> None:
    run = played(filled(delay=0.5, interval=1.0, max_steps=2, seconds=12.0))
    assert run.said().count("Still looking.") == 2


def test_a_filler_may_be_made_by_a_function_that_may_skip() -> None:
    steps: list[int] = []

    def source(step: int) -> str | None:
        steps.append(step)
        return None if len(steps) == 1 else f"Step {step}."

    run = played(filled(source=source, interval=1.0, max_steps=1, seconds=8.0))
    assert steps == [0, 0]
    assert "Step 0." in run.said()


def test_no_filler_is_said_over_the_user() -> None:
    scenario = filled(delay=1.0, seconds=4.0)
    scenario.user_says("", at=4.6, until=7.0)  # a noise without words
    run = played(scenario)
    assert "Still looking." not in run.said()


def test_an_update_counts_the_quiet_anew_and_a_negative_figure_is_refused() -> None:
    async def works(context: RunContext[object]) -> str:
        with pytest.raises(OptionError, match="delay must not be negative"):
            async with context.with_filler("x", delay=-1.0):
                pass
        async with context.with_filler("Still looking.", delay=2.0):
            await asyncio.sleep(1.5)
            await context.update("begun")
            await asyncio.sleep(1.0)
        return "done"

    scenario = calling(asked(works))
    scenario.llm_replies("Begun.")
    scenario.llm_replies("Done.")
    assert "Still looking." not in played(scenario).said()


# -- conservation ----------------------------------------------------------------------------------------------------


def conversation() -> Scenario:
    scenario = calling(asked(books))
    scenario.llm_otherwise("I see.")
    scenario.user_types("And?", at=1.5)
    return scenario


def test_p05_updates_and_ends_are_conserved_in_any_order() -> None:
    def check(run: Run) -> None:
        assert [call_id for call_id, _ in pairs(run)] == ["call-1-1", "call-1-1_update_1", "call-1-1_final"]
        assert sum(isinstance(item, FunctionCall) for item in run.history) == 3

    explore(conversation, schedules=5, expect=check)


@pytest.mark.parametrize("actor", ["tools", "deferred", "floor"])
def test_p12_background_work_survives_a_death(actor: str) -> None:
    asked = 0
    for number in range(1, 12):
        scenario = conversation()
        scenario.kill(actor, message=number)
        run = scenario.play(number)
        assert invariants.broken(run) == [], (actor, number)
        ends = [call_id for call_id, _ in pairs(run)]
        assert not ends or ends[-1] in ("call-1-1", "call-1-1_final")
        asked += bool(ends)
    assert asked > 5


def test_p05_calls_cut_anywhere_keep_their_background_reports() -> None:
    for number in range(12):
        scenario = conversation()
        scenario.call(0.6 + number * 0.6, lambda session: session.interrupt())
        run = scenario.play(number)
        assert invariants.broken(run) == [], number


def test_p10_a_session_closes_in_time_while_a_tool_runs_in_the_background() -> None:
    for number in range(6):
        scenario = conversation()
        scenario.close(1.0 + number, deadline=1.0)
        assert invariants.broken(scenario.play(number)) == [], number


def test_a_session_that_closes_waits_for_what_runs_in_the_background() -> None:
    log: list[str] = []

    async def goes_on(context: RunContext[object]) -> str:
        await context.update("begun")
        await asyncio.sleep(3.0)
        log.append("returned")
        return "done"

    scenario = calling(asked(goes_on))
    scenario.llm_replies("Begun.")
    scenario.close(2.0, deadline=5.0)
    run = scenario.play()
    assert invariants.broken(run) == []
    assert log == ["returned"]
    assert ("call-1-1_final", "done") in pairs(run)
    assert run.close_took < 3.0
