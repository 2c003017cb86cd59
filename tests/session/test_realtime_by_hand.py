"""Turns of a realtime model that are ended by hand, and what keeps the user's voice from it."""

from __future__ import annotations

import pytest

from sessionactors.messages.realtime import UserAudio
from sessionactors.testing import CLIENT_TURNS, SPEAKING, Run, Scenario, ScriptedRealtime

from .realtime_talks import barge_in, talk
from .talks import near, played


def server_of(run: Run) -> ScriptedRealtime:
    assert run.realtime is not None
    return run.realtime


def by_hand() -> Scenario:
    """A model whose server is told to detect no turns; the user speaks from 0.5 to 2.5 s."""
    scenario = talk(SPEAKING, turn_detection="manual")
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.realtime_replies("I am fine.", duration=1.0)
    return scenario


def test_a_turn_is_committed_by_hand_and_answered() -> None:
    scenario = by_hand()
    scenario.call(2.6, lambda session: session.commit_user_turn())
    run = played(scenario)
    assert not server_of(run).last.detects_turns
    assert [call.name for call in server_of(run).last.calls][-2:] == ["commit_audio", "generate_reply"]
    assert run.agent_became("speaking") == [near(2.9)]
    assert run.conversation == [("user", "How are you?"), ("assistant", "I am fine.")]


def test_a_turn_that_is_not_committed_is_not_answered() -> None:
    scenario = by_hand()
    run = played(scenario)
    assert server_of(run).last.told("commit_audio") == []
    assert run.conversation == []


def test_a_turn_may_be_committed_without_a_reply() -> None:
    scenario = by_hand()
    scenario.call(2.6, lambda session: session.commit_user_turn(skip_reply=True))
    run = played(scenario)
    assert server_of(run).last.told("generate_reply") == []
    assert run.conversation == [("user", "How are you?")]


def test_a_turn_is_cleared_by_hand() -> None:
    scenario = by_hand()
    scenario.call(2.6, lambda session: session.clear_user_turn())
    scenario.call(3.0, lambda session: session.commit_user_turn())
    run = played(scenario)
    assert [call.name for call in server_of(run).last.calls if "audio" in call.name] == ["clear_audio", "commit_audio"]
    assert run.conversation == [("assistant", "I am fine.")]


def test_where_the_server_ends_turns_a_commit_by_hand_finds_nothing_to_do() -> None:
    scenario = talk(SPEAKING)
    scenario.call(0.5, lambda session: session.commit_user_turn())
    run = played(scenario)
    assert server_of(run).last.told("commit_audio") == []
    assert run.agent_states == ["initializing", "listening"]


def test_over_a_protected_speech_the_model_hears_silence_of_the_same_size() -> None:
    scenario = barge_in(CLIENT_TURNS, allow_interruptions=False)
    run = scenario.play()
    assert float(str(run.state_of("ear-caller/input")["silenced"])) == near(17.0)  # both replies are
    heard = sum(order.frame.duration for order in run.told(UserAudio, "realtime"))
    assert heard == pytest.approx(run.ended_at, abs=1.0)  # nothing is missing: only its content is


def test_a_voice_in_text_mode_is_not_asked_for() -> None:
    """Without a place to be heard the model's text is shown and its sound let go."""
    scenario = talk(SPEAKING, audio=False)
    scenario.user_types("Hello.", at=0.5)
    scenario.realtime_replies("Hi there.")
    run = played(scenario)
    assert run.conversation == [("user", "Hello."), ("assistant", "Hi there.")]
    assert run.agent_states == ["initializing", "listening", "speaking", "listening"]
