"""Figures: what a request, a turn or an interruption took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class LLMMetrics:
    """One request to the model."""

    label: str
    request_id: str
    speech_id: str
    ttft: float
    """Seconds to the first delta."""
    duration: float
    completion_tokens: int = 0
    prompt_tokens: int = 0
    prompt_cached_tokens: int = 0
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class TTSMetrics:
    """One segment of synthesis."""

    label: str
    segment_id: str
    speech_id: str
    ttfb: float
    """Seconds from the first text to the first audio."""
    audio_duration: float
    characters_count: int
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class STTMetrics:
    """Recognition up to a final transcript."""

    label: str
    audio_duration: float
    """Seconds of audio heard since the last final."""


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


@dataclass(frozen=True, slots=True)
class InterruptionMetrics:
    """A barge-in."""

    speech_id: str
    detection_delay: float
    """Seconds from the onset of the user's voice to the decision."""
    silence_delay: float
    """Seconds from the decision to the cleared sink."""
    heard: float
    """Seconds of the speech that were heard."""


SessionMetrics: TypeAlias = LLMMetrics | TTSMetrics | STTMetrics | EOUMetrics | InterruptionMetrics
