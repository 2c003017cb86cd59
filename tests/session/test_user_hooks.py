"""The user's hooks: ``on_user_turn_completed``, ``on_enter``, ``on_exit``."""

from __future__ import annotations

import asyncio

from sessionactors import Agent, ChatContext, ChatMessage, ErrorEvent, StopResponse
from sessionactors.messages.session import SettleTurns
from sessionactors.testing import Scenario

from tests.session.talks import Noting, near, one_turn, played, typed


def test_the_hook_gets_the_conversation_before_the_message() -> None:
    agent = Noting()
    played(typed(agent, "One.", "Two."))
    assert agent.heard == ["One.", "Two."]
    assert agent.contexts == [["Be kind."], ["Be kind.", "One.", "Answer 1."]]


class Adds(Noting):
    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        turn_ctx.add_message(role="system", content=f"The user said: {new_message.text_content}")


def test_what_the_hook_adds_is_for_this_reply_only() -> None:
    run = played(typed(Adds(), "One.", "Two."))
    texts = [[item.text_content for item in request.items if isinstance(item, ChatMessage)] for request in run.requests]
    assert texts == [
        ["Be kind.", "The user said: One.", "One."],
        ["Be kind.", "One.", "Answer 1.", "The user said: Two.", "Two."],
    ]
    assert [text for _, text in run.conversation] == ["One.", "Answer 1.", "Two.", "Answer 2."]


class Refuses(Noting):
    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        if "bad" in new_message.text_content:
            raise StopResponse


def test_a_hook_may_ask_for_no_reply_and_the_message_is_not_stored() -> None:
    run = played(typed(Refuses(), "Something bad.", "Something good."))
    assert run.conversation == [("user", "Something good."), ("assistant", "Answer 1.")]
    assert run.state_of("agent")["discarded"] == 1


class Breaks(Noting):
    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        if "One" in new_message.text_content:
            raise KeyError("no such thing")


def test_a_hook_that_raises_costs_the_reply_but_not_the_message() -> None:
    run = played(typed(Breaks(), "One.", "Two."))
    assert run.conversation == [("user", "One."), ("user", "Two."), ("assistant", "Answer 1.")]
    (event,) = run.errors
    assert isinstance(event, ErrorEvent)
    assert isinstance(event.error, KeyError)
    assert (event.source, event.recoverable) == ("on_user_turn_completed", True)


class Slow(Noting):
    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        await asyncio.sleep(1.5)
        await super().on_user_turn_completed(turn_ctx, new_message)


def test_turns_wait_for_the_hook_of_the_one_before_and_none_is_lost() -> None:
    agent = Slow()
    scenario = Scenario(agent, audio=False)
    for number in range(3):
        scenario.user_types(f"Number {number}.", at=0.5 + number / 10)
    scenario.llm_otherwise("Yes.")
    run = played(scenario)
    assert agent.heard == ["Number 0.", "Number 1.", "Number 2."]
    assert [text for role, text in run.conversation if role == "user"] == agent.heard


def test_a_slow_hook_delays_the_reply_and_the_figures_say_so() -> None:
    run = played(one_turn(Slow()))
    assert run.agent_became("thinking") == [near(4.5)]


class Hangs(Noting):
    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        await asyncio.sleep(25.0)


def test_a_hook_that_hangs_is_named_within_a_second_of_its_deadline() -> None:
    run = played(one_turn(Hangs()))
    (event,) = run.errors
    assert "the reply to turn-1" in str(event.error)
    (at,) = [timed.at for timed in run.events if timed.event is event]
    assert 13.0 <= at <= 14.0
    assert run.said() == ["I am fine, thank you."]


# -- enter and exit --------------------------------------------------------------------------------------------------


class Greets(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")
        self.left = 0

    async def on_enter(self) -> None:
        self.session.say("Welcome.")

    async def on_exit(self) -> None:
        await asyncio.sleep(0.1)
        self.left += 1


def test_on_enter_may_speak_first() -> None:
    agent = Greets()
    run = played(one_turn(agent))
    assert run.said() == ["Welcome.", "I am fine, thank you."]
    assert run.agent_states[:4] == ["initializing", "listening", "speaking", "listening"]


def test_on_exit_runs_once_when_the_session_closes() -> None:
    agent = Greets()
    run = played(one_turn(agent))
    assert agent.left == 1
    assert len(run.told(SettleTurns)) == 1


class Clumsy(Agent):
    async def on_enter(self) -> None:
        raise KeyError("enter")

    async def on_exit(self) -> None:
        raise KeyError("exit")


def test_hooks_of_enter_and_exit_that_raise_are_reported_and_the_session_goes_on() -> None:
    run = played(one_turn(Clumsy(instructions="Be kind.")))
    assert [(event.source, str(event.error)) for event in run.errors] == [
        ("on_enter", "'enter'"),
        ("on_exit", "'exit'"),
    ]
    assert run.said() == ["I am fine, thank you."]


def test_the_agent_knows_its_session_only_while_it_runs() -> None:
    agent = Greets()
    played(one_turn(agent))
    assert agent._session is None
