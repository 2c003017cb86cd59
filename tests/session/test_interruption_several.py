"""Several people over one speech: the agent goes on when nobody speaks any more, and whoever says words cuts it off.

The story is heard from 3.51 on; a voice interrupts after 0.5 s; the detector is sure 0.5 s behind the voice; a
false interruption is over 2.0 s later.
"""

from __future__ import annotations

from sessionactors.messages.floor import PauseSpeech, ResumeSpeech, SilenceSpeech
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import STORY, keeper, near, played
from tests.session.test_interruption_pause import false_interruptions, heard, times

GUEST = "guest"


def together(**options: object) -> Scenario:
    """The caller asks for a story of 15 s; a guest is there, too."""
    scenario = Scenario(keeper(), frame_ms=50, **options)  # type: ignore[arg-type]
    scenario.joins(GUEST)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.llm_otherwise("Fine.")
    return scenario


def went_on(run: Run) -> list[float]:
    return [at for at, resumed in false_interruptions(run) if resumed]


def test_the_silence_of_all_lets_the_agent_go_on() -> None:
    """The caller pauses it; the guest is silent last, at 6.9: 2.0 s behind the detector's word."""
    scenario = together()
    scenario.user_says("", at=5.0, until=5.7)
    scenario.user_says("", at=6.0, until=6.4, participant=GUEST)
    run = played(scenario)
    assert times(run, PauseSpeech) == [near(5.5)]
    assert went_on(run) == [near(8.9)]
    assert heard(run) == near(15.0)
    assert run.said() == [STORY]


def test_one_who_goes_on_keeps_what_another_has_paused() -> None:
    scenario = together()
    scenario.user_says("", at=5.0, until=5.6)
    scenario.user_says("", at=5.2, until=9.0, participant=GUEST)
    run = played(scenario)
    assert times(run, PauseSpeech) == [near(5.5)]
    assert times(run, ResumeSpeech) == [near(11.5)]


def test_a_cough_of_one_does_not_end_the_pause_of_the_other() -> None:
    scenario = together()
    scenario.user_says("", at=5.0, until=8.0)
    scenario.user_says("", at=5.9, until=6.1, participant=GUEST)
    assert times(played(scenario), ResumeSpeech) == [near(10.5)]


def test_words_of_one_cut_off_what_the_other_has_paused() -> None:
    scenario = together()
    scenario.user_says("", at=5.0, until=5.7)
    scenario.user_says("Stop!", at=6.3, until=6.6, participant=GUEST)
    run = played(scenario)
    assert times(run, PauseSpeech) == [near(5.5)]
    assert times(run, SilenceSpeech) == [near(6.8)]
    assert went_on(run) == []
    assert run.conversation[1:] == [("assistant", "Once upon"), ("user", "Stop!"), ("assistant", "Fine.")]


def test_the_open_turn_of_one_is_waited_for_before_the_agent_goes_on() -> None:
    """The guest's interim is there at 6.5, and its final comes at 8.6, behind the two seconds of silence (8.2)."""
    scenario = Scenario(keeper(), frame_ms=50, max_endpointing_delay=6.0)
    scenario.joins(GUEST)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5, stt_delay=2.0)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.user_says("", at=6.5, until=7.2, stt_delay=2.0)
    scenario.user_says("No.", at=7.3, until=7.6, stt_delay=3.0 - 1.0, interims=[(7.5, "no")], participant=GUEST)
    scenario.llm_otherwise("Fine.")
    run = played(scenario)
    assert went_on(run) == []
    assert times(run, SilenceSpeech) == [near(9.6)]
    assert run.conversation[-2:] == [("user", "No."), ("assistant", "Fine.")]


def test_what_one_who_leaves_has_paused_goes_on() -> None:
    """The guest's voice ends with the line, at 5.8."""
    scenario = together()
    scenario.user_says("", at=5.0, until=30.0, participant=GUEST)
    scenario.leaves(GUEST, at=5.8)
    run = played(scenario)
    assert times(run, PauseSpeech) == [near(5.5)]
    assert went_on(run) == [near(7.8)]
    assert heard(run) == near(15.0)


def test_what_one_who_leaves_has_said_still_cuts_the_agent_off() -> None:
    scenario = together()
    scenario.user_says("Stop it, please.", at=5.0, until=5.9, interims=[(5.53, "stop it")], participant=GUEST)
    scenario.leaves(GUEST, at=5.8)
    run = played(scenario)
    assert run.conversation[-2:] == [("user", "stop it"), ("assistant", "Fine.")]
    assert went_on(run) == []


def test_both_speak_at_once_and_both_are_answered() -> None:
    scenario = together()
    scenario.user_says("Stop!", at=5.0, until=5.7)
    scenario.user_says("Yes, stop!", at=5.3, until=6.2, participant=GUEST)
    run = played(scenario)
    assert [text for role, text in run.conversation if role == "user"][1:] == ["Stop!", "Yes, stop!"]
    assert times(run, SilenceSpeech)[0] == near(5.9)
    assert run.said()[-1] == "Fine."


def test_p07_two_people_over_a_speech_in_any_order_of_messages() -> None:
    def talk() -> Scenario:
        scenario = Scenario(keeper(), frame_ms=100, false_interruption_timeout=0.6)
        scenario.joins(GUEST)
        scenario.user_says("Tell me a story.", at=0.5, until=1.5)
        scenario.llm_replies(STORY)
        scenario.tts_speaks(duration=6.0)
        scenario.user_says("", at=3.0, until=3.7)
        scenario.user_says("", at=3.4, until=4.0, participant=GUEST)
        scenario.user_says("Stop.", at=6.0, until=6.8, participant=GUEST)
        scenario.user_says("Yes, stop.", at=6.4, until=7.2)
        scenario.leaves(GUEST, at=6.9)
        scenario.llm_otherwise("Fine.")
        return scenario

    explore(talk, schedules=3)
