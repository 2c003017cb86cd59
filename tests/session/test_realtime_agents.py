"""Agents of a session with a realtime model: handing over, changing them while they run, and models of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sessionactors import (
    LLM,
    Agent,
    ChatContext,
    OptionError,
    RealtimeCapabilities,
    RealtimeError,
    RealtimeModel,
    function_tool,
)
from sessionactors.session.realtime_limits import check_model
from sessionactors.testing import SPEAKING, Run, Scenario, ScriptedLLM, ScriptedRealtime, explore

from .realtime_talks import Weatherman, talk
from .talks import Session, near, played

FIXED = replace(SPEAKING, mutable_chat_context=False, mutable_instructions=False, mutable_tools=False)


def server_of(run: Run) -> ScriptedRealtime:
    assert run.realtime is not None
    return run.realtime


class Brief(Agent):
    """Takes over, and says so."""

    def __init__(self) -> None:
        super().__init__(instructions="Be brief.", chat_ctx=ChatContext.empty())

    async def on_enter(self) -> None:
        self.session.generate_reply()


class Receptionist(Agent):
    """Hands over when asked."""

    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")

    @function_tool
    async def connect(self) -> Agent:
        """To somebody brief."""
        return Brief()


def handoff(model: RealtimeCapabilities) -> Scenario:
    scenario = talk(model, Receptionist())
    scenario.user_says("Somebody else, please.", at=0.5, until=1.5)
    scenario.realtime_replies("One moment.", duration=1.0, tool_calls=[("connect", "{}")])
    scenario.realtime_replies("Yes?", duration=0.5)
    scenario.user_says("What is it?", at=5.0, until=6.0)
    scenario.realtime_replies("It.", duration=0.5)
    return scenario


def test_another_agent_goes_on_in_the_same_session_if_the_model_can_be_changed() -> None:
    run = played(handoff(SPEAKING))
    (session,) = server_of(run).sessions
    assert session.told("update_instructions") == ["Be kind.", "Be brief."]
    assert session.told("update_tools") == [["connect"], []]
    assert run.said() == ["One moment.", "Yes?", "It."]
    assert "function_call" not in [item.type for item in session.chat_ctx]  # those were the other agent's
    server_of(run).assert_complete()


def test_a_model_that_cannot_be_changed_gets_a_new_session_for_another_agent() -> None:
    run = played(handoff(FIXED))
    first, second = server_of(run).sessions
    assert first.closed
    assert (first.instructions, second.instructions) == ("Be kind.", "Be brief.")
    assert run.said() == ["One moment.", "Yes?", "It."]
    assert run.errors == []


@pytest.mark.parametrize("model", [SPEAKING, FIXED], ids=["changed", "new"])
def test_a_handoff_in_any_order(model: RealtimeCapabilities) -> None:
    def all_said(run: Run) -> None:
        assert run.said() == ["One moment.", "Yes?", "It."]

    explore(lambda: handoff(model), schedules=3, expect=all_said)


def changed(model: RealtimeCapabilities, change: Callable[[Session], object]) -> Run:
    scenario = talk(model, Weatherman())
    scenario.call(0.5, change)
    scenario.call(1.0, lambda session: session.generate_reply())
    scenario.realtime_replies("Hi.")
    return played(scenario)


def test_new_instructions_reach_the_running_session() -> None:
    run = changed(SPEAKING, lambda session: session.current_agent.update_instructions("Be brief."))
    assert server_of(run).last.told("update_instructions") == ["Be kind.", "Be brief."]
    assert len(server_of(run).sessions) == 1


def test_new_tools_reach_the_running_session() -> None:
    run = changed(SPEAKING, lambda session: session.current_agent.update_tools([]))
    assert server_of(run).last.told("update_tools") == [["weather"], []]


def test_another_conversation_reaches_the_running_session() -> None:
    context = ChatContext.empty()
    context.add_message(role="user", content="My name is Ann.")
    run = changed(SPEAKING, lambda session: session.current_agent.update_chat_ctx(context))
    assert server_of(run).last.told("update_chat_ctx") == [["My name is Ann."]]
    assert [item.type for item in server_of(run).last.chat_ctx] == ["message", "message"]


@pytest.mark.parametrize(
    "change",
    [
        lambda session: session.current_agent.update_instructions("Be brief."),
        lambda session: session.current_agent.update_tools([]),
        lambda session: session.current_agent.update_chat_ctx(_one_message()),
    ],
    ids=["instructions", "tools", "conversation"],
)
def test_what_the_model_cannot_change_is_a_typed_error_and_the_call_goes_on(
    change: Callable[[Session], object],
) -> None:
    run = changed(FIXED, change)
    (event,) = run.errors
    assert isinstance(event.error.__cause__, RealtimeError)
    assert event.recoverable
    assert run.said() == ["Hi."]
    assert run.agent_became("speaking") == [near(1.3)]


def _one_message() -> ChatContext:
    context = ChatContext.empty()
    context.add_message(role="user", content="My name is Ann.")
    return context


@pytest.mark.parametrize("own, of_session", [(ScriptedLLM(), ScriptedRealtime()), (ScriptedRealtime(), ScriptedLLM())])
def test_an_agent_with_a_model_of_its_own_does_not_go_with_a_realtime_one(
    own: LLM | RealtimeModel, of_session: LLM | RealtimeModel
) -> None:
    with pytest.raises(OptionError, match="agent 'clerk' brings"):
        check_model("clerk", own, of_session)
    check_model("clerk", of_session, of_session)
