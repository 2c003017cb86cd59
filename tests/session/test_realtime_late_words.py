"""Words of the user that a realtime model tells late: they stand in the history where they were said."""

from __future__ import annotations

import pytest

from sessionactors import Agent, ConversationItemAddedEvent, RealtimeCapabilities
from sessionactors.actors.realtime_spoken import began, ended, named, taken
from sessionactors.model.chat import ChatMessage
from sessionactors.testing import CLIENT_TURNS, SPEAKING, Faults, RealtimeScript, Run, Scenario, VirtualLoop, explore

from .realtime_talks import barge_in, one_turn, talk
from .talks import keeper, near, played

QUESTION, ANSWER = ("user", "How are you?"), ("assistant", "I am fine, thank you.")
MODELS = pytest.mark.parametrize("model", [SPEAKING, CLIENT_TURNS], ids=["server", "client"])


def late(scenario: Scenario, close: float) -> Scenario:
    """The scenario, open until its words have come."""
    scenario.close(close)
    return scenario


def said(run: Run) -> list[ChatMessage]:
    return [item for item in run.added if isinstance(item, ChatMessage) and item.role == "user"]


@MODELS
def test_words_that_come_after_the_reply_has_ended_stand_before_it(model: RealtimeCapabilities) -> None:
    """Heard from 3.3 to 5.3; the words come at 6."""
    agents: list[Agent] = []

    def agent() -> Agent:
        agents.append(keeper())
        return agents[-1]

    run = played(late(one_turn(RealtimeScript(model, transcription_delay=3.0), agent()), 6.2))
    assert run.conversation == [QUESTION, ANSWER]
    (words,) = said(run)
    assert words.created_at - VirtualLoop.wall_origin == near(3.0 if model is SPEAKING else 2.5)
    remembered = [item.text_content for item in agents[0].chat_ctx.items if isinstance(item, ChatMessage)]
    assert remembered[-2:] == [QUESTION[1], ANSWER[1]]


@MODELS
def test_late_words_are_told_when_they_come(model: RealtimeCapabilities) -> None:
    run = played(late(one_turn(RealtimeScript(model, transcription_delay=3.0)), 6.2))
    told = [
        (event.item.role, timed.at)
        for timed in run.events
        if isinstance(event := timed.event, ConversationItemAddedEvent) and isinstance(event.item, ChatMessage)
    ]
    assert told == [("assistant", near(5.3)), ("user", near(6.0))]


@MODELS
def test_words_of_two_turns_that_come_at_the_end_stand_each_at_its_place(model: RealtimeCapabilities) -> None:
    run = played(late(barge_in(RealtimeScript(model, transcription_delay=8.0)), 15.0))
    assert [role for role, _ in run.conversation] == ["user", "assistant", "user", "assistant"]
    assert [words.text_content for words in said(run)] == ["Tell me a story.", "Stop!"]


def test_late_words_keep_their_place_in_any_order() -> None:
    def in_place(run: Run) -> None:
        assert [role for role, _ in run.conversation] == ["user", "assistant", "user", "assistant"]

    explore(
        lambda: late(barge_in(RealtimeScript(SPEAKING, transcription_delay=8.0)), 15.0), schedules=3, expect=in_place
    )


def test_late_words_have_the_times_of_their_own_speech() -> None:
    """The words of the first turn come while the second is being said."""
    run = played(barge_in(RealtimeScript(SPEAKING, transcription_delay=2.5)))
    times = [(words.metrics["started_speaking_at"], words.metrics["stopped_speaking_at"]) for words in said(run)]
    origin = VirtualLoop.wall_origin
    assert [(began_at - origin, ended_at - origin) for began_at, ended_at in times] == [
        (near(0.55), near(3.0)),
        (near(5.05), near(6.5)),
    ]


def test_the_next_session_is_given_late_words_in_their_place() -> None:
    scenario = talk(RealtimeScript(SPEAKING, transcription_delay=3.0, faults=Faults([7.0])))
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.realtime_replies("I am fine, thank you.", duration=2.0)
    scenario.user_says("Good.", at=8.0, until=9.0)
    scenario.realtime_replies("Yes.")
    run = played(scenario)
    assert run.realtime is not None
    assert run.realtime.sessions[1].told("update_chat_ctx")[0] == [QUESTION[1], ANSWER[1]]


# -- which speech the words belong to, as a table --------------------------------------------------------------------


def test_words_find_the_speech_of_their_item_also_out_of_order() -> None:
    spoken = ended(began((), "a", 1), "a", 2)
    spoken = ended(began(spoken, "b", 3), "b", 4)
    second, left = taken(spoken, "b")
    assert second is not None
    assert (second.started_at, second.ended_at) == (3, 4)
    first, left = taken(left, "a")
    assert first is not None
    assert (first.started_at, left) == (1, ())


def test_without_the_servers_ids_words_come_in_order() -> None:
    spoken = ended(began((), "", 1), "", 2)
    spoken = ended(began(spoken, "", 3), "", 4)
    first, left = taken(spoken, "whatever")
    assert first is not None
    assert first.started_at == 1
    assert [one.started_at for one in left] == [3]


def test_an_item_of_the_server_names_the_oldest_speech_without_a_name() -> None:
    spoken = ended(began((), "", 1), "", 2)
    spoken = ended(began(spoken, "", 3), "", 4)
    spoken = named(named(named(spoken, "a"), "b"), "b")
    assert [one.item_id for one in spoken] == ["a", "b"]
    assert taken(spoken, "c") == (None, spoken)


def test_an_item_that_is_named_only_when_the_user_is_done() -> None:
    assert [one.item_id for one in ended(began((), "", 1), "a", 2)] == ["a"]
