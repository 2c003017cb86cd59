"""When a turn ends: detectors, dynamic endpointing, held utterances, preflights (4.1-4.4)."""

from __future__ import annotations

import pytest

from sessionactors import AudioFrame, SpeechEvent, SpeechEventType, TurnDetector, TurnDetectorStream
from sessionactors.actors.dynamic_endpointing import (
    DelayRange,
    PauseHistory,
    agent_began,
    agent_ended,
    min_delay,
    utterance_began,
    utterance_ended,
    was_backchannel,
)
from sessionactors.messages.floor import SilenceSpeech
from sessionactors.messages.turn import TurnOffered, TurnPreflight
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.events import ErrorEvent
from sessionactors.testing import Run, Scenario, ScriptedStreamingTurnDetector, ScriptedTurnDetector, explore

from tests.session.talks import STORY, keeper, near, played
from tests.session.test_turn_modes import asking, turns_at

# -- a detector that reads -------------------------------------------------------------------------------------------


def reading(detector: TurnDetector, **options: object) -> Scenario:
    """The VAD is quick (0.2 s), so that the detector is asked when the final comes, at 2.7."""
    return asking(turn_handling={"turn_detection": detector, "endpointing": {"max_delay": 4.0}}, min_silence=0.2)


@pytest.mark.parametrize("probability, ends", [(0.5, 3.0), (0.49, 6.5)])
def test_a_text_detector_picks_the_delay(probability: float, ends: float) -> None:
    run = played(reading(ScriptedTurnDetector({"How are you?": probability})))
    assert turns_at(run) == [(near(ends), "How are you?")]


def test_a_text_detector_sees_the_conversation_and_the_words_so_far() -> None:
    seen: list[list[str]] = []

    class Seeing(TurnDetector):
        async def predict_end_of_turn(self, chat_ctx: ChatContext) -> float:
            said = [item for item in chat_ctx.messages() if item.role != "system"]
            seen.append([f"{item.role}: {item.text_content}" for item in said])
            return 1.0

    scenario = reading(Seeing())
    scenario.user_says("And now?", at=6.0, until=7.0)
    played(scenario)
    assert seen == [["user: How are you?"], ["user: How are you?", "assistant: Fine.", "user: And now?"]]


def test_a_text_detector_that_takes_too_long_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    run = played(reading(ScriptedTurnDetector({}, takes=30.0)))
    assert turns_at(run) == [(near(3.7), "How are you?")], "asked at 2.7, given up a second later"
    assert "the turn detector took too long" in caplog.text


def test_a_text_detector_that_fails_is_logged_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    run = played(reading(ScriptedTurnDetector({}, error=RuntimeError("no model"))))
    assert turns_at(run) == [(near(3.0), "How are you?")]
    assert "no model" in caplog.text


def test_a_language_that_a_detector_does_not_know_is_not_asked_about() -> None:
    class Finnish(ScriptedTurnDetector):
        def unlikely_threshold(self, language: str | None = None) -> float | None:
            return 0.5 if language == "fi" else None

    detector = Finnish({"How are you?": 0.0})
    run = played(reading(detector))
    assert (turns_at(run), detector.asked) == ([(near(3.0), "How are you?")], [])


# -- a detector that listens -----------------------------------------------------------------------------------------


def listening(detector: ScriptedStreamingTurnDetector, **options: object) -> Scenario:
    return asking(turn_handling={"turn_detection": detector}, **options)


@pytest.mark.parametrize("probability, ends", [(0.9, 3.0), (0.1, 5.0)])
def test_a_detector_that_listens_is_asked_in_the_silence_and_has_answered_before_its_end(
    probability: float, ends: float
) -> None:
    """Asked at 2.7, 0.2 s into the silence; its delays are 0.3 and 2.5 s, and the VAD's silence is 0.5."""
    detector = ScriptedStreamingTurnDetector([probability])
    run = played(listening(detector))
    assert turns_at(run) == [(near(ends), "How are you?")]
    assert detector.asked == [near(2.7)]
    assert (detector.flushes, detector.streams, detector.closed) == (1, 1, 1)


def test_a_pause_within_speech_withdraws_the_question() -> None:
    """The user pauses from 1.5 to 1.8 s: asked at 1.7, and again at 2.7; only the second answer counts."""
    detector = ScriptedStreamingTurnDetector([0.1, 0.9], takes=0.3)
    scenario = Scenario(keeper(), turn_handling={"turn_detection": detector})
    scenario.user_says("", at=0.5, until=1.5)
    scenario.user_says("How are you?", at=1.8, until=2.5)
    scenario.llm_otherwise("Fine.")
    run = played(scenario)
    assert detector.asked == [pytest.approx(1.7, abs=0.03), near(2.7)]
    assert turns_at(run) == [(near(3.0), "How are you?")]


def test_a_detector_that_listens_and_hangs_is_given_up_after_its_time() -> None:
    detector = ScriptedStreamingTurnDetector(takes=30.0)
    run = played(listening(detector))
    assert turns_at(run) == [(near(3.7), "How are you?")], "asked at 2.7, with a second to answer"


def test_a_detector_that_fails_ends_the_turn_as_without_it() -> None:
    detector = ScriptedStreamingTurnDetector(error=RuntimeError("no model"))
    run = played(listening(detector))
    assert turns_at(run) == [(near(3.0), "How are you?")]


def test_a_detector_without_the_language_is_not_waited_for() -> None:
    run = played(listening(ScriptedStreamingTurnDetector([0.0], unsupported=True)))
    assert turns_at(run) == [(near(3.0), "How are you?")]


class _Cut(TurnDetectorStream):
    """Breaks when two seconds were heard."""

    def __init__(self, detector: ScriptedStreamingTurnDetector, stream: TurnDetectorStream) -> None:
        self._detector, self._stream = detector, stream

    def push_frame(self, frame: AudioFrame) -> None:
        if self._detector.heard > 2.0:
            raise ConnectionError("the line is cut")
        self._stream.push_frame(frame)

    async def predict(self) -> float:
        return await self._stream.predict()


def test_p13_a_detector_whose_stream_breaks_is_opened_again_and_costs_no_turn() -> None:
    class Breaking(ScriptedStreamingTurnDetector):
        def stream(self) -> TurnDetectorStream:
            return _Cut(self, super().stream()) if self.streams == 0 else super().stream()

    detector = Breaking()
    run = played(listening(detector))
    assert turns_at(run) == [(near(3.0), "How are you?")]
    assert detector.streams == 2
    assert [event.source for event in run.of(ErrorEvent)] == ["turn_detector"]


def test_p12_a_detector_actor_that_is_killed_costs_no_turn() -> None:
    for index in (60, 130, 140):
        scenario = listening(ScriptedStreamingTurnDetector([0.1]))
        scenario.kill("ear-caller/detector-1", message=index)
        run = played(scenario)
        assert [text for _, text in turns_at(run)] == ["How are you?"], index


# -- dynamic endpointing ---------------------------------------------------------------------------------------------

SECOND = 1_000_000_000
RANGE = DelayRange(least=0.5, most=3.0, alpha=0.9)


def after(*script: tuple[str, float], configured: DelayRange = RANGE) -> PauseHistory:
    """The history of a conversation: who began or ended when."""
    history, speaking = PauseHistory(), False
    for what, seconds in script:
        at = round(seconds * SECOND)
        match what:
            case "user":
                history, speaking = utterance_began(history, at), True
            case "user ends":
                history, speaking = utterance_ended(history, at, configured), False
            case "backchannel ends":
                history, speaking = was_backchannel(utterance_ended(history, at, configured), history), False
            case "agent":
                history = agent_began(history, at, user_speaking=speaking)
            case _:
                history = agent_ended(history)
    return history


ONE = (("user", 0.0), ("user ends", 1.0))


@pytest.mark.parametrize(
    "script, learned",
    [
        ((), 0.5),
        (ONE, 0.5),
        ((*ONE, ("user", 2.0), ("user ends", 3.0)), 0.55),
        ((*ONE, ("user", 1.2), ("user ends", 3.0)), 0.5),
        ((*ONE, ("user", 60.0), ("user ends", 61.0)), 3.0),
        ((*ONE, ("user", 60.0), ("user ends", 61.0), ("user", 62.0), ("user ends", 63.0)), 2.8),
        # An agent's speech in between is no pause of the user's ...
        ((*ONE, ("agent", 1.6), ("agent ends", 3.0), ("user", 4.0), ("user ends", 5.0)), 0.5),
        # ... unless the user cuts it off as soon as it began: the turn had not been over.
        ((*ONE, ("agent", 1.6), ("user", 2.0), ("agent ends", 2.3), ("user ends", 3.0)), 0.55),
        ((*ONE, ("agent", 1.6), ("user", 2.2), ("agent ends", 2.3), ("user ends", 3.0)), 0.5),
        ((*ONE, ("agent", 4.1), ("user", 4.3), ("agent ends", 4.5), ("user ends", 5.0)), 0.5),
        # The agent speaks over the user: that is not the pause before it.
        ((*ONE, ("user", 3.0), ("agent", 3.5), ("agent ends", 4.0), ("user ends", 5.0)), 0.5),
        # A listening noise teaches nothing, unless it set in with the agent's first sound.
        ((*ONE, ("agent", 1.6), ("user", 2.0), ("backchannel ends", 2.2)), 0.5),
        ((*ONE, ("agent", 1.6), ("user", 1.8), ("backchannel ends", 2.2)), 0.53),
        # ... and the speech of the agent goes on to be what lies between the user's utterances.
        ((*ONE, ("agent", 1.6), ("user", 3.0), ("backchannel ends", 3.2), ("agent ends", 4.0), ("user", 5.0)), 0.5),
    ],
)
def test_the_minimal_delay_follows_the_users_pauses(script: tuple[tuple[str, float], ...], learned: float) -> None:
    assert min_delay(after(*script), RANGE) == pytest.approx(learned)


def test_what_was_learned_decays_with_alpha() -> None:
    pauses: list[tuple[str, float]] = [("user", 0.0), ("user ends", 1.0)]
    for number in range(1, 4):
        pauses += [("user", 3.0 * number), ("user ends", 3.0 * number + 1.0)]
    history = after(*pauses, configured=DelayRange(0.5, 3.0, 0.5))
    assert history.learned == pytest.approx(0.5 * 0.125 + 2.0 * 0.875)


def test_a_user_who_pauses_is_given_time() -> None:
    """With weight 0 the last pause alone counts: 1.2 s between the first two stretches of speech."""
    endpointing = {"mode": "dynamic", "alpha": 0.0, "max_delay": 4.0}
    scenario = Scenario(keeper(), turn_handling={"turn_detection": "vad", "endpointing": endpointing})
    scenario.user_says("", at=0.5, until=1.5)
    scenario.user_says("", at=2.7, until=3.5)
    scenario.user_says("How are you?", at=5.5, until=6.5)
    scenario.llm_otherwise("Fine.")
    run = played(scenario)
    assert turns_at(run) == [(near(8.5), "How are you?")], "2.0 s after its end: the pause before it"
    assert run.state_of("ear-caller/turn")["learned_delay"] == near(2.0)


# -- too few words ---------------------------------------------------------------------------------------------------


def held(frame_ms: int = 20, **options: object) -> Scenario:
    """The agent tells a story from 3.5 to 9.5 s; at 5 s the user says one word, where two interrupt."""
    interruption = {"min_words": 2, **options}
    scenario = Scenario(keeper(), frame_ms=frame_ms, turn_handling={"interruption": interruption})
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=6.0)
    scenario.user_says("Yes.", at=5.0, until=5.5)
    scenario.llm_otherwise("Fine.")
    return scenario


def test_f26_a_held_utterance_is_kept_and_merged_with_fresh_anchors() -> None:
    scenario = held()
    scenario.user_says("Please stop now.", at=7.0, until=8.5)
    run = played(scenario)
    assert [text for _, text in turns_at(run)] == ["Tell me a story.", "Yes. Please stop now."]
    (message,) = (item for item in run.history if isinstance(item, ChatMessage) and "stop" in item.text_content)
    spoke = message.metrics["started_speaking_at"] - _origin(run)
    assert spoke == near(7.0), "the turn began with its own speech, not with the held word"


def _origin(run: Run) -> float:
    """The wall clock at the scenario's beginning."""
    (first, *_) = (item for item in run.history if isinstance(item, ChatMessage) and item.role == "user")
    return first.metrics["started_speaking_at"] - 0.5


def test_f26_a_held_utterance_is_stored_when_the_session_closes() -> None:
    run = played(held())
    assert run.audible("speech-1") == [(near(3.5), near(9.5))]
    assert run.conversation[-1] == ("user", "Yes.")
    assert run.told(SilenceSpeech) == []


def test_enough_words_are_not_held() -> None:
    scenario = held()
    scenario.user_says("Yes. Stop.", at=7.0, until=7.4)
    run = played(scenario)
    assert turns_at(run)[-1] == (near(7.9), "Yes. Yes. Stop.")


def test_one_word_is_a_turn_while_nobody_speaks() -> None:
    scenario = Scenario(keeper(), turn_handling={"interruption": {"min_words": 3}})
    scenario.user_says("Hello.", at=0.5, until=1.5)
    scenario.llm_otherwise("Hi.")
    assert turns_at(played(scenario)) == [(near(2.0), "Hello.")]


def test_a_protected_speech_holds_no_words() -> None:
    """It cannot be interrupted anyway: what is said over it is the next turn."""
    scenario = held(enabled=False, discard_audio_if_uninterruptible=False)
    assert [text for _, text in turns_at(played(scenario))] == ["Tell me a story.", "Yes."]


def test_p03_held_words_are_conserved_in_any_order() -> None:
    def scenario() -> Scenario:
        made = held(frame_ms=100)
        made.user_says("Please stop now.", at=6.2, until=7.0)
        return made

    explore(scenario, schedules=3)


def test_p12_an_offer_that_the_floor_loses_is_not_waited_for_for_ever() -> None:
    scenario = Scenario(keeper(), turn_handling={"interruption": {"min_words": 3}})
    scenario.user_says("Hello.", at=0.5, until=1.5)
    scenario.llm_otherwise("Hi.")
    clean = played(scenario)
    told = [type(delivery.message) for delivery in clean.handled(object, "floor")]
    offered = told.index(TurnOffered) + 1
    scenario.kill("floor", message=offered)
    run = scenario.play()
    assert [text for _, text in turns_at(run)] == ["Hello."]


def test_f28_a_held_transcript_without_times_is_kept() -> None:
    """Said over the agent: two finals with times, one without. All of them are the turn."""
    scenario = held()
    for at, text, end in ((5.8, "Please", 5.6), (6.4, "stop", None), (6.8, "now", 6.7)):
        scenario.stt_reports(SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, text, end_time=end), at=at)
    run = played(scenario)
    said = " ".join(text for role, text in run.conversation[1:] if role == "user")
    assert said == "Yes. Please stop now"


# -- preflights ------------------------------------------------------------------------------------------------------


def preflights(run: Run) -> list[tuple[float, str]]:
    return [
        (run.time_of(delivery), delivery.message.transcript)
        for delivery in run.handled(TurnPreflight, "agent")
        if isinstance(delivery.message, TurnPreflight)
    ]


def test_the_agent_hears_what_the_turn_will_most_likely_say() -> None:
    scenario = asking()
    scenario.stt_reports(SpeechEvent(SpeechEventType.PREFLIGHT_TRANSCRIPT, "How are"), at=2.0)
    run = played(scenario)
    assert preflights(run) == [(near(2.0), "How are"), (near(2.7), "How are you?")]


def test_a_final_that_says_the_same_prepares_nothing_anew() -> None:
    scenario = asking()
    scenario.stt_reports(SpeechEvent(SpeechEventType.PREFLIGHT_TRANSCRIPT, "How are you?"), at=2.4)
    assert preflights(played(scenario)) == [(near(2.4), "How are you?")]


def test_a_preflight_stands_behind_the_finals() -> None:
    scenario = asking()
    scenario.stt_reports(SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, "Well,"), at=1.0)
    scenario.stt_reports(SpeechEvent(SpeechEventType.PREFLIGHT_TRANSCRIPT, "how are you?"), at=2.0)
    run = played(scenario)
    assert [text for _, text in preflights(run)] == ["Well,", "Well, how are you?", "Well, How are you?"]


def test_by_hand_nothing_is_prepared() -> None:
    scenario = asking(turn_handling={"turn_detection": "manual"})
    scenario.stt_reports(SpeechEvent(SpeechEventType.PREFLIGHT_TRANSCRIPT, "How are"), at=2.0)
    scenario.close(6.0)
    assert preflights(played(scenario)) == []
