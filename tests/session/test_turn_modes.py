"""What ends a turn and what interrupts, in each mode of ``turn_detection`` (4.3)."""

from __future__ import annotations

import pytest

from sessionactors import NOT_GIVEN, OptionError, SpeechEvent, SpeechEventType
from sessionactors.actors.turn_rules import EndsBy, TurnParts, check_detector, resolve_rules
from sessionactors.messages.turn import InterruptionWanted, UserTurnEnded
from sessionactors.model.options import SessionOptions
from sessionactors.testing import (
    Run,
    Scenario,
    ScriptedStreamingTurnDetector,
    ScriptedTurnDetector,
    ScriptedVAD,
    explore,
    invariants,
)

from tests.session.talks import STORY, Session, keeper, near, played

END = SpeechEvent(SpeechEventType.END_OF_SPEECH)
START = SpeechEvent(SpeechEventType.START_OF_SPEECH)


def turns_at(run: Run) -> list[tuple[float, str]]:
    """When each turn reached the agent, and what it says."""
    return [
        (run.time_of(delivery), delivery.message.transcript)
        for delivery in run.handled(UserTurnEnded, "agent")
        if isinstance(delivery.message, UserTurnEnded)
    ]


def asking(**options: object) -> Scenario:
    """The user asks from 0.5 to 2.5 s; the final comes at 2.7."""
    scenario = Scenario(keeper(), **options)  # type: ignore[arg-type]
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.llm_otherwise("Fine.")
    return scenario


# -- which rules a mode amounts to -----------------------------------------------------------------------------------

TEXT = ScriptedTurnDetector({})
AUDIO = ScriptedStreamingTurnDetector()
ALL = TurnParts(vad=True, stt=True)
NO_VAD = TurnParts(vad=False, stt=True)
NO_STT = TurnParts(vad=True, stt=False)
REALTIME = TurnParts(vad=True, stt=True, realtime=True)
SERVER = TurnParts(vad=True, stt=True, realtime=True, server_turns=True)


@pytest.mark.parametrize(
    "mode, parts, ends_by, warns",
    [
        (None, ALL, EndsBy.VOICE, False),
        ("vad", ALL, EndsBy.VOICE, False),
        ("vad", NO_VAD, EndsBy.VOICE, True),
        ("stt", ALL, EndsBy.RECOGNIZER, False),
        ("stt", NO_VAD, EndsBy.RECOGNIZER, False),
        ("stt", NO_STT, EndsBy.VOICE, True),
        ("stt", REALTIME, EndsBy.VOICE, True),
        ("manual", ALL, EndsBy.COMMAND, False),
        ("manual", NO_VAD, EndsBy.COMMAND, False),
        ("realtime_llm", ALL, EndsBy.VOICE, True),
        ("realtime_llm", REALTIME, EndsBy.SERVER, False),
        ("realtime_llm", SERVER, EndsBy.SERVER, False),
        (None, SERVER, EndsBy.SERVER, False),
        ("vad", SERVER, EndsBy.SERVER, True),
        (TEXT, ALL, EndsBy.VOICE, False),
        (AUDIO, ALL, EndsBy.VOICE, False),
        (AUDIO, NO_VAD, EndsBy.VOICE, True),
        (AUDIO, SERVER, EndsBy.SERVER, True),
        # not given: the best that there is, and nothing to warn of
        (NOT_GIVEN, SERVER, EndsBy.SERVER, False),
        (NOT_GIVEN, REALTIME, EndsBy.VOICE, False),
        (NOT_GIVEN, ALL, EndsBy.VOICE, False),
        (NOT_GIVEN, NO_VAD, EndsBy.VOICE, False),
        (NOT_GIVEN, NO_STT, EndsBy.VOICE, False),
    ],
)
def test_a_mode_that_cannot_work_gives_way_with_a_warning(
    mode: object, parts: TurnParts, ends_by: EndsBy, warns: bool
) -> None:
    rules = resolve_rules(SessionOptions(turn_detection=mode), parts)  # type: ignore[arg-type]
    assert (rules.ends_by, bool(rules.warning)) == (ends_by, warns)
    assert (rules.detector is TEXT) is (mode is TEXT and not warns)
    assert (rules.streaming is AUDIO) is (mode is AUDIO and not warns)


@pytest.mark.parametrize("silence, refused", [(0.24, True), (0.25, False), (0.5, False)])
def test_a_detector_that_listens_needs_a_quarter_of_a_second_of_silence(silence: float, refused: bool) -> None:
    options, vad = SessionOptions(turn_detection=AUDIO), ScriptedVAD([], min_silence=silence)
    if not refused:
        return check_detector(options, vad)
    with pytest.raises(OptionError, match=r"needs a VAD that waits for at least 0\.25 s"):
        check_detector(options, vad)
    return None


def test_a_session_with_such_a_vad_does_not_start() -> None:
    scenario = asking(turn_handling={"turn_detection": ScriptedStreamingTurnDetector()}, min_silence=0.1)
    with pytest.raises(OptionError, match=r"scripted-vad has min_silence_duration=0\.1"):
        scenario.play()


def test_an_unusable_mode_is_said(caplog: pytest.LogCaptureFixture) -> None:
    run = played(asking(turn_handling={"turn_detection": "realtime_llm"}))
    assert turns_at(run) == [(near(3.0), "How are you?")]
    assert "turn_detection='realtime_llm' needs a realtime model" in caplog.text


# -- voice -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["vad", None])
def test_by_voice_a_turn_ends_half_a_second_after_speech(mode: str | None) -> None:
    run = played(asking(turn_handling={"turn_detection": mode}))
    assert turns_at(run) == [(near(3.0), "How are you?")]


def test_f07_a_decision_that_is_due_is_void_when_the_user_goes_on_in_any_order() -> None:
    """The delay is over at 3.0, in the same moment as the voice sets in again: one turn, or two, but no word twice."""

    def scenario() -> Scenario:
        made = Scenario(keeper(), frame_ms=100)
        made.user_says("One", at=0.5, until=2.5)
        made.user_says("two", at=2.95, until=4.0)
        made.llm_otherwise("Fine.")
        return made

    explore(scenario, schedules=3)
    run = played(scenario())
    assert " ".join(text for _, text in turns_at(run)) == "One two"


def test_without_a_vad_the_end_of_the_last_word_counts() -> None:
    """The final comes at 2.7 and says that its words ended at 2.5."""
    scenario = Scenario(keeper(), without=["vad"])
    final = SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, "How are you?", end_time=2.5)
    scenario.stt_reports(final, at=2.7)
    scenario.llm_otherwise("Fine.")
    assert turns_at(played(scenario)) == [(near(3.0), "How are you?")]


def test_without_a_vad_the_recognisers_end_of_speech_is_enough_where_no_mode_is_given() -> None:
    """It says so 0.7 s behind the voice, and behind the final: the delay counts from there."""
    scenario = asking(without=["vad"])
    scenario.stt_reports(START, at=0.6)
    scenario.stt_reports(END, at=3.0)
    run = played(scenario)
    assert turns_at(run) == [(near(3.2), "How are you?")]  # the final came at 2.7
    assert run.user_became("listening")[0] == near(2.7)


def test_without_ears_nothing_spoken_is_a_turn_and_what_is_typed_is() -> None:
    scenario = asking(without=["vad", "stt"])
    scenario.user_types("Hello.", at=4.0)
    run = played(scenario)
    assert run.conversation == [("user", "Hello."), ("assistant", "Fine.")]
    assert run.user_states == ["listening"]


def test_without_a_vad_a_late_final_begins_the_delay_anew() -> None:
    scenario = Scenario(keeper(), without=["vad"])
    for at, text in ((2.0, "How"), (2.4, "are you?")):
        scenario.stt_reports(SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, text), at=at)
    scenario.llm_otherwise("Fine.")
    assert turns_at(played(scenario)) == [(near(2.9), "How are you?")]


# -- the recogniser --------------------------------------------------------------------------------------------------


def by_recogniser(**options: object) -> Scenario:
    return asking(turn_handling={"turn_detection": "stt"}, **options)


def test_the_recognisers_end_of_speech_ends_the_turn() -> None:
    """It comes at 3.2: the user fell silent at 2.5, so the delay is over already."""
    scenario = by_recogniser()
    scenario.stt_reports(END, at=3.2)
    run = played(scenario)
    assert turns_at(run) == [(near(3.2), "How are you?")]


def test_an_early_end_of_speech_waits_for_its_final() -> None:
    """It comes at 2.3, before the voice is known to be silent; the turn ends 0.5 s later, with its words."""
    scenario = by_recogniser()
    scenario.stt_reports(END, at=2.3)
    run = played(scenario)
    assert run.user_became("listening")[0] == near(2.3)
    assert [text for _, text in turns_at(run)] == ["How are you?"]
    assert run.conversation[0] == ("user", "How are you?")


def test_silence_alone_does_not_end_the_turn_there() -> None:
    """The voice pauses for two seconds; the recogniser hears the end only at the end."""
    scenario = Scenario(keeper(), turn_handling={"turn_detection": "stt"})
    scenario.user_says("I would like", at=0.5, until=2.0)
    scenario.user_says("a table", at=4.0, until=5.0)
    scenario.stt_reports(END, at=5.3)
    scenario.llm_otherwise("Fine.")
    assert turns_at(played(scenario)) == [(near(5.5), "I would like a table")]


def test_a_recogniser_that_never_says_so_is_not_waited_for_for_ever() -> None:
    scenario = by_recogniser()
    run = played(scenario)
    assert turns_at(run) == [(near(12.5), "How are you?")], "10 s after the end of speech: its time to answer"


def test_without_a_vad_the_recogniser_drives_the_users_state() -> None:
    scenario = by_recogniser(without=["vad"])
    scenario.stt_reports(START, at=0.6)
    scenario.stt_reports(END, at=2.8)
    run = played(scenario)
    assert run.user_states == ["listening", "speaking", "listening"]
    assert run.user_became("speaking") == [near(0.6)]
    assert turns_at(run) == [(near(3.3), "How are you?")]


def test_a_user_who_goes_on_after_the_recognisers_end_is_heard_again() -> None:
    """The recogniser ends the turn at 2.0, the voice goes on to 4.0: the user is seen to speak again."""
    scenario = Scenario(keeper(), turn_handling={"turn_detection": "stt"})
    scenario.user_says("", at=0.5, until=4.0)
    scenario.stt_reports(SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, "Well,"), at=1.9)
    scenario.stt_reports(END, at=2.0)
    scenario.stt_reports(SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, "let me see."), at=4.1)
    scenario.stt_reports(END, at=4.2)
    scenario.llm_otherwise("Fine.")
    run = played(scenario)
    assert run.user_states == ["listening", "speaking", "listening", "speaking", "listening"]
    assert " ".join(text for _, text in turns_at(run)) == "Well, let me see."


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_by_hand_nothing_ends_the_turn_but_the_call() -> None:
    scenario = asking(turn_handling={"turn_detection": "manual"})
    scenario.close(20.0)
    run = played(scenario)
    assert run.agent_states == ["initializing", "listening"]
    assert run.conversation == [("user", "How are you?")], "stored when the session closes"


def test_by_hand_no_voice_interrupts() -> None:
    scenario = Scenario(keeper(), turn_handling={"turn_detection": "manual"})
    scenario.call(0.5, lambda session: session.say(STORY))
    scenario.tts_speaks(text=STORY, duration=8.0)
    scenario.user_says("Stop!", at=2.0, until=4.0, interims=[(3.0, "stop")])
    scenario.close(12.0)
    run = played(scenario)
    assert run.told(InterruptionWanted) == []
    assert run.said() == [STORY]


def test_the_server_ends_turns_of_a_realtime_model() -> None:
    """Shown by the rules alone here; the realtime model's own tests show the rest."""
    rules = resolve_rules(SessionOptions(turn_detection="realtime_llm"), REALTIME)
    assert not rules.voice_interrupts


# -- at run time -----------------------------------------------------------------------------------------------------


def test_another_mode_holds_for_the_turn_that_is_open() -> None:
    scenario = asking(turn_handling={"turn_detection": "manual"})
    scenario.call(5.0, lambda session: session.update_options(turn_detection="vad"))
    assert turns_at(played(scenario)) == [(near(5.0), "How are you?")]


def test_a_detector_given_at_run_time_is_asked() -> None:
    detector = ScriptedTurnDetector({"How are you?": 0.1})
    scenario = asking(max_endpointing_delay=4.0)
    scenario.call(1.0, lambda session: session.update_options(turn_detection=detector))
    run = played(scenario)
    assert turns_at(run) == [(near(6.5), "How are you?")]
    assert detector.asked == ["How are you?"]


def test_a_detector_that_listens_can_be_exchanged_at_run_time() -> None:
    first, second = ScriptedStreamingTurnDetector([0.1]), ScriptedStreamingTurnDetector([0.9])
    scenario = Scenario(keeper(), turn_handling={"turn_detection": first})
    scenario.user_says("One.", at=0.5, until=1.5)
    scenario.call(5.0, lambda session: session.update_options(turn_detection=second))
    scenario.user_says("Two.", at=6.0, until=7.0)
    scenario.llm_otherwise("Fine.")
    run = scenario.play()
    invariants.check(run)
    assert turns_at(run) == [(near(4.0), "One."), (near(7.5), "Two.")]
    assert (first.streams, first.closed, second.streams, second.closed) == (1, 1, 1, 1)


def test_a_detector_that_cannot_work_is_refused_at_run_time_and_nothing_changes() -> None:
    def change(session: Session) -> None:
        before = session.turn_detection
        with pytest.raises(OptionError, match="needs a VAD"):
            session.update_options(turn_detection=ScriptedStreamingTurnDetector())
        assert session.turn_detection is before

    scenario = asking(min_silence=0.1)
    scenario.call(1.0, change)
    assert turns_at(played(scenario)) == [(near(3.0), "How are you?")]
