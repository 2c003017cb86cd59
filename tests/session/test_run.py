"""``session.run``: one exchange with its events, and what can be expected of them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence

import pytest

from sessionactors import (
    ActorSystem,
    Agent,
    AgentSession,
    APIError,
    CloseReason,
    FunctionToolCall,
    RunResult,
    SessionStateError,
    UnexpectedModelBehavior,
    function_tool,
)
from sessionactors.testing import Scenario, ScriptedLLM, ScriptedReply, run

Test = Callable[[AgentSession[object]], Awaitable[None]]


class Weather(Agent):
    """Knows the weather, but for one place."""

    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")

    @function_tool
    async def weather(self, place: str, days: int = 1) -> str:
        """The weather."""
        if place == "Nowhere":
            raise ValueError("no such place")
        return f"sunny in {place} for {days}"


def asked(place: str, **more: object) -> ScriptedReply:
    """The model asks for the weather."""
    return ScriptedReply(tool_calls=(FunctionToolCall("call-1", "weather", json.dumps({"place": place, **more})),))


def talk(replies: Sequence[ScriptedReply | str], test: Test) -> None:
    """Run ``test`` in virtual time with a text session whose model answers these."""

    async def main() -> None:
        system = ActorSystem(loop="running")
        system.start()
        async with AgentSession[object](llm=ScriptedLLM(replies), system=system) as session:
            await session.start(Weather())
            await test(session)
        await system.aclose()

    run(main)


async def weather_in_rome(session: AgentSession[object]) -> RunResult[object]:
    return await session.run(user_input="How is the weather in Rome?")


def test_a_run_has_the_calls_the_outputs_and_the_messages_in_order() -> None:
    async def test(session: AgentSession[object]) -> None:
        result = await weather_in_rome(session)
        assert [str(event) for event in result.events] == [
            """function_call(weather, '{"place": "Rome"}')""",
            "function_call_output(weather, 'sunny in Rome for 1')",
            "message(assistant, 'It is sunny.')",
        ]
        expect = result.expect
        expect.next_event().is_function_call(name="weather", arguments={"place": "Rome"})
        expect.next_event().is_function_call_output(output="sunny in Rome for 1", is_error=False)
        expect.next_event().is_message(role="assistant")
        expect.no_more_events()
        assert result.expect is expect

    talk([asked("Rome"), "It is sunny."], test)


def test_events_are_found_by_index_and_in_ranges() -> None:
    async def test(session: AgentSession[object]) -> None:
        expect = (await weather_in_rome(session)).expect
        expect[-1].is_message()
        expect[0:2].contains_function_call_output(is_error=False)
        assert expect.contains_message(role="assistant").event().item.text_content == "It is sunny."
        assert expect.next_event(type="message").event().item.role == "assistant"
        assert expect.skip_next_event_if(type="message") is None
        with pytest.raises(AssertionError, match=r"no such message in events \[0:2\]"):
            expect[0:2].contains_message()
        with pytest.raises(AssertionError, match=r"there is no event \[7\]: the run has 3"):
            expect[7]

    talk([asked("Rome"), "It is sunny."], test)


def test_a_failure_shows_all_events_and_where_it_looked() -> None:
    async def test(session: AgentSession[object]) -> None:
        expect = (await weather_in_rome(session)).expect
        expect.skip_next()
        with pytest.raises(AssertionError) as caught:
            expect.next_event().is_message()
        assert str(caught.value).splitlines() == [
            "expected a message, got function_call_output",
            "events of the run:",
            """    [0] function_call(weather, '{"place": "Rome", "days": 3}')""",
            ">>> [1] function_call_output(weather, 'sunny in Rome for 3')",
            "    [2] message(assistant, 'It is sunny.')",
        ]
        with pytest.raises(AssertionError, match="expected days = 2, got 3"):
            expect[0].is_function_call(arguments={"days": 2})

    talk([asked("Rome", days=3), "It is sunny."], test)


def test_an_error_of_a_tool_is_an_output() -> None:
    async def test(session: AgentSession[object]) -> None:
        result = await session.run(user_input="And in Nowhere?")
        result.expect.contains_function_call_output(is_error=True)

    talk([asked("Nowhere"), "I do not know."], test)


def test_each_run_has_its_own_events() -> None:
    async def test(session: AgentSession[object]) -> None:
        first = await session.run(user_input="Hello")
        second = await session.run(user_input="Bye")
        assert [str(event) for event in (*first.events, *second.events)] == [
            "message(assistant, 'Hi.')",
            "message(assistant, 'Good bye.')",
        ]

    talk(["Hi.", "Good bye."], test)


def test_runs_are_not_nested() -> None:
    async def test(session: AgentSession[object]) -> None:
        result = session.run(user_input="Hello")
        assert not result.done()
        with pytest.raises(SessionStateError, match="another run is not complete"):
            session.run(user_input="Hello again")
        with pytest.raises(SessionStateError, match="await it"):
            _ = result.expect
        await result
        assert result.done()

    talk(["Hi."], test)


def test_what_the_agent_adds_by_itself_belongs_to_the_run() -> None:
    async def test(session: AgentSession[object]) -> None:
        more = session.generate_reply  # a second speech, begun while the run is under way
        result = session.run(user_input="Hello")
        handle = more(instructions="Say more.")
        await result
        assert handle.done()
        assert len(result.events) == 2

    talk(["Hi.", "How are you?"], test)


def test_the_error_of_the_model_is_raised_where_the_run_is_awaited() -> None:
    async def test(session: AgentSession[object]) -> None:
        with pytest.raises(APIError, match="wrong key"):
            await session.run(user_input="Hello")
        result = await session.run(user_input="Hello")
        result.expect.contains_message()

    talk([ScriptedReply(error=APIError("wrong key", retryable=False)), "Hi."], test)


def test_a_close_ends_a_run() -> None:
    async def test(session: AgentSession[object]) -> None:
        result = session.run(user_input="Hello")
        await session.aclose()
        with pytest.raises(RuntimeError, match="closed before the run was complete"):
            await result

    talk([ScriptedReply("Hi.", ttft=1000.0)], test)


def test_a_run_that_a_close_cuts_off_is_no_result_whoever_closes() -> None:
    """The caller hangs up in the middle of the answer: the supervisor begins the close, and the run says so."""
    seen: list[str] = []

    async def ask(session: AgentSession[object]) -> None:
        try:
            await session.run(user_input="Hello")
        except SessionStateError as error:
            seen.append(str(error))

    scenario = Scenario(Weather())
    scenario.llm_replies("It is a long story that I am about to tell you now.")
    scenario.tts_speaks(duration=9.0)
    scenario.call(0.5, ask)
    scenario.leaves(at=4.0)
    result = scenario.play()
    assert result.close_event.reason is CloseReason.PARTICIPANT_DISCONNECTED
    assert seen == ["the session closed before the run was complete"]


def test_a_run_without_the_output_it_needs_is_repeated_and_then_fails() -> None:
    async def test(session: AgentSession[object]) -> None:
        result = session.run(user_input="Hello", output_type=int)
        with pytest.raises(UnexpectedModelBehavior, match="without the int"):
            await result
        assert len(result.events) == 3
        with pytest.raises(SessionStateError, match="no output"):
            _ = (await session.run(user_input="Bye")).final_output

    talk(["One.", "Two.", "Three.", "Bye."], test)


@pytest.mark.parametrize("output", [0, "", False])
def test_an_output_that_is_false_is_an_output(output: object) -> None:
    async def test(session: AgentSession[object]) -> None:
        result = session.run(user_input="Hello", output_type=type(output))
        result.put_output(output)
        assert (await result).final_output == output

    talk(["Done."], test)


def test_an_output_of_another_type_is_an_error_at_once() -> None:
    async def test(session: AgentSession[object]) -> None:
        result = session.run(user_input="Hello", output_type=int)
        result.put_output("a word")
        with pytest.raises(UnexpectedModelBehavior, match="ended with a str, not with a int: 'a word'"):
            await result
        assert len(result.events) == 1

    talk(["Done."], test)


def verdict(verdict: str, reason: str = "because") -> ScriptedLLM:
    """A judge."""
    call = FunctionToolCall("call-1", "submit_verdict", json.dumps({"verdict": verdict, "reason": reason}))
    return ScriptedLLM([ScriptedReply(tool_calls=(call,))])


def test_a_judge_passes_or_fails_a_message() -> None:
    async def test(session: AgentSession[object]) -> None:
        message = (await session.run(user_input="Hello")).expect.next_event().is_message()
        judge = verdict("pass")
        await message.judge(judge, intent="greets the user")
        (request,) = judge.requests
        assert request.tool_choice == "required"
        assert "greets the user" in str(request.items[-1])
        await message.judge(verdict("maybe"), intent="greets the user")
        with pytest.raises(AssertionError, match="The judge says: it is rude"):
            await message.judge(verdict("fail", "it is rude"), intent="greets the user")

    talk(["Hi."], test)


def test_a_judge_that_does_not_judge_is_an_error() -> None:
    async def test(session: AgentSession[object]) -> None:
        message = (await session.run(user_input="Hello")).expect.next_event().is_message()
        with pytest.raises(APIError, match="did not call submit_verdict"):
            await message.judge(ScriptedLLM(["It is fine."]), intent="greets the user")
        with pytest.raises(APIError, match="cannot be read"):
            await message.judge(verdict("perhaps"), intent="greets the user")
        with pytest.raises(ValueError, match="intent"):
            await message.judge(verdict("pass"), intent=" ")

    talk(["Hi."], test)
