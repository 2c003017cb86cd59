"""Figures: what a request, a turn or an interruption took, and what the parts of a conversation's items took.

Names and meanings are those that LiveKit's users know. Durations are seconds; moments (``timestamp``, ``*_at``) are
seconds since the epoch, on a clock that does not jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from typing_extensions import TypedDict  # pydantic reads it, and wants this one before Python 3.12


@dataclass(frozen=True, slots=True)
class Metadata:
    """Which model of which provider a figure is about."""

    model_name: str | None = None
    model_provider: str | None = None


class MetadataReport(TypedDict, total=False):
    """:class:`Metadata` as it stands in the metrics of an item."""

    model_name: str
    model_provider: str


class MetricsReport(TypedDict, total=False):
    """The ``metrics`` of a message. What was not measured is not there."""

    started_speaking_at: float
    stopped_speaking_at: float

    transcription_delay: float
    """User: from the end of speech to the last final transcript."""
    end_of_turn_delay: float
    """User: from the end of speech to the decision that the turn is over."""
    on_user_turn_completed_delay: float
    """User: in the agent's ``on_user_turn_completed``."""

    llm_node_ttft: float
    """Assistant: from the request to the first text."""
    llm_node_tps: float
    """Assistant: tokens a second between the first and the last text; absent when there was one piece only."""
    llm_node_ttfs: float
    """Assistant: from the request to the first text given to the voice."""
    tts_node_ttfb: float
    """Assistant: from the first text given to the voice to its first audio."""
    playback_latency: float
    """Assistant: from the first frame given to the sink to its report that playout began."""
    e2e_latency: float
    """Assistant: from the end of the user's speech to the first sound of the reply."""

    provider_request_ids: list[str]
    """Assistant: the providers' names for the requests that made it."""
    llm_metadata: MetadataReport
    tts_metadata: MetadataReport
    stt_metadata: MetadataReport


@dataclass(frozen=True, slots=True)
class LLMMetrics:
    """One request to the model."""

    label: str
    request_id: str
    speech_id: str
    ttft: float
    """Seconds to the first delta; -1 when there was none."""
    duration: float
    completion_tokens: int = 0
    prompt_tokens: int = 0
    prompt_cached_tokens: int = 0
    cancelled: bool = False
    cache_creation_tokens: int = 0
    """Tokens that the provider wrote into its prompt cache."""
    reasoning_tokens: int = 0
    """Hidden ones; counted in ``completion_tokens``."""
    timestamp: float = 0.0
    metadata: Metadata | None = None
    type: Literal["llm_metrics"] = "llm_metrics"

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def tokens_per_second(self) -> float:
        """Completion tokens over the whole duration."""
        return self.completion_tokens / self.duration if self.duration > 0 else 0.0


@dataclass(frozen=True, slots=True)
class TTSMetrics:
    """One segment of synthesis."""

    label: str
    segment_id: str
    speech_id: str
    ttfb: float
    """Seconds from the first text given to the voice to its first audio; -1 when there was none."""
    audio_duration: float
    characters_count: int
    cancelled: bool = False
    duration: float = 0.0
    """Seconds from the first text given to the voice to its end."""
    request_id: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    streamed: bool = True
    acquire_time: float = 0.0
    connection_reused: bool = False
    timestamp: float = 0.0
    metadata: Metadata | None = None
    type: Literal["tts_metrics"] = "tts_metrics"


@dataclass(frozen=True, slots=True)
class STTMetrics:
    """Recognition up to a final transcript."""

    label: str
    audio_duration: float
    """Seconds of audio heard since the last final."""
    request_id: str = ""
    duration: float = 0.0
    """Seconds that the request took; 0 for a streaming recogniser."""
    streamed: bool = True
    input_tokens: int = 0
    output_tokens: int = 0
    input_audio_tokens: int = 0
    acquire_time: float = 0.0
    connection_reused: bool = False
    timestamp: float = 0.0
    metadata: Metadata | None = None
    type: Literal["stt_metrics"] = "stt_metrics"

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class VADMetrics:
    """About a second of voice activity detection."""

    label: str
    idle_time: float
    """Seconds since speech last began or ended."""
    inference_duration_total: float
    """Seconds of inference; 0 when the detector does not say."""
    inference_count: int
    """Windows that were looked at."""
    timestamp: float = 0.0
    metadata: Metadata | None = None
    type: Literal["vad_metrics"] = "vad_metrics"


@dataclass(frozen=True, slots=True)
class EOUMetrics:
    """The end of a user turn."""

    end_of_utterance_delay: float
    """Seconds from the end of speech to the decision that the turn is over."""
    transcription_delay: float
    """Seconds from the end of speech to the last final transcript."""
    on_user_turn_completed_delay: float
    """Seconds in the user's hook."""
    speech_id: str = ""
    timestamp: float = 0.0
    metadata: Metadata | None = None
    type: Literal["eou_metrics"] = "eou_metrics"


@dataclass(frozen=True, slots=True)
class EOTInferenceMetrics:
    """One prediction of an end-of-turn detector."""

    total_duration: float
    """Seconds from the first audio or text that it was about to the answer."""
    detection_delay: float
    """Seconds from the last of it to the answer."""
    prediction_duration: float
    """Seconds of inference."""
    num_requests: int = 1
    timestamp: float = 0.0
    metadata: Metadata | None = None
    type: Literal["eot_inference_metrics"] = "eot_inference_metrics"


@dataclass(frozen=True, slots=True)
class CachedTokenDetails:
    """Input tokens that came from the provider's cache, by kind."""

    audio_tokens: int = 0
    text_tokens: int = 0
    image_tokens: int = 0


@dataclass(frozen=True, slots=True)
class InputTokenDetails:
    """Input tokens of a realtime response, by kind."""

    audio_tokens: int = 0
    text_tokens: int = 0
    image_tokens: int = 0
    cached_tokens: int = 0
    cached_tokens_details: CachedTokenDetails | None = None


@dataclass(frozen=True, slots=True)
class OutputTokenDetails:
    """Output tokens of a realtime response, by kind."""

    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0


@dataclass(frozen=True, slots=True)
class RealtimeModelMetrics:
    """One response of a realtime model."""

    request_id: str
    label: str = ""
    speech_id: str = ""
    ttft: float = -1.0
    """Seconds to the first audio; -1 when there was none."""
    duration: float = 0.0
    """Seconds from the response's creation to its end."""
    session_duration: float = 0.0
    """Seconds of connection, for providers that bill it."""
    cancelled: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    tokens_per_second: float = 0.0
    input_token_details: InputTokenDetails = InputTokenDetails()
    output_token_details: OutputTokenDetails = OutputTokenDetails()
    acquire_time: float = 0.0
    connection_reused: bool = False
    timestamp: float = 0.0
    metadata: Metadata | None = None
    type: Literal["realtime_model_metrics"] = "realtime_model_metrics"


@dataclass(frozen=True, slots=True)
class InterruptionMetrics:
    """A barge-in, or the verdict of a detector of interruptions."""

    speech_id: str = ""
    detection_delay: float = 0.0
    """Seconds from the onset of the user's voice to the decision."""
    silence_delay: float = 0.0
    """Seconds from the decision to the cleared sink."""
    heard: float = 0.0
    """Seconds of the speech that were heard."""
    total_duration: float = 0.0
    """Seconds that the detector's last answer took, the way to it and back included; 0 without a detector."""
    prediction_duration: float = 0.0
    """Seconds of its inference."""
    num_interruptions: int = 0
    num_backchannels: int = 0
    num_requests: int = 0
    """Requests to the detector."""
    timestamp: float = 0.0
    metadata: Metadata | None = None
    type: Literal["interruption_metrics"] = "interruption_metrics"


SessionMetrics: TypeAlias = (
    LLMMetrics
    | TTSMetrics
    | STTMetrics
    | VADMetrics
    | EOUMetrics
    | EOTInferenceMetrics
    | RealtimeModelMetrics
    | InterruptionMetrics
)
AgentMetrics: TypeAlias = SessionMetrics
"""The name that LiveKit's users know."""
