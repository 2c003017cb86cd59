"""What words do to a paused speech when they are few, late, only kept, or never final. The story is heard from 3.51."""

from __future__ import annotations

from sessionactors.messages.floor import PauseSpeech, SilenceSpeech
from sessionactors.testing import Scenario

from tests.session.talks import STORY, keeper, near, played
from tests.session.test_interruption_pause import false_interruptions, heard, noise, times


def test_a_turn_that_is_only_kept_does_not_end_the_pause() -> None:
    """The silence since 6.2 counts on; what was said over the story stands behind it."""
    scenario = Scenario(keeper())
    scenario.user_says("Tell me a story.", at=0.5, until=2.5, stt_delay=9.0, interims=[(2.4, "tell me a story")])
    scenario.call(2.9, lambda session: session.commit_user_turn(transcript_timeout=0.0))
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.user_says("", at=5.0, until=5.7, stt_delay=9.0, interims=[(5.3, "hm")])
    scenario.call(6.5, lambda session: session.commit_user_turn(skip_reply=True, transcript_timeout=0.0))
    run = played(scenario)
    assert times(run, PauseSpeech) == [near(5.5)]
    assert false_interruptions(run) == [(near(8.2), True)]
    assert run.conversation[1:] == [("assistant", STORY), ("user", "hm")]


def test_a_kept_turn_without_words_changes_nothing() -> None:
    scenario = noise((5.0, 5.7))
    scenario.call(6.5, lambda session: session.commit_user_turn(skip_reply=True, transcript_timeout=0.0))
    assert false_interruptions(played(scenario)) == [(near(8.2), True)]


def test_a_voice_that_may_interrupt_at_once_does() -> None:
    """What it wants is known as soon as that it speaks."""
    run = played(noise((5.0, 5.7), min_interruption_duration=0.0))
    assert times(run, PauseSpeech) == [near(5.06)]
    assert false_interruptions(run) == [(near(8.2), True)]


def test_a_speech_that_was_held_before_its_first_sound_begins_though_the_voice_is_off_by_then() -> None:
    """The sound is due at 3.0 and held by a noise until 5.8; from 4.5 on there is only text."""
    scenario = Scenario(keeper(), ttfb=1.0)
    scenario.tts_speaks(duration=1.0, text="Excuse me.")
    scenario.call(2.0, lambda session: session.say("Excuse me."))
    scenario.user_says("", at=2.5, until=3.3)
    scenario.call(4.5, lambda session: session.output.set_audio_enabled(False))
    run = played(scenario)
    assert times(run, PauseSpeech) == [near(2.56)]
    assert run.said() == ["Excuse me."]
    assert false_interruptions(run) == [(near(5.8), True)]
    assert run.agent_states[-1] == "listening"


def without_vad(**options: object) -> Scenario:
    """Nobody hears the voice: an interim word comes at 6.0 that never becomes final."""
    scenario = Scenario(keeper(), without=["vad"], **options)  # type: ignore[arg-type]
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.user_says("", at=5.8, until=6.3, interims=[(6.0, "hm")])
    return scenario


def test_without_a_vad_a_word_pauses_and_the_agent_goes_on_when_it_comes_to_nothing() -> None:
    """It is owed for `max_delay`, 3.0 s; then the silence has to last for 2.0 s."""
    run = played(without_vad())
    assert times(run, PauseSpeech) == [near(6.0)]
    assert false_interruptions(run) == [(near(11.0), True)]
    assert heard(run) == near(15.0)


def test_without_a_vad_too_few_words_pause_nothing() -> None:
    run = played(without_vad(min_interruption_words=2))
    assert times(run, PauseSpeech) == times(run, SilenceSpeech) == []
    assert run.said() == [STORY]
