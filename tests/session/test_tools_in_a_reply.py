"""Tools that a reply calls: when they run, what model and history get of them, and what an interruption leaves."""

from __future__ import annotations

import asyncio
import json

import pytest

from sessionactors import (
    Agent,
    AgentConfigUpdate,
    AgentHandoff,
    ChatContext,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
    FunctionTool,
    FunctionToolCall,
    RunContext,
    StopResponse,
    ToolError,
    function_tool,
)
from sessionactors.messages.tools import RunTool, ToolFinished
from sessionactors.model.events import FunctionToolsExecutedEvent
from sessionactors.testing import Run, Scenario
from sessionactors.testing.scripted_llm import ScriptedRequest

from tests.session.talks import Session, near, played


def with_tools(*tools: FunctionTool[..., object]) -> Agent:
    return Agent(instructions="Be kind.", tools=tools)


@function_tool
async def weather(city: str) -> str:
    """The weather.

    Args:
        city: where.
    """
    await asyncio.sleep(1.0)
    return f"sunny in {city}"


def weather_call(city: str = "Rome") -> tuple[str, str]:
    return ("weather", json.dumps({"city": city}))


def asked(agent: Agent, *, audio: bool = True, **options: object) -> Scenario:
    """The user asks something; complete at 3.0 s if spoken, at 0.5 s if typed."""
    scenario = Scenario(agent, audio=audio, **options)  # type: ignore[arg-type]
    if audio:
        scenario.user_says("What is the weather?", at=0.5, until=2.5)
    else:
        scenario.user_types("What is the weather?", at=0.5)
    return scenario


def kinds(run: Run) -> list[str]:
    """What the history has of the talk, behind the handoff and the configuration at its beginning."""
    return [str(item.role if isinstance(item, ChatMessage) else item.type) for item in run.history][2:]


def outputs(run: Run) -> list[tuple[str, bool]]:
    return [(item.output, item.is_error) for item in run.history if isinstance(item, FunctionCallOutput)]


# -- the ordinary way ------------------------------------------------------------------------------------------------


def test_a_tool_and_then_the_reply() -> None:
    scenario = asked(with_tools(weather))
    scenario.llm_replies(tool_calls=[weather_call()])
    scenario.llm_replies("It is sunny.")
    run = played(scenario)
    assert kinds(run) == ["user", "function_call", "function_call_output", "assistant"]
    assert outputs(run) == [("sunny in Rome", False)]
    assert run.agent_states == ["initializing", "listening", "thinking", "speaking", "listening"]
    # call at 3.1, result at 4.1, the reply's text at 4.4, its sound at 4.6
    assert run.agent_became("speaking") == [near(4.6)]


def test_the_model_sees_call_and_result_in_its_next_request() -> None:
    scenario = asked(with_tools(weather))
    scenario.llm_replies(tool_calls=[weather_call()])
    scenario.llm_replies("It is sunny.")
    run = played(scenario)
    first, second = run.requests
    assert [tool.name for tool in first.tools] == ["weather"]
    call, output = second.items[-2:]
    assert isinstance(call, FunctionCall)
    assert isinstance(output, FunctionCallOutput)
    assert (call.call_id, call.name, json.loads(call.arguments)) == ("call-1-1", "weather", {"city": "Rome"})
    assert (output.call_id, output.output) == ("call-1-1", "sunny in Rome")


def shown_to_model(request: ScriptedRequest) -> list[str]:
    return [
        item.text_content if isinstance(item, ChatMessage) else f"{item.type} {getattr(item, 'output', '')}".strip()
        for item in request.items
        if not isinstance(item, AgentHandoff | AgentConfigUpdate)
    ]


class Adds(Agent):
    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        turn_ctx.add_message(role="system", content="The user is in Rome.")


def test_a_context_that_the_hook_edited_goes_on_with_the_tools_of_the_reply() -> None:
    scenario = asked(Adds(instructions="Be kind.", tools=[weather]), audio=False)
    scenario.llm_replies("One moment.", tool_calls=[weather_call()])
    scenario.llm_replies(tool_calls=[weather_call("Oslo")])
    scenario.llm_replies("It is sunny.")
    run = played(scenario)
    given = ["Be kind.", "The user is in Rome.", "What is the weather?"]
    assert shown_to_model(run.requests[0]) == given
    first = ["One moment.", "function_call", "function_call_output sunny in Rome"]
    assert shown_to_model(run.requests[1]) == [*given, *first]
    assert shown_to_model(run.requests[2]) == [
        *given,
        *first,
        "function_call",
        "function_call_output sunny in Oslo",
    ]


def test_a_context_given_to_a_reply_goes_on_with_its_tools() -> None:
    context = ChatContext()
    context.add_message(role="user", content="Something else.")
    scenario = asked(with_tools(weather), audio=False)
    scenario.llm_replies("Hello.")
    scenario.call(2.0, lambda session: session.generate_reply(chat_ctx=context))
    scenario.llm_replies(tool_calls=[weather_call()])
    scenario.llm_replies("It is sunny.")
    run = played(scenario)
    assert shown_to_model(run.requests[2]) == [
        "Be kind.",
        "Something else.",
        "function_call",
        "function_call_output sunny in Rome",
    ]


def test_text_before_a_tool_is_heard_while_the_tool_runs() -> None:
    scenario = asked(with_tools(weather))
    scenario.llm_replies("One moment, please.", tool_calls=[weather_call()])
    scenario.tts_speaks(duration=1.0)
    scenario.llm_replies("It is sunny.")
    run = played(scenario)
    assert kinds(run) == ["user", "assistant", "function_call", "function_call_output", "assistant"]
    assert run.said() == ["One moment, please.", "It is sunny."]
    assert run.agent_states[1:] == ["listening", "thinking", "speaking", "thinking", "speaking", "listening"]
    (began,) = [run.time_of(delivery) for delivery in run.handled(RunTool)]
    assert began < run.agent_became("speaking")[0]


def test_while_a_tool_runs_behind_its_text_the_agent_is_thinking() -> None:
    @function_tool
    async def slow() -> str:
        await asyncio.sleep(4.0)
        return "done"

    scenario = asked(with_tools(slow))
    scenario.llm_replies("One moment, please.", tool_calls=[("slow", "{}")])
    scenario.tts_speaks(duration=1.0)
    scenario.llm_replies("Done.")
    run = played(scenario)
    thinking = run.agent_became("thinking")[1]
    assert thinking == near(4.5)
    assert run.agent_became("speaking")[1] - thinking > 2.5


def test_another_speech_may_be_heard_while_a_tool_runs() -> None:
    @function_tool
    async def slow() -> str:
        await asyncio.sleep(6.0)
        return "done"

    scenario = asked(with_tools(slow))
    scenario.llm_replies("One moment.", tool_calls=[("slow", "{}")])
    scenario.tts_speaks(duration=1.0)
    scenario.call(5.5, lambda session: session.say("Still working."))
    scenario.llm_replies("Done.")
    run = played(scenario)
    assert run.said() == ["One moment.", "Still working.", "Done."]


def test_two_tools_of_one_step_run_at_the_same_time_and_answer_in_the_order_of_the_calls() -> None:
    scenario = asked(with_tools(weather))
    scenario.llm_replies(tool_calls=[weather_call("Rome"), weather_call("Oslo")])
    scenario.llm_replies("Sunny in both.")
    run = played(scenario)
    assert kinds(run) == ["user", *["function_call"] * 2, *["function_call_output"] * 2, "assistant"]
    assert outputs(run) == [("sunny in Rome", False), ("sunny in Oslo", False)]
    assert run.agent_became("speaking") == [near(4.6)]
    (event,) = run.of(FunctionToolsExecutedEvent)
    assert [(call.name, output.output) for call, output in event.zipped()] == [
        ("weather", "sunny in Rome"),
        ("weather", "sunny in Oslo"),
    ]
    assert event.has_tool_reply


def test_a_plain_function_runs_in_a_thread_and_blocks_nobody() -> None:
    @function_tool
    def count_sheep(many: int) -> str:
        return f"{many} sheep"

    scenario = asked(with_tools(count_sheep), audio=False)
    scenario.llm_replies(tool_calls=[("count_sheep", '{"many": 7}')])
    scenario.llm_replies("Seven.")
    run = played(scenario)
    assert outputs(run) == [("7 sheep", False)]
    assert run.said() == ["Seven."]


def test_a_tool_may_speak_and_protect_its_speech() -> None:
    seen: list[str] = []

    @function_tool
    async def guarded(context: RunContext[object]) -> str:
        context.disallow_interruptions()
        seen.append(context.speech_handle.id)
        seen.append(context.function_call.name)
        assert context.session.current_speech is context.speech_handle
        return "done"

    scenario = asked(with_tools(guarded), userdata=7)
    scenario.llm_replies(tool_calls=[("guarded", "{}")])
    scenario.llm_replies("This reply is protected now.")
    scenario.tts_speaks(duration=5.0)
    scenario.user_says("Stop it.", at=4.5, until=6.0)
    scenario.llm_replies("Yes?")
    run = played(scenario)
    assert seen == ["speech-1", "guarded"]
    assert "This reply is protected now." in run.said()


# -- how a tool may end ----------------------------------------------------------------------------------------------


@function_tool
async def raises() -> str:
    raise KeyError("secret of the house")


@function_tool
async def complains() -> str:
    raise ToolError("the shop is closed on Mondays")


@function_tool
async def unprintable() -> object:
    return object()


@function_tool
async def listing() -> list[int]:
    return [1, 2, 3]


ENDS = [
    (raises, "raises", "{}", "An internal error occurred", True),
    (complains, "complains", "{}", "the shop is closed on Mondays", True),
    (weather, "whether", "{}", "Unknown tool 'whether'. Available tools: weather", True),
    (weather, "weather", '{"town": "Rome"}', "Wrong arguments for tool 'weather'", True),
    (weather, "weather", "not json", "Wrong arguments for tool 'weather'", True),
    (unprintable, "unprintable", "{}", "The tool returned an invalid output (object)", True),
    (listing, "listing", "", "[1, 2, 3]", False),
]


@pytest.mark.parametrize("tool, called, arguments, output, failed", ENDS, ids=[f"{end[1]}-{end[2]}" for end in ENDS])
def test_whatever_becomes_of_a_tool_the_model_is_told_and_replies(
    tool: FunctionTool[..., object], called: str, arguments: str, output: str, failed: bool
) -> None:
    scenario = asked(with_tools(tool), audio=False)
    scenario.llm_replies(tool_calls=[(called, arguments)])
    scenario.llm_replies("I see.")
    run = played(scenario)
    ((text, is_error),) = outputs(run)
    assert text.startswith(output)
    assert is_error is failed
    assert "secret" not in text
    assert run.said() == ["I see."]


@function_tool
async def stops() -> str:
    raise StopResponse


@function_tool
async def says_nothing() -> None:
    return None


@pytest.mark.parametrize("tool", [stops, says_nothing], ids=lambda tool: tool.name)
def test_a_tool_may_ask_for_no_reply(tool: FunctionTool[..., object]) -> None:
    scenario = asked(with_tools(tool))
    scenario.llm_replies(tool_calls=[(tool.name, "{}")])
    run = played(scenario)
    assert len(run.requests) == 1
    assert outputs(run) == [("", False)]
    assert run.agent_states[1:] == ["listening", "thinking", "listening"]
    (event,) = run.of(FunctionToolsExecutedEvent)
    assert not event.has_tool_reply


def test_steps_are_limited_and_the_last_request_may_call_no_tool() -> None:
    scenario = asked(with_tools(weather), audio=False, max_tool_steps=2)
    scenario.llm_replies(tool_calls=[weather_call("Rome")])
    scenario.llm_replies(tool_calls=[weather_call("Oslo")])
    scenario.llm_replies("That is enough.")
    run = played(scenario)
    assert [request.tool_choice for request in run.requests] == ["auto", "auto", "none"]
    assert len(outputs(run)) == 2
    assert run.said() == ["That is enough."]


def test_calls_beyond_the_limit_are_not_run() -> None:
    scenario = asked(with_tools(weather), audio=False, max_tool_steps=1)
    scenario.llm_replies(tool_calls=[weather_call("Rome")])
    scenario.llm_replies("And Oslo?", tool_calls=[weather_call("Oslo")])
    run = played(scenario)
    assert [output for output, _ in outputs(run)] == ["sunny in Rome"]
    assert run.said() == ["And Oslo?"]


def test_a_call_that_comes_twice_in_a_reply_is_run_once() -> None:
    called: list[str] = []

    @function_tool
    async def note(what: str) -> str:
        called.append(what)
        return "noted"

    scenario = asked(with_tools(note), audio=False)
    twice = [FunctionToolCall("same", "note", json.dumps({"what": what})) for what in ("one", "two")]
    scenario.llm_replies(tool_calls=twice)
    scenario.llm_replies("Hm.")
    run = played(scenario)
    assert called == ["one"]
    assert [is_error for _, is_error in outputs(run)] == [False]
    assert run.said() == ["Hm."]


# -- interruptions ---------------------------------------------------------------------------------------------------


def slow_tool(seconds: float, ended: list[str]) -> FunctionTool[..., object]:
    @function_tool
    async def slow() -> str:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        ended.append("returned")
        return "the result"

    return slow


def test_a_tool_that_runs_when_the_user_interrupts_goes_on_its_result_is_kept_and_its_reply_is_not_given() -> None:
    ended: list[str] = []
    scenario = asked(with_tools(slow_tool(8.0, ended)))
    scenario.llm_replies("One moment, please, this takes a while.", tool_calls=[("slow", "{}")])
    scenario.tts_speaks(duration=6.0)
    scenario.user_says("Never mind.", at=5.0, until=6.0)
    scenario.llm_replies("Fine.")
    run = played(scenario)
    assert ended == ["returned"]
    assert outputs(run) == [("the result", False)]
    assert len(run.requests) == 2
    assert run.conversation[-1] == ("assistant", "Fine.")
    assert len(run.of(FunctionToolsExecutedEvent)) == 1


def test_a_tool_in_the_background_is_superseded_by_the_next_turn() -> None:
    ended: list[str] = []
    scenario = asked(with_tools(slow_tool(8.0, ended)))
    scenario.llm_replies(tool_calls=[("slow", "{}")])
    scenario.user_says("Are you there?", at=4.0, until=5.0)
    scenario.llm_replies("Yes.")
    run = played(scenario)
    assert ended == ["returned"]
    assert run.said() == ["Yes."]
    assert outputs(run) == [("the result", False)]


def test_a_call_that_has_not_started_when_its_reply_is_cut_never_starts() -> None:
    ended: list[str] = []
    scenario = Scenario(with_tools(slow_tool(1.0, ended)))
    scenario.tts_speaks(duration=4.0, text="A notice that may not be interrupted.")
    scenario.call(0.1, lambda session: session.say("A notice that may not be interrupted.", allow_interruptions=False))

    async def ask(session: Session) -> None:
        handle = session.generate_reply(user_input="Go.")  # its call waits behind the notice
        await asyncio.sleep(2.0)
        handle.interrupt()
        await handle
        assert handle.chat_items == []

    scenario.llm_replies(tool_calls=[("slow", "{}")])
    scenario.call(0.5, ask)
    run = played(scenario)
    assert ended == []
    assert [end.outcome for end in run.told(ToolFinished)] == ["cancelled"]
    assert FunctionCall not in {type(item) for item in run.history}


@pytest.mark.leaves_behind("the tool does not end when it is cancelled")
def test_a_tool_that_runs_when_the_session_closes_is_abandoned_and_named() -> None:
    @function_tool
    async def stubborn() -> str:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:  # as code that retries whatever happens would
            await asyncio.sleep(1000)
        return "late"

    scenario = asked(with_tools(stubborn), audio=False)
    scenario.llm_replies(tool_calls=[("stubborn", "{}")])
    scenario.close(2.0, deadline=1.0)
    run = scenario.play()
    assert run.report is not None
    assert [path for path in run.report.abandoned if "tools" in path]
    assert run.close_took <= 1.1
    assert len(run.leaks) == 1


def test_p05_a_server_that_counts_calls_from_zero_in_each_reply_is_understood() -> None:
    scenario = Scenario(with_tools(weather), audio=False)
    for number in (1, 2):
        scenario.user_types(f"Question {number}", at=5.0 * number)
        scenario.llm_replies(tool_calls=[FunctionToolCall("call_0", *weather_call())])
        scenario.llm_replies(f"Answer {number}.")
    run = played(scenario)
    outputs = [item for item in run.history if isinstance(item, FunctionCallOutput)]
    assert [output.is_error for output in outputs] == [False, False]
    assert len({output.call_id for output in outputs}) == 2
