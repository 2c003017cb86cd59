"""Sessions that lack a part: without a voice, a recogniser, a detector, a model, or any sound at all."""

from __future__ import annotations

import pytest

from sessionactors import RoomInputOptions, RoomOutputOptions, SessionStateError, UserInputTranscribedEvent
from sessionactors.messages.tts import SpeakText
from sessionactors.testing import Scenario

from tests.session.talks import Session, keeper, near, one_turn, played, typed


def test_a_text_room_is_answered_in_text() -> None:
    run = played(typed(None, "Hello.", "And now?"))
    assert run.conversation == [
        ("user", "Hello."),
        ("assistant", "Answer 1."),
        ("user", "And now?"),
        ("assistant", "Answer 2."),
    ]
    assert run.agent_states[:4] == ["initializing", "listening", "thinking", "speaking"]
    assert "".join(segment.text for segment in run.transcripts if segment.segment.startswith("speech-1")) == "Answer 1."
    assert run.transcripts[-1].final


def test_without_a_voice_a_spoken_turn_is_answered_in_text() -> None:
    run = played(one_turn(without=("tts",)))
    assert run.said() == ["I am fine, thank you."]
    assert run.audio == ()
    assert run.agent_became("speaking") == [near(3.1)]  # with the first word of the model


def test_without_a_recogniser_there_are_no_turns_but_the_user_is_seen_to_speak() -> None:
    run = played(one_turn(without=("stt",)))
    assert run.user_states == ["listening", "speaking", "listening"]
    assert run.conversation == []


def test_without_a_recogniser_the_voice_still_interrupts() -> None:
    scenario = Scenario(keeper(), without=("stt",))
    scenario.tts_speaks(duration=8.0, text="This takes rather long to say.")
    scenario.call(0.5, lambda session: session.say("This takes rather long to say."))
    scenario.user_says("", at=3.0, until=4.5)
    run = played(scenario)
    assert run.audio[-1].until == near(3.5)
    assert run.said() == ["This takes"]


def test_without_a_detector_the_words_alone_make_a_turn() -> None:
    run = played(one_turn(without=("vad",)))
    assert run.conversation == [("user", "How are you?"), ("assistant", "I am fine, thank you.")]
    assert run.agent_became("thinking") == [near(2.7 + 0.5)]  # silence counts from the final


def test_without_a_model_turns_are_kept_and_say_works() -> None:
    def ask(session: Session) -> None:
        with pytest.raises(SessionStateError, match="needs a model"):
            session.generate_reply()
        session.say("Hello.")

    scenario = one_turn(without=("llm",))
    scenario.call(5.0, ask)
    run = played(scenario)
    assert run.conversation == [("user", "How are you?"), ("assistant", "Hello.")]


def test_without_anything_say_is_shown() -> None:
    scenario = Scenario(keeper(), without=("llm", "stt", "vad", "tts"), audio=False)
    scenario.call(0.5, lambda session: session.say("Hello."))
    run = played(scenario)
    assert run.said() == ["Hello."]


def test_audio_of_the_room_may_be_left_alone() -> None:
    scenario = one_turn(
        room_input_options=RoomInputOptions(audio_enabled=False),
        room_output_options=RoomOutputOptions(audio_enabled=False),
    )
    scenario.user_types("Hello.", at=5.0)
    run = played(scenario)
    assert run.conversation == [("user", "Hello."), ("assistant", "I am fine, thank you.")]
    assert run.audio == ()
    assert not run.told(SpeakText)
    assert run.of(UserInputTranscribedEvent) == []


def test_typing_may_be_left_alone() -> None:
    scenario = one_turn(room_input_options=RoomInputOptions(text_enabled=False))
    scenario.user_types("Hello.", at=6.0)
    run = scenario.play()
    assert run.conversation == [("user", "How are you?"), ("assistant", "I am fine, thank you.")]


def test_transcripts_may_be_left_alone() -> None:
    run = one_turn(room_output_options=RoomOutputOptions(transcription_enabled=False)).play()
    assert run.said() == ["I am fine, thank you."]
    assert [segment for segment in run.transcripts if segment.participant == "agent"] == []


def test_input_can_be_closed_and_opened_while_the_session_runs() -> None:
    scenario = Scenario(keeper())
    scenario.call(0.1, lambda session: session.input.set_audio_enabled(False))
    scenario.user_says("Nobody listens.", at=0.5, until=1.5)
    scenario.call(2.5, lambda session: session.input.set_audio_enabled(True))
    scenario.user_says("Now?", at=3.0, until=4.0)
    scenario.llm_otherwise("Yes.")
    run = played(scenario)
    assert run.conversation == [("user", "Now?"), ("assistant", "Yes.")]


def test_the_voice_can_be_switched_off_and_the_next_speech_is_shown() -> None:
    def off(session: Session) -> None:
        session.output.set_audio_enabled(False)
        assert not session.output.audio_enabled

    scenario = Scenario(keeper())
    scenario.call(0.5, lambda session: session.say("With a voice."))
    scenario.call(3.0, off)
    scenario.call(3.5, lambda session: session.say("Without one."))
    run = played(scenario)
    assert run.said() == ["With a voice.", "Without one."]
    assert {piece.speech for piece in run.audio} == {"speech-1"}


def test_transcripts_can_be_switched_off() -> None:
    scenario = Scenario(keeper())
    scenario.call(0.2, lambda session: session.output.set_transcription_enabled(False))
    scenario.call(0.5, lambda session: session.say("Unseen."))
    run = scenario.play()
    assert run.said() == ["Unseen."]
    assert run.transcripts == ()
