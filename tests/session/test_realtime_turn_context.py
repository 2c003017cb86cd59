"""What ``on_user_turn_completed`` adds to the context of a reply reaches a realtime model, for that reply only."""

from __future__ import annotations

from dataclasses import replace

from sessionactors import Agent, APIError, ChatContext, ChatMessage, RealtimeCapabilities
from sessionactors.testing import CLIENT_TURNS, Faults, RealtimeScript, Run, Scenario, ScriptedRealtimeSession

from .realtime_talks import Realtime, one_turn, talk
from .talks import played

FACT = "The user is called Ada."


class Informed(Agent):
    """Looks something up for each turn."""

    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        turn_ctx.add_message(role="system", content=FACT)


def server(run: Run) -> ScriptedRealtimeSession:
    assert run.realtime is not None
    return run.realtime.last


def known_at_each_request(run: Run) -> list[bool]:
    """Whether the server knew the fact when it was asked, for each request."""
    known, seen = False, []
    for call in server(run).calls:
        if call.name == "update_chat_ctx":
            known = FACT in str(call.detail)
        if call.name == "generate_reply":
            seen.append(known)
    return seen


def informed(realtime: Realtime) -> Scenario:
    return one_turn(realtime, Informed())


def test_what_the_hook_adds_is_known_when_the_reply_is_asked_for_and_forgotten_behind_it() -> None:
    run = played(informed(CLIENT_TURNS))
    assert known_at_each_request(run) == [True]
    assert [text for item in server(run).chat_ctx for text in [getattr(item, "text_content", "")]] == [
        "How are you?",
        "I am fine, thank you.",
    ]
    assert run.conversation == [("user", "How are you?"), ("assistant", "I am fine, thank you.")]


def test_a_reply_that_is_asked_for_again_is_asked_with_it_again() -> None:
    scenario = talk(CLIENT_TURNS, Informed())
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.realtime_replies("", error=APIError("busy"))
    scenario.realtime_replies("Fine.", duration=1.0)
    run = played(scenario)
    assert known_at_each_request(run) == [True, True]
    assert run.said() == ["Fine."]


def test_the_next_session_is_asked_with_it_too() -> None:
    run = played(informed(RealtimeScript(CLIENT_TURNS, faults=Faults([3.02]))))
    assert known_at_each_request(run) == [True]


def test_a_turn_that_is_interrupted_while_the_server_is_told_leaves_nothing_behind() -> None:
    """The server takes its time over the context; the user goes on meanwhile."""
    scenario = talk(CLIENT_TURNS, Informed())
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.user_says("And you?", at=3.2, until=4.0)
    scenario.realtime_replies("I am fine.", ttft=2.0)
    scenario.realtime_replies("All of us are fine.", duration=1.0)
    run = played(scenario)
    assert run.said() == ["All of us are fine."]
    assert FACT not in str([getattr(item, "text_content", "") for item in server(run).chat_ctx])


def test_a_model_that_takes_no_items_is_asked_without() -> None:
    fixed: RealtimeCapabilities = replace(CLIENT_TURNS, mutable_chat_context=False)
    run = played(informed(fixed))
    assert known_at_each_request(run) == [False]
    assert run.said() == ["I am fine, thank you."]
