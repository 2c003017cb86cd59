"""What a session has used of each model, and the events that say so."""

from __future__ import annotations

import warnings
from itertools import pairwise

import pytest

from sessionactors import (
    AgentSession,
    AgentSessionUsage,
    EOTInferenceMetrics,
    EOUMetrics,
    InterruptionMetrics,
    LLMMetrics,
    LLMModelUsage,
    Metadata,
    MetricsCollectedEvent,
    ModelUsageCollector,
    RealtimeModelMetrics,
    SessionUsageUpdatedEvent,
    STTMetrics,
    STTModelUsage,
    TTSMetrics,
    TTSModelUsage,
    VADMetrics,
)
from sessionactors.model.metrics import CachedTokenDetails, InputTokenDetails, OutputTokenDetails, SessionMetrics

from tests.session.talks import Session, barge_in, near, one_turn, played

GPT = Metadata("gpt-4o-mini", "openai")


def collected(*metrics: SessionMetrics) -> list[object]:
    collector = ModelUsageCollector()
    for figures in metrics:
        collector(figures)
    return list(collector.flatten())


def test_requests_of_one_model_are_summed_up_and_models_are_kept_apart() -> None:
    first = LLMMetrics("llm", "r1", "speech-1", 0.1, 0.3, 10, 100, 40, metadata=GPT, reasoning_tokens=3)
    second = LLMMetrics("llm", "r2", "speech-2", 0.1, 0.3, 5, 50, metadata=GPT, cache_creation_tokens=2)
    other = LLMMetrics("llm", "r3", "speech-3", 0.1, 0.3, 1, 2)
    assert collected(first, second, other) == [
        LLMModelUsage(
            "openai",
            "gpt-4o-mini",
            input_tokens=150,
            input_cached_tokens=40,
            input_cache_creation_tokens=2,
            output_tokens=15,
            output_reasoning_tokens=3,
        ),
        LLMModelUsage("", "", input_tokens=2, output_tokens=1),
    ]


def test_a_realtime_model_counts_as_a_language_model_with_kinds_of_tokens() -> None:
    response = RealtimeModelMetrics(
        "r1",
        input_tokens=30,
        output_tokens=12,
        session_duration=4.0,
        input_token_details=InputTokenDetails(20, 8, 2, 5, CachedTokenDetails(3, 1, 1)),
        output_token_details=OutputTokenDetails(4, 8),
        metadata=GPT,
    )
    (usage,) = collected(response)
    assert usage == LLMModelUsage(
        "openai",
        "gpt-4o-mini",
        input_tokens=30,
        input_cached_tokens=5,
        input_audio_tokens=20,
        input_cached_audio_tokens=3,
        input_text_tokens=8,
        input_cached_text_tokens=1,
        input_image_tokens=2,
        input_cached_image_tokens=1,
        output_tokens=12,
        output_audio_tokens=8,
        output_text_tokens=4,
        session_duration=4.0,
    )


def test_voices_recognisers_and_detectors_have_their_own_sums() -> None:
    voice = TTSMetrics("tts", "s", "speech-1", 0.1, 2.0, 20, input_tokens=3, output_tokens=4)
    ear = STTMetrics("stt", 1.5, input_tokens=6, output_tokens=2, input_audio_tokens=5)
    usage = collected(voice, voice, ear, EOTInferenceMetrics(0.1, 0.1, 0.1), InterruptionMetrics(num_requests=3))
    assert [(item.type, item.model) for item in usage] == [  # type: ignore[attr-defined]
        ("tts_usage", ""),
        ("stt_usage", ""),
        ("eot_usage", ""),
        ("interruption_usage", ""),
    ]
    assert usage[0] == TTSModelUsage("", "", 6, 8, 40, 4.0)
    assert usage[1] == STTModelUsage("", "", 6, 5, 2, 1.5)


def test_delays_are_no_usage() -> None:
    usage = AgentSessionUsage()
    for figures in (EOUMetrics(0.5, 0.2, 0.0), VADMetrics("vad", 0.0, 0.0, 30), InterruptionMetrics("speech-1")):
        assert usage.with_metrics(figures) is usage


def test_the_session_says_what_it_has_used_so_far() -> None:
    seen: list[AgentSessionUsage] = []
    scenario = one_turn()
    scenario.call(9.0, lambda session: seen.append(session.usage))
    run = played(scenario)
    ear, model, voice = seen[0].model_usage
    assert isinstance(model, LLMModelUsage)
    assert isinstance(voice, TTSModelUsage)
    assert isinstance(ear, STTModelUsage)
    assert (model.output_tokens, voice.audio_duration) == (5, near(2.0))
    assert ear.audio_duration > 2.0
    assert run.of(SessionUsageUpdatedEvent)[-1].usage == seen[0]


def test_usage_follows_each_figure_that_it_sums_up() -> None:
    run = played(barge_in())
    usage = AgentSessionUsage()
    kinds = [timed.event for timed in run.events]
    for event, following in pairwise(kinds):
        if isinstance(event, MetricsCollectedEvent) and (more := usage.with_metrics(event.metrics)) is not usage:
            usage = more
            assert isinstance(following, SessionUsageUpdatedEvent)
            assert following.usage == usage
    assert run.of(SessionUsageUpdatedEvent)[-1].usage == usage


def test_figures_carry_model_time_and_request() -> None:
    figures = [event.metrics for event in played(one_turn()).of(MetricsCollectedEvent)]
    figures = [item for item in figures if not isinstance(item, VADMetrics)]
    assert [item.type for item in figures] == ["stt_metrics", "eou_metrics", "llm_metrics", "tts_metrics"]
    assert all(item.timestamp > 0 for item in figures)
    model, voice = figures[2], figures[3]
    assert isinstance(model, LLMMetrics)
    assert isinstance(voice, TTSMetrics)
    assert (model.total_tokens, model.metadata) == (model.prompt_tokens + 5, Metadata("scripted"))
    assert model.tokens_per_second == pytest.approx(5 / model.duration)
    assert (voice.ttfb, voice.request_id, voice.streamed) == (near(0.2), "speech-1/segment-1", True)


def test_a_detector_has_figures_of_about_each_second() -> None:
    run = played(one_turn())
    figures = [event.metrics for event in run.of(MetricsCollectedEvent) if isinstance(event.metrics, VADMetrics)]
    assert len(figures) > 1
    assert {item.label for item in figures} == {"scripted-vad"}
    assert all(item.inference_count > 0 for item in figures)
    assert figures[-1].idle_time > 1.0  # nobody has spoken since the end of the turn


def test_metrics_collected_is_deprecated_and_warns_once() -> None:
    session: Session = AgentSession()
    with pytest.warns(DeprecationWarning, match="session_usage_updated"):
        session.on("metrics_collected", print)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.on("metrics_collected", print)
