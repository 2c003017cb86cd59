"""Turns and interruptions by voice: what is said, when, and what the history keeps of it.

The arithmetic of one turn: the user falls silent at 2.5; the final comes at 2.7; the detector is sure at 3.0, when the
silence of 0.5 s that ends a turn has passed too; the model has said all at 3.3 and the voice takes 0.2 s more.
"""

from __future__ import annotations

import pytest

from sessionactors import ChatMessage
from sessionactors.messages.floor import SilenceSpeech, TurnClaim
from sessionactors.model.events import AgentState, MetricsCollectedEvent
from sessionactors.model.metrics import EOUMetrics, InterruptionMetrics
from sessionactors.testing import Run, Scenario

from tests.session.talks import STORY, Session, barge_in, keeper, near, one_turn, played


def assistant(run: Run) -> list[ChatMessage]:
    return [item for item in run.history if isinstance(item, ChatMessage) and item.role == "assistant"]


def test_one_turn_from_the_users_voice_to_the_last_word() -> None:
    run = played(one_turn())
    assert run.agent_states == ["initializing", "listening", "thinking", "speaking", "listening"]
    assert run.user_states == ["listening", "speaking", "listening"]
    assert run.conversation == [("user", "How are you?"), ("assistant", "I am fine, thank you.")]
    assert run.agent_became("thinking") == [near(3.0)]
    assert run.agent_became("speaking") == [near(3.5)]
    assert run.agent_became("listening") == [0.0, near(5.5)]
    assert run.audible("speech-1") == [(near(3.5), near(5.5))]


def test_the_end_of_a_turn_is_counted_from_the_end_of_speech_not_from_the_transcript() -> None:
    scenario = one_turn(min_endpointing_delay=1.2)
    run = played(scenario)
    assert run.agent_became("thinking") == [near(2.5 + 1.2)]


def test_a_late_transcript_is_waited_for_and_then_ends_the_turn_at_once() -> None:
    scenario = Scenario(keeper())
    scenario.user_says("How are you?", at=0.5, until=2.5, stt_delay=1.4)
    scenario.llm_replies("Fine.")
    run = played(scenario)
    assert run.agent_became("thinking") == [near(2.5 + 1.4)]


def test_the_figures_of_a_turn() -> None:
    run = played(one_turn())
    (figures,) = [event.metrics for event in run.of(MetricsCollectedEvent) if isinstance(event.metrics, EOUMetrics)]
    assert figures.end_of_utterance_delay == near(0.5)
    assert figures.transcription_delay == near(0.2)
    assert figures.on_user_turn_completed_delay == near(0.0)
    assert figures.speech_id == "speech-1"


def test_words_with_a_pause_between_them_are_one_turn() -> None:
    scenario = Scenario(keeper(), min_endpointing_delay=1.0)
    scenario.user_says("I would like", at=0.5, until=1.5)
    scenario.user_says("a pizza.", at=2.2, until=3.0)
    scenario.llm_replies("Which one?")
    run = played(scenario)
    assert run.conversation == [("user", "I would like a pizza."), ("assistant", "Which one?")]
    assert run.agent_became("thinking") == [near(4.0)]


def test_a_noise_without_words_is_no_turn() -> None:
    scenario = Scenario(keeper())
    scenario.user_says("", at=0.5, until=1.5)
    run = played(scenario)
    assert run.conversation == []
    assert run.agent_states == ["initializing", "listening"]
    assert run.user_states == ["listening", "speaking", "listening"]


# -- interruptions ---------------------------------------------------------------------------------------------------


def test_barge_in_stops_the_sound_and_the_new_turn_is_answered() -> None:
    run = played(barge_in())
    reply: list[AgentState] = ["thinking", "speaking", "listening"]
    assert run.agent_states == ["initializing", "listening", *reply, *reply]
    assert run.audible("speech-1") == [(near(3.5), near(5.5))]
    assert run.audible("speech-2") == [(near(7.0), near(9.0))]
    assert [role for role, _ in run.conversation] == ["user", "assistant", "user", "assistant"]
    assert run.conversation[-1] == ("assistant", "All right then.")


def test_barge_in_cuts_history_at_the_last_heard_word() -> None:
    run = played(barge_in())
    cut, whole = assistant(run)
    seconds = 5.5 - 3.51
    heard = STORY[: int(len(STORY) * seconds / 15.0)].rsplit(" ", 1)[0]
    assert cut.text_content == heard == "Once upon"
    assert cut.interrupted
    assert not whole.interrupted


def test_the_item_of_an_interrupted_speech_stands_before_the_message_that_interrupted_it() -> None:
    run = played(barge_in())
    assert run.conversation[1:3] == [("assistant", "Once upon"), ("user", "Stop!")]


def test_the_figures_of_an_interruption() -> None:
    run = played(barge_in())
    (figures,) = [
        event.metrics for event in run.of(MetricsCollectedEvent) if isinstance(event.metrics, InterruptionMetrics)
    ]
    assert figures.speech_id == "speech-1"
    assert figures.detection_delay == near(0.5)
    assert figures.silence_delay == near(0.0)
    assert figures.heard == near(2.0)


def test_a_word_or_two_do_not_interrupt_when_three_are_asked_for_and_are_kept() -> None:
    run = played(barge_in(min_interruption_words=3))
    assert run.audible("speech-1") == [(near(3.5), near(18.5))]
    assert run.conversation[1:] == [("assistant", STORY), ("user", "Stop!")], "stored when the session closes"


def test_interim_words_count_for_an_interruption() -> None:
    scenario = Scenario(keeper(), min_interruption_words=2)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.user_says("Please do stop now.", at=5.0, until=8.0, interims=[(5.4, "please"), (6.2, "please do")])
    scenario.llm_replies("Yes.")
    run = played(scenario)
    assert run.audible("speech-1")[0][1] == near(6.2)


def test_a_cough_does_not_interrupt() -> None:
    scenario = Scenario(keeper())
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies("Once upon a time.")
    scenario.tts_speaks(duration=5.0)
    scenario.user_says("", at=5.0, until=5.3)
    run = played(scenario)
    assert run.said() == ["Once upon a time."]
    assert not run.told(SilenceSpeech)


def test_a_turn_that_comes_while_the_model_thinks_leaves_no_assistant_item() -> None:
    scenario = Scenario(keeper())
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY, ttft=3.0, duration=4.0)
    scenario.user_says("No, a joke.", at=3.3, until=4.2)
    scenario.llm_replies("Knock knock.")
    run = played(scenario)
    assert run.conversation == [
        ("user", "Tell me a story."),
        ("user", "No, a joke."),
        ("assistant", "Knock knock."),
    ]
    assert run.audible("speech-1") == []
    assert run.requests[0].closed
    assert not run.requests[0].finished


def test_a_reply_that_is_ready_waits_while_the_user_speaks() -> None:
    scenario = Scenario(keeper())
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies("Once upon a time.", ttft=0.5, duration=0.7)
    scenario.user_says("", at=3.2, until=5.0)  # a noise: no turn comes of it
    run = played(scenario)
    assert run.said() == ["Once upon a time."]
    # The text is there at 3.7; the noise was long enough for an interruption, so silence has to last: 5.5 + 2.0.
    assert run.audible("speech-1")[0][0] == pytest.approx(7.5, abs=0.03)


@pytest.mark.parametrize("at", [3.05, 3.25, 3.4, 3.5, 3.52])
def test_a_typed_message_interrupts_a_reply_at_any_stage(at: float) -> None:
    scenario = one_turn()
    scenario.user_types("Never mind.", at=at)
    scenario.llm_replies("Fine.")
    run = played(scenario)
    assert [text for role, text in run.conversation if role == "user"] == ["How are you?", "Never mind."]
    assert run.conversation[-1] == ("assistant", "Fine.")


def test_a_typed_message_while_the_agent_speaks_comes_behind_what_was_heard() -> None:
    scenario = barge_in()
    scenario.user_types("Tell it faster.", at=4.5)
    scenario.llm_replies("Right.")
    run = played(scenario)
    assert run.conversation[1:3] == [("assistant", "Once"), ("user", "Tell it faster.")]
    assert run.audible("speech-1")[0][1] == near(4.5)


def test_two_turns_in_the_same_moment_are_both_stored_and_the_second_is_answered() -> None:
    scenario = one_turn()
    scenario.user_types("First.", at=8.0)
    scenario.user_types("Second.", at=8.0)
    scenario.llm_otherwise("Answered.")
    run = played(scenario)
    assert [text for _, text in run.conversation[2:]] == ["First.", "Second.", "Answered."]
    assert len(run.told(TurnClaim)) == 3


# -- protected speech ------------------------------------------------------------------------------------------------


NOTICE = "This call is being recorded for training purposes."


def protected(at: float, until: float) -> Scenario:
    """A notice of five seconds from 0.5 s that may not be interrupted; the user speaks meanwhile."""
    scenario = Scenario(keeper())
    scenario.tts_speaks(duration=5.0, text=NOTICE)
    scenario.call(0.3, lambda session: session.say(NOTICE, allow_interruptions=False))
    scenario.user_says("I object.", at=at, until=until)
    scenario.llm_replies("Noted.")
    return scenario


def test_a_protected_speech_is_heard_to_its_end_and_the_turn_is_answered_afterwards() -> None:
    run = played(protected(1.0, 2.5))
    assert sorted(run.conversation) == sorted(
        [
            ("assistant", NOTICE),
            ("user", "I object."),
            ("assistant", "Noted."),
        ]
    )
    notice, answer = run.audible("speech-1"), run.audible("speech-2")
    assert notice[0][1] - notice[0][0] == near(5.0)
    assert answer[0][0] >= notice[0][1]
    assert not run.told(SilenceSpeech)


def test_a_user_who_goes_on_speaking_over_a_protected_speech_is_answered_when_silent() -> None:
    run = played(protected(1.0, 8.0))
    assert run.conversation[-2:] == [("user", "I object."), ("assistant", "Noted.")]


def test_interruptions_can_be_forbidden_for_the_whole_session() -> None:
    run = played(barge_in(allow_interruptions=False))
    assert STORY in run.said()
    assert "All right then." in run.said()


def test_a_speech_that_is_protected_while_it_is_heard() -> None:
    scenario = barge_in()

    def protect(session: Session) -> None:
        assert session.current_speech is not None
        session.current_speech.allow_interruptions = False

    scenario.call(4.0, protect)
    run = played(scenario)
    assert STORY in run.said()
