"""The options of a session as its user reads them back: ``session.options``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from sessionactors.model.options import SessionOptions, TextTransform

from .stt_context import STTContextOptions
from .turn_handling import (
    GROUPS,
    SINGLE,
    EndpointingOptions,
    InterruptionOptions,
    PreemptiveGenerationOptions,
    TurnHandlingOptions,
)


@dataclass(frozen=True, slots=True)
class AgentSessionOptions:
    """What a session's options amount to. Read only: they are changed by :meth:`AgentSession.update_options`."""

    resolved: SessionOptions
    """All of them, by one name each."""
    stt_context_options: STTContextOptions
    """What the recogniser is told of the conversation."""

    @property
    def turn_handling(self) -> TurnHandlingOptions:
        """All options about turns, each key with its value; ``turn_detection`` and a mode only if they were given."""
        options: dict[str, object] = {group: self._group(group) for group in GROUPS}
        options |= {key: getattr(self.resolved, name) for key, name in SINGLE.items() if self.resolved.was_given(name)}
        return cast("TurnHandlingOptions", MappingProxyType(options))

    @property
    def endpointing(self) -> EndpointingOptions:
        """When a turn ends."""
        return cast("EndpointingOptions", self._group("endpointing"))

    @property
    def endpointing_overrides(self) -> EndpointingOptions:
        """The part of it that was given; the rest may be other beside another turn detector."""
        keys = GROUPS["endpointing"].items()
        values = {key: getattr(self.resolved, name) for key, name in keys if self.resolved.was_given(name)}
        return cast("EndpointingOptions", MappingProxyType(values))

    @property
    def interruption(self) -> InterruptionOptions:
        """When the user cuts the agent off."""
        return cast("InterruptionOptions", self._group("interruption"))

    @property
    def preemptive_generation(self) -> PreemptiveGenerationOptions:
        """Replies that are started early."""
        return cast("PreemptiveGenerationOptions", self._group("preemptive_generation"))

    @property
    def max_tool_steps(self) -> int:
        """Model requests with tools in one reply."""
        return self.resolved.max_tool_steps

    @property
    def user_away_timeout(self) -> float | None:
        """Seconds in which nobody speaks until the user counts as away."""
        return self.resolved.user_away_timeout

    @property
    def transcription_timeout(self) -> float | None:
        """Seconds after speech in which a transcript must come."""
        return self.resolved.transcription_timeout

    @property
    def min_consecutive_speech_delay(self) -> float:
        """Seconds between two speeches."""
        return self.resolved.min_consecutive_speech_delay

    @property
    def use_tts_aligned_transcript(self) -> bool:
        """Whether the transcript comes from the voice's word timings."""
        return self.resolved.use_tts_aligned_transcript

    @property
    def tts_text_transforms(self) -> tuple[TextTransform, ...] | None:
        """What is left out of the text that the voice is given; None: nothing."""
        return self.resolved.tts_text_transforms or None

    @property
    def ivr_detection(self) -> bool:
        """Whether the other side may be a telephone menu."""
        return self.resolved.ivr_detection

    @property
    def aec_warmup_duration(self) -> float | None:
        """Seconds of the first speech in which voice does not interrupt."""
        return self.resolved.aec_warmup_duration

    @property
    def session_close_transcript_timeout(self) -> float:
        """Seconds a closing session waits for the last transcript."""
        return self.resolved.session_close_transcript_timeout

    def _group(self, group: str) -> Mapping[str, object]:
        values = {key: getattr(self.resolved, name) for key, name in GROUPS[group].items()}
        if values.get("mode", "") is None:
            del values["mode"]  # absent is what users know for "the best there is"
        return MappingProxyType(values)
