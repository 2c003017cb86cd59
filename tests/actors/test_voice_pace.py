"""A voice that drips: it gives signs of life, and is far slower than it is heard."""

from __future__ import annotations

import pytest

from sessionactors import ErrorEvent, TTSError
from sessionactors.actors.voice_pace import VoicePace
from sessionactors.runtime import NS
from sessionactors.testing import Run, Scenario, explore
from sessionactors.testing.scripted_tts import ScriptedTTS, ScriptedVoice

from tests.session.talks import Session, keeper, played

STORY = "Once upon a time there was a horse that could sing."


@pytest.mark.parametrize(
    "steps, late",
    [
        ([("spoke", 1.0), ("works", 0.0), ("works", 1.0)], 0.0),
        ([("spoke", 0.1), ("works", 0.0), ("works", 1.0), ("spoke", 0.1)], 0.8),
        ([("spoke", 0.1), ("works", 0.0), ("waits", 1.0), ("works", 9.0), ("works", 10.0)], 1.9),
        ([("spoke", 5.0), ("works", 0.0), ("works", 4.0)], 0.0),
        ([("spoke", 5.0), ("works", 0.0), ("works", 8.0)], 3.0),
    ],
    ids=["in time", "behind", "waiting for us is not counted", "ahead", "ahead, then behind"],
)
def test_the_pace_of_a_voice_is_its_audio_against_the_time_in_which_it_worked(
    steps: list[tuple[str, float]], late: float
) -> None:
    pace = VoicePace()
    for what, number in steps:
        pace = pace.spoke(number) if what == "spoke" else pace.at(round(number * NS), works=what == "works")
    assert pace.seconds_late == pytest.approx(late)
    assert pace.is_news is (late > 2.0)
    assert not pace.as_named().is_news


def dripping(seconds: float = 1.0) -> Scenario:
    """Each piece of the voice's audio comes so many seconds behind the one before."""
    scenario = Scenario(keeper())
    scenario.inject(f"drip:{seconds:g} tts.audio#3")

    def say(session: Session) -> None:
        _ = session.say(STORY)

    scenario.call(1.0, say)
    return scenario


def told(run: Run) -> list[ErrorEvent]:
    return [event for event in run.of(ErrorEvent) if event.source == "tts"]


def test_p13_a_voice_that_drips_is_named_once_and_heard_to_its_end() -> None:
    run = played(dripping())
    (event,) = told(run)
    assert event.recoverable
    assert isinstance(event.error, TTSError)
    assert "speaks slower than it is heard" in str(event.error.error)
    assert run.said() == [STORY]


def test_p13_a_voice_in_time_is_not_named() -> None:
    assert told(played(dripping(0.001))) == []


def test_p13_a_voice_that_drips_does_so_in_any_order() -> None:
    explore(dripping, schedules=1)


def test_a_pause_between_the_users_text_is_not_the_voices() -> None:
    """The model is slow: the voice waits for text, and is not told to be slow."""
    scenario = Scenario(keeper(), tts=ScriptedTTS(script=[ScriptedVoice()]))
    scenario.user_types("A story, please.", at=0.5)
    scenario.llm_replies("One moment, I am thinking. " + STORY, duration=12.0)
    assert told(played(scenario)) == []
