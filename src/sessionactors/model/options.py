"""Options of a session, checked once when they are given."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, TypeAlias, get_args

from .errors import OptionError

TurnDetectionMode: TypeAlias = Literal["vad", "stt", "manual", "realtime_llm"]

TextTransform: TypeAlias = Literal["filter_markdown", "filter_emoji"]
"""What is left out of a text before a voice is given it."""


@dataclass(frozen=True, slots=True)
class APIConnectOptions:
    """How often and how patiently a provider is asked.

    Raises:
        OptionError: a negative value.
    """

    max_retry: int = 3
    """Attempts after the first."""
    retry_interval: float = 2.0
    """Seconds between attempts; the first retry comes after 0.1 s."""
    timeout: float = 10.0
    """Seconds to the first answer, and between answers."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 0:
                raise OptionError(f"{field.name} must not be negative, got {value}")

    def delay_before(self, attempt: int) -> float:
        """Seconds to wait before attempt ``attempt`` (1 is the first retry)."""
        return 0.1 if attempt == 1 else self.retry_interval


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """All options of a session, resolved.

    Raises:
        OptionError: a value is out of range, or two contradict each other.
    """

    min_endpointing_delay: float = 0.5
    """Seconds of silence after which a turn that seems complete ends."""
    max_endpointing_delay: float = 6.0
    """Seconds of silence after which any turn ends (a turn detector makes a session wait longer than the minimum)."""
    allow_interruptions: bool = True
    min_interruption_duration: float = 0.5
    """Seconds the user must speak to interrupt."""
    min_interruption_words: int = 0
    """Words the user must say to interrupt; needs a recogniser."""
    max_tool_steps: int = 3
    """Model requests with tools in one reply; then one more without tools."""
    min_consecutive_speech_delay: float = 0.0
    """Seconds between the end of one speech and the start of the next."""
    stt_conn_options: APIConnectOptions = APIConnectOptions()
    llm_conn_options: APIConnectOptions = APIConnectOptions()
    tts_conn_options: APIConnectOptions = APIConnectOptions()
    max_unrecoverable_errors: int = 3
    """Failures of one component in a row that a session survives."""
    session_close_transcript_timeout: float = 2.0
    """Seconds a closing session waits for the final transcript of a trailing turn."""
    synthesis_lead: float = 2.0
    """Seconds of audio that synthesis may be ahead of playout."""
    tts_text_transforms: tuple[TextTransform, ...] = ("filter_markdown", "filter_emoji")
    """What is left out of the text that the voice is given; transcript and history keep it."""

    def __post_init__(self) -> None:
        for name in (
            "min_endpointing_delay",
            "max_endpointing_delay",
            "min_interruption_duration",
            "min_interruption_words",
            "max_tool_steps",
            "min_consecutive_speech_delay",
            "max_unrecoverable_errors",
            "session_close_transcript_timeout",
        ):
            value = getattr(self, name)
            if value < 0:
                raise OptionError(f"{name} must not be negative, got {value}")
        if self.synthesis_lead <= 0:
            raise OptionError(f"synthesis_lead must be positive, got {self.synthesis_lead}")
        unknown = [name for name in self.tts_text_transforms if name not in get_args(TextTransform)]
        if unknown:
            raise OptionError(f"unknown tts_text_transforms {unknown}; there are: {', '.join(get_args(TextTransform))}")
        if self.min_endpointing_delay > self.max_endpointing_delay:
            raise OptionError(
                f"min_endpointing_delay ({self.min_endpointing_delay}) is greater than "
                f"max_endpointing_delay ({self.max_endpointing_delay})"
            )
