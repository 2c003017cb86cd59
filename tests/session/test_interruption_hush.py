"""What waits while the user makes a noise begins in the middle of the silence that the detector waits for.

Half of the configured minimal delay (0.25 s of 0.5) without voice is enough; the detector is sure after 0.5 s.
"""

from __future__ import annotations

from sessionactors import Agent
from sessionactors.messages.floor import FloorGranted, PauseSpeech, SilenceSpeech
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import STORY, keeper, near, played
from tests.session.test_interruption_pause import false_interruptions, plain_room


def said_over_a_cough(agent: Agent | None = None, *, until: float = 2.2, **options: object) -> Scenario:
    """A cough from 1.8 on, and a sentence of a second that is to be said from 2.0 on."""
    scenario = Scenario(agent or keeper(), **options)  # type: ignore[arg-type]
    scenario.tts_speaks(duration=1.0, text="Excuse me.")
    scenario.user_says("", at=1.8, until=until)
    scenario.call(2.0, lambda session: session.say("Excuse me."))
    return scenario


def granted(run: Run) -> list[float]:
    return [run.time_of(delivery) for delivery in run.handled(FloorGranted)]


def test_what_waits_begins_when_half_of_the_minimal_delay_was_silent() -> None:
    run = played(said_over_a_cough())
    assert granted(run) == [near(2.46)]
    assert run.audible("speech-1") == [(near(2.46), near(3.46))]
    assert run.user_became("listening") == [near(2.7)]  # the detector is sure only then
    assert false_interruptions(run) == []  # nobody was interrupted


def test_half_of_the_delay_is_of_the_configured_one() -> None:
    run = played(said_over_a_cough(min_endpointing_delay=0.9))
    assert run.audible("speech-1") == [(near(2.66), near(3.66))]


def test_who_goes_on_behind_a_short_silence_is_not_spoken_over() -> None:
    scenario = said_over_a_cough(until=2.05)
    scenario.user_says("", at=2.15, until=2.25)
    run = played(scenario)
    assert run.audible("speech-1") == [(near(2.51), near(3.51))]


def test_a_voice_that_goes_on_before_the_first_sound_holds_it_again() -> None:
    """The floor was granted in the silence; the voice comes again before the synthesis has given anything."""
    scenario = Scenario(keeper(), ttfb=0.6)  # the sound is due at 2.65
    scenario.user_says("", at=1.9, until=2.0)
    scenario.call(2.05, lambda session: session.say("Excuse me."))
    scenario.tts_speaks(duration=1.0, text="Excuse me.")
    scenario.user_says("", at=2.3, until=2.38)
    run = played(scenario)
    assert granted(run) == [near(2.26)]
    assert [run.time_of(delivery) for delivery in run.handled(PauseSpeech, "output")] == [near(2.3)]
    assert run.audible("speech-1") == [(near(2.88), near(3.88))]


def test_who_has_said_words_is_not_spoken_over_in_a_short_silence() -> None:
    """Words are there, their final is not: the turn is waited for, and answered."""
    scenario = Scenario(keeper())
    scenario.tts_speaks(duration=1.0, text="Excuse me.")
    scenario.user_says("Wait.", at=1.8, until=2.2, stt_delay=0.4, interims=[(2.1, "wait")])
    scenario.call(2.0, lambda session: session.say("Excuse me."))
    scenario.llm_replies("Yes.")
    run = played(scenario)
    assert run.audible("speech-1") == []
    assert run.conversation == [("user", "Wait."), ("assistant", "Yes.")]


def test_a_long_voice_is_waited_for_until_its_silence_has_lasted() -> None:
    run = played(said_over_a_cough(until=2.9))  # long enough for an interruption: 2.0 s behind the detector's word
    assert run.audible("speech-1") == [(near(5.4), near(6.4))]


def test_by_hand_what_waits_begins_when_the_detector_is_sure() -> None:
    run = played(said_over_a_cough(turn_detection="manual"))
    assert run.audible("speech-1") == [(near(2.7), near(3.7))]


def test_by_hand_a_voice_holds_the_first_sound_and_however_long_it_is_cuts_nothing_off() -> None:
    """The floor is granted at 2.0 and the sound is due at 3.0; the user speaks from 2.5 to 4.5, with words."""
    scenario = Scenario(keeper(), turn_detection="manual", ttfb=1.0)
    scenario.tts_speaks(duration=1.0, text="Excuse me.")
    scenario.call(2.0, lambda session: session.say("Excuse me."))
    scenario.user_says("Wait, please.", at=2.5, until=4.5, interims=[(3.5, "wait")])
    run = played(scenario)
    assert [run.time_of(delivery) for delivery in run.handled(PauseSpeech, "output")] == [near(2.56)]
    assert run.audible("speech-1") == [(near(5.0), near(6.0))]
    assert run.conversation == [("assistant", "Excuse me."), ("user", "Wait, please.")]


def test_a_reply_on_a_sink_that_cannot_pause_waits_no_longer_either() -> None:
    scenario = Scenario(keeper(), room=plain_room)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies("Here is one.", ttft=0.5, duration=0.6)
    scenario.tts_speaks(duration=2.0)
    scenario.user_says("", at=3.1, until=3.45)
    run = played(scenario)
    assert run.audible("speech-1") == [(near(3.81), near(5.81))]


def test_p07_a_short_silence_in_any_order_of_messages() -> None:
    def talk() -> Scenario:
        scenario = said_over_a_cough(frame_ms=50, room=plain_room)
        scenario.user_says("Stop.", at=2.4, until=2.5)
        scenario.llm_otherwise("Fine.")
        return scenario

    explore(talk, schedules=4)


# -- few words over what is held ---------------------------------------------------------------------------------------


def one_word_while_thinking(**options: object) -> Scenario:
    """Two words are asked for; one is said while the model thinks."""
    scenario = Scenario(keeper(), min_interruption_words=2, **options)  # type: ignore[arg-type]
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY, ttft=1.0, duration=1.2)
    scenario.tts_speaks(duration=4.0)
    scenario.user_says("Wait.", at=3.05, until=3.35)
    scenario.llm_otherwise("Fine.")
    return scenario


def test_a_final_cuts_off_what_it_holds_back_however_few_its_words() -> None:
    """The voice holds the reply before its first sound; that it was no noise the final shows, at 3.55."""
    run = played(one_word_while_thinking())
    assert [run.time_of(delivery) for delivery in run.handled(SilenceSpeech, "output")] == [near(3.55)]
    assert run.conversation == [("user", "Tell me a story."), ("user", "Wait."), ("assistant", "Fine.")]
    assert run.agent_became("thinking") == [near(3.0), near(3.85)]


def test_where_nothing_can_be_held_too_few_words_wait_for_more() -> None:
    run = played(one_word_while_thinking(room=plain_room))
    assert run.said() == [STORY]
    assert run.conversation[-1] == ("user", "Wait.")  # stored when the session closes
