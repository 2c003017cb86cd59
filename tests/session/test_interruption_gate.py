"""Protected speech and echo warm-up: when voices do not interrupt, and what recognisers get meanwhile."""

from __future__ import annotations

import pytest

from sessionactors import Agent, ChatMessage, SpeechHandle
from sessionactors.messages.ear import SubstituteSilence
from sessionactors.messages.floor import PauseSpeech, SilenceSpeech
from sessionactors.model.errors import SessionStateError
from sessionactors.model.options import SessionOptions
from sessionactors.testing import Run, Scenario, explore, invariants

from tests.session.talks import STORY, Session, keeper, near, played

NOTICE = "This call is being recorded for training purposes."


def gate(run: Run) -> list[tuple[float, bool]]:
    """When the user's recogniser began to get silence, and no longer."""
    return [
        (run.time_of(delivery), delivery.message.active)
        for delivery in run.handled(SubstituteSilence, "ear-caller/input")
        if isinstance(delivery.message, SubstituteSilence)
    ]


def silenced(run: Run) -> float:
    """Seconds that the user's recogniser got as silence."""
    return float(str(run.state_of("ear-caller/input")["silenced"]))


# -- protected speech --------------------------------------------------------------------------------------------------


def protected(at: float, until: float, **options: object) -> Scenario:
    """A notice of five seconds from 0.51 s that may not be interrupted; the user speaks meanwhile."""
    scenario = Scenario(keeper(), **options)  # type: ignore[arg-type]
    scenario.tts_speaks(duration=5.0, text=NOTICE)
    scenario.call(0.3, lambda session: session.say(NOTICE, allow_interruptions=False))
    scenario.user_says("I object.", at=at, until=until)
    scenario.llm_otherwise("Noted.")
    return scenario


def test_f05_a_turn_that_ends_within_a_protected_speech_is_answered_after_it() -> None:
    run = played(protected(1.0, 2.5))
    assert run.audible("speech-1") == [(near(0.51), near(5.51))]
    assert [text for role, text in run.conversation if role == "user"] == ["I object."]
    assert run.conversation[-1] == ("assistant", "Noted.")
    assert run.audible("speech-2")[0][0] >= 5.5


def test_f05_two_turns_within_a_protected_speech_are_both_kept() -> None:
    scenario = protected(0.8, 1.6)
    scenario.user_says("And I want a copy.", at=2.6, until=3.4)
    run = played(scenario)
    assert [text for role, text in run.conversation if role == "user"] == ["I object.", "And I want a copy."]
    assert run.conversation[-1] == ("assistant", "Noted.")


def test_f05_a_message_typed_within_a_protected_speech_is_answered_after_it() -> None:
    scenario = protected(7.0, 7.5)
    scenario.user_types("Stop.", at=2.0)
    run = played(scenario)
    assert run.conversation[:3] == [("assistant", NOTICE), ("user", "Stop."), ("assistant", "Noted.")]
    assert run.audible("speech-1") == [(near(0.51), near(5.51))]


def test_what_is_said_over_a_protected_speech_stands_behind_it_for_the_next_request_too() -> None:
    """The history keeps the order in which things began: the notice, what was typed over it, and the reply."""
    agent = keeper()
    scenario = Scenario(agent)
    scenario.tts_speaks(duration=5.0, text=NOTICE)
    scenario.call(0.3, lambda session: session.say(NOTICE, allow_interruptions=False))
    scenario.user_types("Stop.", at=2.0)
    scenario.user_types("Please.", at=3.0)
    scenario.user_says("Are you there?", at=9.0, until=9.5)
    scenario.llm_otherwise("Noted.")
    run = played(scenario)
    said = ["Stop.", "Please.", "Noted.", "Are you there?"]
    assert [text for _, text in run.conversation] == [NOTICE, *said, "Noted."]
    asked = [item.text_content for item in run.requests[-1].items if isinstance(item, ChatMessage)]
    assert asked[1:] == [NOTICE, *said]
    assert [message.text_content for message in agent.chat_ctx.messages()][1:] == [NOTICE, *said, "Noted."]


def test_words_that_are_kept_without_a_reply_stand_behind_the_speech_that_they_fell_into() -> None:
    scenario = Scenario(keeper(), turn_detection="manual")
    scenario.tts_speaks(duration=5.0, text=NOTICE)
    scenario.call(0.3, lambda session: session.say(NOTICE))
    scenario.user_says("I see.", at=1.0, until=1.5)
    scenario.call(2.0, lambda session: session.commit_user_turn(skip_reply=True))
    run = played(scenario)
    assert run.conversation == [("assistant", NOTICE), ("user", "I see.")]


def test_what_is_said_over_a_protected_speech_is_kept_in_order_in_any_order_of_messages() -> None:
    def talk() -> Scenario:
        scenario = Scenario(keeper(), frame_ms=100)
        scenario.tts_speaks(duration=2.0, text=NOTICE)
        scenario.call(0.3, lambda session: session.say(NOTICE, allow_interruptions=False))
        scenario.user_types("Stop.", at=1.0)
        scenario.llm_otherwise("Noted.")
        return scenario

    def in_order(run: Run) -> None:
        assert [text for _, text in run.conversation] == [NOTICE, "Stop.", "Noted."]

    explore(talk, schedules=4, expect=in_order)


def test_p03_over_a_protected_speech_the_recogniser_gets_silence_counted_in_seconds() -> None:
    run = played(protected(1.0, 2.5))
    assert gate(run) == [(near(0.51), True), (near(5.51), False)]
    assert silenced(run) == near(5.0)


def test_what_is_said_over_a_protected_speech_is_recognised_if_that_is_wanted() -> None:
    run = played(protected(1.0, 2.5, discard_audio_if_uninterruptible=False))
    assert gate(run) == []
    assert silenced(run) == 0.0


def test_a_speech_that_is_protected_while_it_is_heard_closes_the_gate_from_then_on() -> None:
    scenario = Scenario(keeper())
    scenario.tts_speaks(duration=5.0, text=NOTICE)
    scenario.call(0.3, lambda session: session.say(NOTICE))

    def protect(session: Session, allow: bool) -> None:
        assert session.current_speech is not None
        session.current_speech.allow_interruptions = allow

    scenario.call(2.0, lambda session: protect(session, allow=False))
    scenario.call(3.0, lambda session: protect(session, allow=True))
    run = played(scenario)
    assert gate(run) == [(near(2.0), True), (near(3.0), False)]


def test_a_user_who_speaks_is_cut_in_on_once_the_speech_is_not_protected_any_more() -> None:
    """The voice was long enough when it could not interrupt: it counts when it can."""
    scenario = protected(1.0, 4.8)

    def allow(session: Session) -> None:
        assert session.current_speech is not None
        session.current_speech.allow_interruptions = True

    scenario.call(3.0, allow)
    run = played(scenario)
    assert [run.time_of(d) for d in run.handled(PauseSpeech, "output")] == [near(3.0)]


# -- interrupt() ---------------------------------------------------------------------------------------------------


def test_f06_interrupt_that_raises_has_interrupted_nothing() -> None:
    scenario = Scenario(keeper())
    scenario.tts_speaks(duration=2.0, text="The first one.")
    handles: list[SpeechHandle] = []

    def talk(session: Session) -> None:
        handles.append(session.say("The first one.", allow_interruptions=False))
        handles.append(session.say("The second one."))

    def interrupt(session: Session) -> None:
        with pytest.raises(SessionStateError, match="does not allow interruptions"):
            session.interrupt()
        assert not any(handle.interrupted for handle in handles)

    scenario.call(0.3, talk)
    scenario.call(1.3, interrupt)
    run = played(scenario)
    assert run.said() == ["The first one.", "The second one."]
    assert not run.told(SilenceSpeech)


def test_interrupt_stops_at_the_first_protected_speech_of_the_queue() -> None:
    scenario = Scenario(keeper())

    def talk(session: Session) -> None:
        session.say("The first one.")
        session.say("The second one.")
        session.say("The third one.", allow_interruptions=False)
        session.say("The fourth one.")

    scenario.call(0.3, talk)
    scenario.call(0.9, lambda session: session.interrupt())
    run = played(scenario)
    assert run.said() == ["The", "The third one.", "The fourth one."]


def test_force_interrupts_what_is_protected() -> None:
    scenario = Scenario(keeper())
    scenario.call(0.3, lambda session: session.say(NOTICE, allow_interruptions=False))
    scenario.call(1.5, lambda session: session.interrupt(force=True))
    run = played(scenario)
    assert run.audible("speech-1")[0][1] == near(1.5)


# -- echo warm-up ------------------------------------------------------------------------------------------------------


def warming(at: float, until: float, text: str = "Stop!", **options: object) -> Scenario:
    """The story is heard from 3.51 on: the warm-up lasts until 6.51."""
    scenario = Scenario(keeper(), **options)  # type: ignore[arg-type]
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.user_says(text, at=at, until=until)
    scenario.llm_otherwise("Fine.")
    return scenario


def test_while_the_echo_canceller_warms_up_the_voice_does_not_interrupt_but_the_turn_does() -> None:
    run = played(warming(4.0, 5.0, aec_warmup_duration=3.0))
    assert not run.told(PauseSpeech)
    assert run.agent_became("listening")[1] == near(5.5)
    assert run.conversation[-2:] == [("user", "Stop!"), ("assistant", "Fine.")]


def test_without_a_warm_up_the_voice_interrupts_at_once() -> None:
    run = played(warming(4.0, 5.0, aec_warmup_duration=None))
    assert [run.time_of(d) for d in run.handled(PauseSpeech, "output")] == [near(4.5)]
    assert gate(run) == []


def test_who_still_speaks_when_the_warm_up_is_over_interrupts_then() -> None:
    run = played(warming(5.0, 8.0, aec_warmup_duration=3.0))
    assert [run.time_of(d) for d in run.handled(PauseSpeech, "output")] == [near(6.51)]


def test_recognisers_get_silence_while_the_agent_is_heard_within_the_warm_up() -> None:
    run = played(warming(4.0, 5.0, aec_warmup_duration=3.0))
    assert gate(run)[:2] == [(near(3.51), True), (near(5.5), False)]  # cut off by the turn
    run = played(warming(12.0, 12.2, "", aec_warmup_duration=3.0))
    assert gate(run) == [(near(3.51), True), (near(6.51), False)]
    assert silenced(run) == near(3.0)


def test_there_is_one_warm_up_in_a_session() -> None:
    scenario = Scenario(keeper(), aec_warmup_duration=1.0)
    for at in (0.5, 4.0):
        scenario.call(at, lambda session: session.say(NOTICE))
    run = played(scenario)
    assert len(gate(run)) == 2
    assert run.state_of("floor")["aec_warmup"] == "over"


def test_a_session_warms_up_for_three_seconds_unless_told_otherwise() -> None:
    assert SessionOptions().aec_warmup_duration == 3.0


def test_text_alone_warms_nothing_up() -> None:
    scenario = Scenario(keeper(), audio=False, aec_warmup_duration=3.0)
    scenario.user_types("Hello.", at=0.5)
    scenario.llm_replies("Hello.")
    run = played(scenario)
    assert run.state_of("floor")["aec_warmup"] == "due"


def test_a_floor_that_restarts_within_the_warm_up_ends_it_in_time() -> None:
    reference = warming(12.0, 12.2, "", aec_warmup_duration=3.0).play()
    own = [d for d in reference.deliveries if d.target.endswith("/floor") and d.outcome == "handled"]
    number = next(number for number, d in enumerate(own, 1) if reference.time_of(d) > 3.52)
    scenario = warming(12.0, 12.2, "", aec_warmup_duration=10.0)
    scenario.kill("floor", message=number - 1)
    scenario.call(8.0, lambda session: session.say(STORY))
    run = scenario.play()
    assert run.killed == ("floor",)
    assert run.state_of("floor")["aec_warmup"] == "over"
    assert gate(run)[-1][0] == near(13.51)


def test_gates_in_any_order() -> None:
    def talk() -> Scenario:
        scenario = Scenario(Agent(instructions="Be kind."), frame_ms=100, aec_warmup_duration=1.0)
        scenario.call(0.3, lambda session: session.say(NOTICE, allow_interruptions=False))
        scenario.user_says("I object.", at=1.0, until=2.0)
        scenario.llm_otherwise("Noted indeed.")
        scenario.user_says("", at=4.9, until=5.6)
        return scenario

    def closed_at_the_end(run: Run) -> None:
        assert not gate(run)[-1][1]
        assert invariants.broken(run) == []

    explore(talk, schedules=3, expect=closed_at_the_end)
