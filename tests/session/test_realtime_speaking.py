"""What a session with a realtime model can be told: say, reply, tools, typed text; and what it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sessionactors import Agent, ChatContext, FunctionToolsExecutedEvent, SessionStateError, StopResponse, function_tool
from sessionactors.testing import CLIENT_TURNS, SPEAKING, RealtimeScript, Run, ScriptedRealtime, explore

from .realtime_talks import Weatherman, one_turn, talk, weather
from .talks import Noting, near, played

AUTOMATIC = replace(SPEAKING, auto_tool_reply_generation=True)
FIXED = replace(
    CLIENT_TURNS,
    mutable_chat_context=False,
    mutable_instructions=False,
    mutable_tools=False,
    per_response_tool_choice=False,
    supports_say=False,
)


def server_of(run: Run) -> ScriptedRealtime:
    assert run.realtime is not None
    return run.realtime


# -- tools -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [SPEAKING, CLIENT_TURNS], ids=["server", "client"])
def test_the_agent_thinks_only_while_its_tool_works_and_the_reply_to_it_is_asked_for(model: RealtimeScript) -> None:
    run = played(weather(model))
    assert run.agent_states == ["initializing", "listening", "speaking", "thinking", "speaking", "listening"]
    assert run.agent_became("thinking") == [near(3.3)]
    assert run.agent_became("speaking") == [near(2.3), near(3.6)]
    assert run.said() == ["Let me see.", "It is sunny."]
    calls = [(call.name, call.detail) for call in server_of(run).last.calls]
    assert calls[-2] == ("update_chat_ctx", ["sunny in Oslo"])
    assert calls[-1][0] == "generate_reply"
    server_of(run).assert_complete()


def test_a_model_that_replies_to_tools_by_itself_is_not_asked_and_its_reply_is_the_same_speech() -> None:
    run = played(weather(AUTOMATIC))
    assert server_of(run).last.told("generate_reply") == []
    assert run.said() == ["Let me see.", "It is sunny."]
    assert {piece.speech for piece in run.audio} == {"speech-1"}
    (executed,) = run.of(FunctionToolsExecutedEvent)
    assert [output.output for output in executed.function_call_outputs] == ["sunny in Oslo"]


@pytest.mark.parametrize("model", [SPEAKING, AUTOMATIC], ids=["asked", "automatic"])
def test_a_reply_to_tools_in_any_order(model: RealtimeScript) -> None:
    def two_steps(run: Run) -> None:
        assert run.said() == ["Let me see.", "It is sunny."]
        assert {piece.speech for piece in run.audio} == {"speech-1"}

    explore(lambda: weather(model), schedules=3, expect=two_steps)


class Silent(Agent):
    """Its tool needs no reply."""

    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")

    @function_tool
    async def weather(self, city: str) -> None:
        """Nothing to be said about it."""


def test_an_output_that_needs_no_reply_is_given_to_the_server_all_the_same() -> None:
    scenario = talk(SPEAKING, Silent())
    scenario.user_says("Note the weather in Oslo.", at=0.5, until=1.5)
    scenario.realtime_replies("Noted.", duration=1.0, tool_calls=[("weather", '{"city": "Oslo"}')])
    run = played(scenario)
    assert server_of(run).last.told("update_chat_ctx") == [[""]]
    assert server_of(run).last.told("generate_reply") == []
    assert run.agent_states[-1] == "listening"


def test_the_user_who_speaks_while_a_tool_works_gets_the_servers_next_reply() -> None:
    scenario = weather(SPEAKING)
    scenario.user_says("And in Rome?", at=2.8, until=3.5)
    scenario.realtime_replies("Sunny as well.", duration=1.0)
    run = played(scenario)
    assert run.said()[0] == "Let me"
    assert server_of(run).last.truncations[0].transcript == "Let me"
    assert run.agent_states[-1] == "listening"


# -- what it can be told ---------------------------------------------------------------------------------------------


def test_say_is_spoken_by_a_model_that_can() -> None:
    scenario = talk(SPEAKING)
    scenario.call(0.5, lambda session: session.say("Hello there."))
    run = played(scenario)
    assert server_of(run).last.told("say") == ["Hello there."]
    assert run.said() == ["Hello there."]
    assert run.agent_became("speaking") == [near(0.8)]


async def pieces() -> AsyncIterator[str]:
    for piece in ("Hello ", "there."):
        yield piece


def test_say_in_pieces_is_given_to_the_model_as_a_whole() -> None:
    scenario = talk(SPEAKING)
    scenario.call(0.5, lambda session: session.say(pieces()))
    run = played(scenario)
    assert server_of(run).last.told("say") == ["Hello there."]
    assert run.said() == ["Hello there."]


def test_say_is_spoken_by_a_tts_beside_the_model_and_the_model_is_told() -> None:
    scenario = talk(SPEAKING, beside=("tts",))
    scenario.call(0.5, lambda session: session.say("Hello there."))
    scenario.call(3.0, lambda session: session.generate_reply())
    scenario.realtime_replies("How are you?")
    run = played(scenario)
    assert server_of(run).last.told("say") == []
    assert server_of(run).last.told("update_chat_ctx") == [["Hello there."]]
    assert run.said() == ["Hello there.", "How are you?"]


def test_say_without_anybody_who_could_is_an_error() -> None:
    scenario = talk(FIXED)
    scenario.call(0.5, lambda session: session.say("Hello."))
    with pytest.raises(SessionStateError, match="needs a voice"):
        scenario.play()


def test_a_reply_asked_for_has_its_own_instructions_and_tool_choice() -> None:
    scenario = talk(SPEAKING, Weatherman())
    scenario.call(0.5, lambda session: session.generate_reply(instructions="Be short.", tool_choice="none"))
    scenario.realtime_replies("Hi.")
    run = played(scenario)
    assert server_of(run).last.told("generate_reply") == [("Be short.", "none", None)]
    assert server_of(run).last.told("update_instructions") == ["Be kind."]


def test_tools_of_one_reply_are_named_to_the_server() -> None:
    scenario = talk(SPEAKING, Weatherman())
    scenario.call(0.5, lambda session: session.generate_reply(tools=[]))
    scenario.realtime_replies("Hi.")
    run = played(scenario)
    assert server_of(run).last.told("generate_reply") == [(None, "auto", [])]


def test_tool_choice_is_set_for_all_where_it_cannot_be_set_for_one() -> None:
    scenario = talk(FIXED)
    scenario.call(0.5, lambda session: session.generate_reply(tool_choice="none"))
    scenario.realtime_replies("Hi.")
    scenario.call(3.0, lambda session: session.generate_reply())
    scenario.realtime_replies("Hello.")
    run = played(scenario)
    assert server_of(run).last.told("update_options") == ["none", "auto"]
    assert server_of(run).last.told("generate_reply") == [(None, None, None), (None, None, None)]


def test_what_is_typed_is_given_to_the_model_and_answered() -> None:
    scenario = talk(SPEAKING)
    scenario.user_types("Hello.", at=0.5)
    scenario.realtime_replies("Hi.", duration=0.5)
    run = played(scenario)
    assert server_of(run).last.told("update_chat_ctx") == [["Hello."]]
    assert run.conversation == [("user", "Hello."), ("assistant", "Hi.")]
    assert run.agent_states == ["initializing", "listening", "speaking", "listening"]


def test_replies_that_are_asked_for_at_once_are_made_one_after_the_other() -> None:
    """The server works on one at a time, and refuses a second."""
    scenario = talk(CLIENT_TURNS)
    for at in (0.5, 0.6):
        scenario.call(at, lambda session: session.generate_reply())
    scenario.realtime_replies("One.", duration=2.0)
    scenario.realtime_replies("Two.", duration=1.0)
    run = played(scenario)
    assert run.said() == ["One.", "Two."]
    assert run.errors == []


def test_an_interrupted_reply_that_was_not_asked_for_yet_never_is() -> None:
    scenario = talk(CLIENT_TURNS)
    for at in (0.5, 0.6):
        scenario.call(at, lambda session: session.generate_reply())
    scenario.realtime_replies("One.", duration=2.0)
    scenario.call(1.5, lambda session: session.interrupt())
    run = played(scenario)
    assert len(server_of(run).last.told("generate_reply")) == 1


# -- hooks -----------------------------------------------------------------------------------------------------------


class Quiet(Noting):
    """Wants no reply."""

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: object) -> None:
        raise StopResponse


def test_the_hook_may_keep_the_model_from_replying_where_turns_are_found_here() -> None:
    scenario = talk(CLIENT_TURNS, Quiet())
    scenario.user_says("Hm.", at=0.5, until=1.5)
    run = played(scenario)
    assert server_of(run).last.told("commit_audio") == [None]
    assert server_of(run).last.told("generate_reply") == []
    assert run.conversation == [("user", "Hm.")]


def test_the_hook_sees_the_recognisers_words_and_the_history_the_models() -> None:
    agent = Noting()
    run = played(one_turn(CLIENT_TURNS, agent, beside=("stt",)))
    assert agent.heard == ["How are you?"]
    assert [role for role, _ in run.conversation] == ["user", "assistant"]


# -- what it refuses -------------------------------------------------------------------------------------------------


def test_another_conversation_than_its_own_is_refused() -> None:
    scenario = talk(SPEAKING)
    scenario.call(0.5, lambda session: session.generate_reply(chat_ctx=ChatContext.empty()))
    with pytest.raises(SessionStateError, match="keeps the conversation itself"):
        scenario.play()


def test_a_message_is_refused_by_a_model_that_takes_none() -> None:
    scenario = talk(FIXED)
    scenario.call(0.5, lambda session: session.generate_reply(user_input="Hello."))
    with pytest.raises(SessionStateError, match="mutable_chat_context"):
        scenario.play()


def test_what_is_typed_to_a_model_that_takes_no_messages_is_kept_and_said_to_be_unanswered() -> None:
    scenario = talk(FIXED)
    scenario.user_types("Hello.", at=0.5)
    scenario.realtime_replies("Hm?")
    run = played(scenario)
    assert run.conversation[0] == ("user", "Hello.")
    assert ["was not told what the user wrote" in str(event.error) for event in run.errors] == [True]
