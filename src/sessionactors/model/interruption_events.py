"""Public events about users who speak while the agent does. Part of :mod:`.events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .audio import AudioFrame


@dataclass(frozen=True, slots=True)
class AgentFalseInterruptionEvent:
    """The user's voice had paused a speech, and nothing came of it."""

    resumed: bool
    """The speech goes on. False: it has ended meanwhile, or its output cannot go on."""
    created_at: float
    type: Literal["agent_false_interruption"] = "agent_false_interruption"


@dataclass(frozen=True, slots=True)
class OverlappingSpeechEvent:
    """The user spoke over the agent, and a detector has judged what that was."""

    is_interruption: bool
    """False: a backchannel, which does not interrupt and is no turn."""
    probability: float
    """0..1 that it is an interruption."""
    agent_ended: bool
    """The agent had ended meanwhile."""
    total_duration: float
    """Seconds of the user's voice."""
    prediction_duration: float
    """Seconds that the last opinion took."""
    detection_delay: float
    """Seconds from the onset of the voice to the verdict."""
    overlap_started_at: float
    detected_at: float
    num_requests: int
    """How often the detector was asked."""
    created_at: float
    speech_input: tuple[AudioFrame, ...] = ()
    """What the detector heard."""
    type: Literal["overlapping_speech"] = "overlapping_speech"
