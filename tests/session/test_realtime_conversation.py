"""Talking with a realtime model: turns found by its server or here, interruption, what is kept and what it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessionactors import (
    MetricsCollectedEvent,
    RealtimeCapabilities,
    SpeechCreatedEvent,
    UserInputTranscribedEvent,
)
from sessionactors.model.metrics import RealtimeModelMetrics
from sessionactors.testing import CLIENT_TURNS, SPEAKING, RealtimeScript, Run, Scenario, ScriptedRealtime, explore

from .realtime_talks import barge_in, one_turn, talk
from .talks import near, played

HALF_CASCADE = replace(SPEAKING, audio_output=False, supports_say=False)


def server_of(run: Run) -> ScriptedRealtime:
    assert run.realtime is not None
    return run.realtime


def test_a_turn_found_by_the_server_is_replied_to_without_thinking() -> None:
    run = played(one_turn(SPEAKING))
    assert run.agent_states == ["initializing", "listening", "speaking", "listening"]
    assert run.user_became("speaking") == [near(0.55)]
    assert run.user_became("listening") == [near(3.0)]
    assert run.agent_became("speaking") == [near(3.3)]
    assert run.agent_became("listening")[1:] == [near(5.3)]
    assert run.conversation == [("user", "How are you?"), ("assistant", "I am fine, thank you.")]
    server_of(run).assert_complete()


def test_a_reply_that_the_server_began_is_not_the_users_doing() -> None:
    run = played(one_turn(SPEAKING))
    (created,) = run.of(SpeechCreatedEvent)
    assert (created.user_initiated, created.source) == (False, "generate_reply")


def test_a_turn_found_here_is_committed_and_a_reply_asked_for() -> None:
    run = played(one_turn(CLIENT_TURNS))
    assert run.agent_states == ["initializing", "listening", "speaking", "listening"]
    assert run.agent_became("speaking") == [near(3.3)]
    assert run.conversation == [("user", "How are you?"), ("assistant", "I am fine, thank you.")]
    (created,) = run.of(SpeechCreatedEvent)
    assert created.user_initiated
    names = [call.name for call in server_of(run).last.calls]
    assert names[-3:] == ["start_user_activity", "commit_audio", "generate_reply"]


@pytest.mark.parametrize("model", [SPEAKING, CLIENT_TURNS], ids=["server", "client"])
def test_what_the_user_said_has_the_models_id_in_event_and_history(model: RealtimeCapabilities) -> None:
    run = played(one_turn(model))
    (transcribed,) = run.of(UserInputTranscribedEvent)
    (item,) = [item for item in run.added if getattr(item, "role", "") == "user"]
    assert transcribed.is_final
    assert transcribed.item_id == item.id
    assert transcribed.speaker_id == "caller"


def test_the_agents_message_has_the_servers_id() -> None:
    run = played(one_turn(SPEAKING))
    (kept,) = [item for item in run.added if getattr(item, "role", "") == "assistant"]
    assert kept.id in {item.id for item in server_of(run).last.chat_ctx}


def test_the_server_hears_the_user_and_its_reply_is_cut_to_what_was_heard() -> None:
    run = played(barge_in(SPEAKING))
    assert run.agent_became("listening")[1] == near(5.05)
    assert run.audible("speech-1") == [(near(3.3), near(5.05))]
    (cut,) = server_of(run).last.truncations
    assert cut.audio_end_ms == pytest.approx(1750, abs=20)
    assert (cut.transcript, run.said()[0]) == ("Once upon", "Once upon")
    assert server_of(run).last.told("interrupt") == []  # the server has stopped by itself
    assert run.agent_became("speaking")[1] == near(6.8)
    server_of(run).assert_complete()


def test_a_voice_heard_here_silences_the_sink_then_the_server() -> None:
    run = played(barge_in(CLIENT_TURNS))
    assert run.audible("speech-1") == [(near(3.3), near(5.5))]  # min_interruption_duration behind its onset
    session = server_of(run).last
    interrupts = [call.at for call in session.calls if call.name == "interrupt"]
    (cut,) = session.truncations
    assert interrupts == [near(5.5)]
    assert cut.at == near(5.5)
    assert cut.audio_end_ms == pytest.approx(2200, abs=60)
    assert cut.transcript == run.said()[0] == "Once upon a"


def test_a_whole_reply_that_was_generated_long_ago_is_still_cut_to_what_was_heard() -> None:
    """The server is ahead: it is done with the story when the user stops it."""
    run = played(barge_in(RealtimeScript(CLIENT_TURNS, pace=20.0)))
    session = server_of(run).last
    assert session.told("interrupt") == []  # there is nothing to cancel any more
    assert [cut.transcript for cut in session.truncations] == ["Once upon a"]


@pytest.mark.parametrize("model", [SPEAKING, CLIENT_TURNS], ids=["server", "client"])
def test_an_interruption_in_any_order(model: RealtimeCapabilities) -> None:
    def heard_is_kept(run: Run) -> None:
        assert [cut.transcript for cut in server_of(run).last.truncations] == run.said()[:1]

    explore(lambda: barge_in(model), schedules=3, expect=heard_is_kept)


def test_a_model_that_cannot_truncate_is_not_told_to() -> None:
    run = played(barge_in(replace(CLIENT_TURNS, message_truncation=False)))
    assert server_of(run).last.truncations == []
    assert run.said()[0] == "Once upon a"


def test_audio_in_real_pace_plays_without_a_gap() -> None:
    run = played(one_turn(RealtimeScript(SPEAKING, pace=1.0)))
    assert sum(until - at for at, until in run.audible("speech-1")) == near(2.0)
    assert run.agent_became("listening")[1:] == [near(5.3)]


def test_half_cascade_the_model_writes_and_the_voice_beside_it_speaks() -> None:
    run = played(barge_in(HALF_CASCADE, beside=("tts",)))
    assert run.agent_states == ["initializing", "listening", "speaking", "listening", "speaking", "listening"]
    (cut,) = server_of(run).last.truncations
    assert cut.transcript == run.said()[0] == "Once"
    assert run.said()[1] == "All right then."


def test_without_a_transcript_of_its_own_the_words_come_from_the_recogniser_and_are_not_sent_again() -> None:
    run = played(one_turn(replace(CLIENT_TURNS, user_transcription=False), beside=("stt",)))
    assert run.conversation == [("user", "How are you?"), ("assistant", "I am fine, thank you.")]
    assert [event.item_id for event in run.of(UserInputTranscribedEvent)] == [None]
    assert server_of(run).last.told("update_chat_ctx") == []


def test_a_recogniser_beside_a_model_that_transcribes_is_not_heard_twice() -> None:
    run = played(one_turn(CLIENT_TURNS, beside=("stt",)))
    assert [event.item_id is not None for event in run.of(UserInputTranscribedEvent)] == [True]
    assert run.conversation == [("user", "How are you?"), ("assistant", "I am fine, thank you.")]


def test_without_transcripts_at_all_the_reply_is_kept_alone() -> None:
    run = played(one_turn(replace(SPEAKING, user_transcription=False)))
    assert run.conversation == [("assistant", "I am fine, thank you.")]


def test_a_closed_gate_keeps_the_user_from_the_model() -> None:
    scenario = one_turn(SPEAKING)
    scenario.call(0.1, lambda session: session.input.set_audio_enabled(False))
    run = played(scenario)
    assert run.conversation == []
    assert server_of(run).understood == []


def test_each_reply_has_its_figures() -> None:
    run = played(barge_in(SPEAKING))
    cut, whole = [
        event.metrics for event in run.of(MetricsCollectedEvent) if isinstance(event.metrics, RealtimeModelMetrics)
    ]
    assert (cut.cancelled, whole.cancelled) == (True, False)
    assert whole.speech_id == "speech-2"
    assert whole.ttft == near(0.25)  # from the news of the response to its first sound
    assert (whole.input_tokens, whole.output_tokens, whole.total_tokens) == (10, 20, 30)


def test_the_closing_session_waits_for_the_models_last_transcript() -> None:
    scenario = talk(RealtimeScript(SPEAKING, transcription_delay=0.5))
    scenario.user_says("Goodbye then.", at=0.5, until=1.5)
    scenario.realtime_replies("Bye.")
    scenario.close(2.1)
    run = scenario.play()
    assert ("user", "Goodbye then.") in run.conversation


def test_silence_of_the_server_after_a_noise_leaves_the_agent_listening() -> None:
    scenario = talk(SPEAKING)
    scenario.user_says("", at=0.5, until=1.0)
    run = played(scenario)
    assert run.user_states == ["listening", "speaking", "listening"]
    assert run.agent_states == ["initializing", "listening"]


def test_a_noise_cuts_the_reply_off_and_the_server_knows_it() -> None:
    """The server has stopped at once, so there is nothing to resume."""
    scenario: Scenario = one_turn(SPEAKING)
    scenario.user_says("", at=4.0, until=4.3)
    run = played(scenario)
    assert run.agent_became("listening")[1:] == [near(4.05)]
    assert [cut.transcript for cut in server_of(run).last.truncations] == run.said()
