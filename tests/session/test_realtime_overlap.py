"""A realtime model beside a detector of interruptions, and what is prepared for it (nothing)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessionactors import InterruptionDetector, SpeechCreatedEvent
from sessionactors.messages.llm import GenerateText
from sessionactors.model.interruption_events import OverlappingSpeechEvent
from sessionactors.testing import CLIENT_TURNS, RealtimeScript, Run, Scenario, ScriptedRealtimeSession, explore

from .realtime_talks import Realtime, talk
from .talks import STORY, near, played
from .test_interruption_overlap import BACKCHANNEL, INTERRUPTION, Judge, after, ended


def server(run: Run) -> ScriptedRealtimeSession:
    assert run.realtime is not None
    return run.realtime.last


def mumbled(
    judge: InterruptionDetector,
    until: float = 6.9,
    realtime: Realtime = CLIENT_TURNS,
    detection: str | None = None,
    **options: object,
) -> Scenario:
    """The story is heard from 3.3 s on (15 s of it); the user says something over it from 6 s on."""
    handling: dict[str, object] = {"interruption": {"mode": judge}}
    if detection is not None:
        handling["turn_detection"] = detection
    scenario = talk(realtime, None, turn_handling=handling, **options)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.realtime_replies(STORY, duration=15.0)
    scenario.user_says("mm-hm", at=6.0, until=until)
    scenario.realtime_replies("Fine.", duration=1.0)
    return scenario


def uninterrupted(run: Run) -> None:
    assert run.audible("speech-1") == [(near(3.3), near(18.3))]
    assert run.conversation == [("user", "Tell me a story."), ("assistant", STORY)]
    assert len(server(run).told("commit_audio")) == 1
    assert len(server(run).told("clear_audio")) == 1


def test_a_backchannel_is_no_turn_and_the_model_forgets_it() -> None:
    run = played(mumbled(Judge(ended(BACKCHANNEL))))
    uninterrupted(run)
    assert run.user_became("speaking") == [near(0.55), near(6.05)]
    assert [event.is_interruption for event in run.of(OverlappingSpeechEvent)] == [False]
    (cleared,) = [call.at for call in server(run).calls if call.name == "clear_audio"]
    assert cleared == near(7.5)  # 7.4, and the question then under way and the last one take 0.05 s each


def test_a_backchannel_is_no_turn_in_any_order() -> None:
    explore(lambda: mumbled(Judge(ended(BACKCHANNEL), takes=0.6)), schedules=3, expect=uninterrupted)


def test_an_interruption_cuts_the_reply_and_is_a_turn() -> None:
    run = played(mumbled(Judge(after(0.25)), until=7.5))
    ((_, until),) = run.audible("speech-1")
    assert until == pytest.approx(6.35, abs=0.1)
    assert run.conversation[-2:] == [("user", "mm-hm"), ("assistant", "Fine.")]
    assert server(run).told("clear_audio") == []


@pytest.mark.parametrize("takes", [0.05, 30.0], ids=["has no opinion", "never answers"])
def test_what_nobody_can_judge_is_a_turn(takes: float) -> None:
    """A turn of the user's that is lost is worse than an interruption."""
    run = played(mumbled(Judge(lambda _: None, takes=takes), until=6.4))
    assert ("user", "mm-hm") in run.conversation
    assert server(run).told("clear_audio") == []


def test_words_before_the_agents_voice_are_not_forgotten_with_a_noise_over_it() -> None:
    """A greeting begins within the turn: what the model heard before it is the user's question."""
    scenario = talk(
        CLIENT_TURNS,
        turn_handling={"interruption": {"mode": Judge(ended(BACKCHANNEL))}, "endpointing": {"min_delay": 2.0}},
    )
    scenario.user_says("How are you?", at=0.5, until=1.0)
    scenario.call(1.6, lambda session: session.say("Hello there, my friend."))
    scenario.user_says("mm-hm", at=2.1, until=2.4)
    scenario.realtime_replies("I am fine.", duration=1.0)
    run = played(scenario)
    assert server(run).told("clear_audio") == []
    assert ("assistant", "I am fine.") in run.conversation


def test_by_hand_a_noise_stays_in_the_audio_that_will_be_committed() -> None:
    scenario = mumbled(Judge(ended(BACKCHANNEL)), detection="manual", beside=("vad",))
    scenario.call(3.0, lambda session: session.commit_user_turn())
    run = played(scenario)
    assert server(run).told("clear_audio") == []
    assert [event.is_interruption for event in run.of(OverlappingSpeechEvent)] == [False]


def test_beside_a_recogniser_the_words_are_discarded_and_the_model_forgets_the_audio() -> None:
    uninterrupted(played(mumbled(Judge(ended(BACKCHANNEL)), beside=("stt",))))


def test_a_judge_beside_the_servers_own_detection_turns_that_off() -> None:
    run = played(
        mumbled(Judge(ended(BACKCHANNEL)), realtime=replace(CLIENT_TURNS, turn_detection=True), beside=("vad",))
    )
    assert not server(run).detects_turns
    uninterrupted(run)


def test_nothing_is_prepared_for_a_realtime_model() -> None:
    """Preemptive generation is of words; the model hears the turn itself, and is asked once."""
    scenario = talk(RealtimeScript(CLIENT_TURNS), beside=("stt",), preemptive_generation=True)
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.realtime_replies("I am fine.", duration=1.0)
    run = played(scenario)
    assert len(run.handled(GenerateText, "realtime")) == 1
    assert len(server(run).told("generate_reply")) == 1
    assert len(run.of(SpeechCreatedEvent)) == 1


def test_an_interruption_that_is_judged_in_the_end_is_a_turn_of_its_own() -> None:
    run = played(mumbled(Judge(ended(INTERRUPTION))))
    assert run.conversation[-2:] == [("user", "mm-hm"), ("assistant", "Fine.")]
