"""What a session has used of each model: tokens, characters, seconds of audio. The figures that bills are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypeVar

from .metrics import (
    CachedTokenDetails,
    EOTInferenceMetrics,
    EOUMetrics,
    InterruptionMetrics,
    LLMMetrics,
    RealtimeModelMetrics,
    SessionMetrics,
    STTMetrics,
    TTSMetrics,
    VADMetrics,
)


@dataclass(frozen=True, slots=True)
class LLMModelUsage:
    """Tokens of one language or realtime model."""

    provider: str
    model: str
    input_tokens: int = 0
    input_cached_tokens: int = 0
    input_cache_creation_tokens: int = 0
    input_audio_tokens: int = 0
    input_cached_audio_tokens: int = 0
    input_text_tokens: int = 0
    input_cached_text_tokens: int = 0
    input_image_tokens: int = 0
    input_cached_image_tokens: int = 0
    output_tokens: int = 0
    output_audio_tokens: int = 0
    output_text_tokens: int = 0
    output_reasoning_tokens: int = 0
    """Hidden ones; counted in ``output_tokens``."""
    session_duration: float = 0.0
    """Seconds of connection, for providers that bill it."""
    type: Literal["llm_usage"] = "llm_usage"


@dataclass(frozen=True, slots=True)
class TTSModelUsage:
    """What one voice was given and gave."""

    provider: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    characters_count: int = 0
    audio_duration: float = 0.0
    """Seconds."""
    type: Literal["tts_usage"] = "tts_usage"


@dataclass(frozen=True, slots=True)
class STTModelUsage:
    """What one recogniser heard."""

    provider: str
    model: str
    input_tokens: int = 0
    input_audio_tokens: int = 0
    output_tokens: int = 0
    audio_duration: float = 0.0
    """Seconds."""
    type: Literal["stt_usage"] = "stt_usage"


@dataclass(frozen=True, slots=True)
class InterruptionModelUsage:
    """Requests to one detector of interruptions."""

    provider: str
    model: str
    total_requests: int = 0
    type: Literal["interruption_usage"] = "interruption_usage"


@dataclass(frozen=True, slots=True)
class EOTModelUsage:
    """Requests to one end-of-turn detector."""

    provider: str
    model: str
    total_requests: int = 0
    type: Literal["eot_usage"] = "eot_usage"


ModelUsage: TypeAlias = LLMModelUsage | TTSModelUsage | STTModelUsage | InterruptionModelUsage | EOTModelUsage
UsageT = TypeVar("UsageT", LLMModelUsage, TTSModelUsage, STTModelUsage, InterruptionModelUsage, EOTModelUsage)


@dataclass(frozen=True, slots=True)
class AgentSessionUsage:
    """What a session has used so far: one entry for each model of each provider."""

    model_usage: tuple[ModelUsage, ...] = ()

    def with_metrics(self, metrics: SessionMetrics) -> AgentSessionUsage:
        """The same with the figures of one more request added; itself when they are about nothing that is counted."""
        provider = (metrics.metadata and metrics.metadata.model_provider) or ""
        model = (metrics.metadata and metrics.metadata.model_name) or ""
        match metrics:
            case LLMMetrics():
                return self._with(_with_request(self._of(LLMModelUsage, provider, model), metrics))
            case RealtimeModelMetrics():
                return self._with(_with_response(self._of(LLMModelUsage, provider, model), metrics))
            case TTSMetrics():
                return self._with(_with_synthesis(self._of(TTSModelUsage, provider, model), metrics))
            case STTMetrics():
                return self._with(_with_recognition(self._of(STTModelUsage, provider, model), metrics))
            case InterruptionMetrics(num_requests=requests) if requests:
                verdicts = self._of(InterruptionModelUsage, provider, model)
                return self._with(replace(verdicts, total_requests=verdicts.total_requests + requests))
            case EOTInferenceMetrics(num_requests=requests):
                predictions = self._of(EOTModelUsage, provider, model)
                return self._with(replace(predictions, total_requests=predictions.total_requests + requests))
            case EOUMetrics() | VADMetrics() | InterruptionMetrics():
                return self

    def _of(self, kind: type[UsageT], provider: str, model: str) -> UsageT:
        for usage in self.model_usage:
            if isinstance(usage, kind) and (usage.provider, usage.model) == (provider, model):
                return usage
        return kind(provider, model)

    def _with(self, usage: ModelUsage) -> AgentSessionUsage:
        def same(other: ModelUsage) -> bool:
            return (other.type, other.provider, other.model) == (usage.type, usage.provider, usage.model)

        if any(map(same, self.model_usage)):
            return AgentSessionUsage(tuple(usage if same(other) else other for other in self.model_usage))
        return AgentSessionUsage((*self.model_usage, usage))


class ModelUsageCollector:
    """Sums up metrics by model and provider. Call it with each ``metrics`` of ``metrics_collected``.

    A session keeps such sums itself: see ``session.usage``.
    """

    def __init__(self) -> None:
        self._usage = AgentSessionUsage()

    def __call__(self, metrics: SessionMetrics) -> None:
        """The same as :meth:`collect`."""
        self.collect(metrics)

    def collect(self, metrics: SessionMetrics) -> None:
        """Add the figures of one request."""
        self._usage = self._usage.with_metrics(metrics)

    def flatten(self) -> list[ModelUsage]:
        """The sums, one entry for each model of each provider."""
        return list(self._usage.model_usage)


def _with_request(usage: LLMModelUsage, metrics: LLMMetrics) -> LLMModelUsage:
    return replace(
        usage,
        input_tokens=usage.input_tokens + metrics.prompt_tokens,
        input_cached_tokens=usage.input_cached_tokens + metrics.prompt_cached_tokens,
        input_cache_creation_tokens=usage.input_cache_creation_tokens + metrics.cache_creation_tokens,
        output_tokens=usage.output_tokens + metrics.completion_tokens,
        output_reasoning_tokens=usage.output_reasoning_tokens + metrics.reasoning_tokens,
    )


def _with_response(usage: LLMModelUsage, metrics: RealtimeModelMetrics) -> LLMModelUsage:
    given, made = metrics.input_token_details, metrics.output_token_details
    cached = given.cached_tokens_details or CachedTokenDetails()
    return replace(
        usage,
        input_tokens=usage.input_tokens + metrics.input_tokens,
        input_cached_tokens=usage.input_cached_tokens + given.cached_tokens,
        input_audio_tokens=usage.input_audio_tokens + given.audio_tokens,
        input_cached_audio_tokens=usage.input_cached_audio_tokens + cached.audio_tokens,
        input_text_tokens=usage.input_text_tokens + given.text_tokens,
        input_cached_text_tokens=usage.input_cached_text_tokens + cached.text_tokens,
        input_image_tokens=usage.input_image_tokens + given.image_tokens,
        input_cached_image_tokens=usage.input_cached_image_tokens + cached.image_tokens,
        output_tokens=usage.output_tokens + metrics.output_tokens,
        output_audio_tokens=usage.output_audio_tokens + made.audio_tokens,
        output_text_tokens=usage.output_text_tokens + made.text_tokens,
        session_duration=usage.session_duration + metrics.session_duration,
    )


def _with_synthesis(usage: TTSModelUsage, metrics: TTSMetrics) -> TTSModelUsage:
    return replace(
        usage,
        input_tokens=usage.input_tokens + metrics.input_tokens,
        output_tokens=usage.output_tokens + metrics.output_tokens,
        characters_count=usage.characters_count + metrics.characters_count,
        audio_duration=usage.audio_duration + metrics.audio_duration,
    )


def _with_recognition(usage: STTModelUsage, metrics: STTMetrics) -> STTModelUsage:
    return replace(
        usage,
        input_tokens=usage.input_tokens + metrics.input_tokens,
        input_audio_tokens=usage.input_audio_tokens + metrics.input_audio_tokens,
        output_tokens=usage.output_tokens + metrics.output_tokens,
        audio_duration=usage.audio_duration + metrics.audio_duration,
    )
