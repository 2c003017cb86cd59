"""The settings of a realtime session, as the protocol wants them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, Literal, TypeAlias

from pydantic import BaseModel

from sessionactors.interfaces.realtime import Modality
from sessionactors.model.errors import OptionError
from sessionactors.model.tools import ToolChoice, ToolDefinition

from .items import Json, to_tools
from .outgoing import SAMPLE_RATE

Setting: TypeAlias = BaseModel | Mapping[str, object]
"""One of the SDK's types (``openai.types.realtime``), or what it would be in JSON."""

SEMANTIC_VAD: Final[Mapping[str, object]] = {
    "type": "semantic_vad",
    "eagerness": "medium",
    "create_response": True,
    "interrupt_response": True,
}
"""Turn detection where none is asked for, as in LiveKit."""
TRANSCRIPTION: Final[Mapping[str, object]] = {"model": "gpt-4o-mini-transcribe"}
_PCM: Final[Mapping[str, object]] = {"type": "audio/pcm", "rate": SAMPLE_RATE}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a session is told before and besides the conversation. Values as in the vendor's reference."""

    voice: str = "marin"
    modalities: tuple[Modality, ...] = ("text", "audio")
    turn_detection: Setting | None = None
    """None: turns are found on this side."""
    input_audio_transcription: Setting | None = None
    input_audio_noise_reduction: Setting | None = None
    tool_choice: ToolChoice | Mapping[str, object] = "auto"
    speed: float = 1.0
    max_response_output_tokens: int | Literal["inf"] = "inf"
    tracing: Setting | str | None = None
    truncation: Setting | str | None = None
    reasoning: Setting | None = None
    include: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0.25 <= self.speed <= 1.5:
            raise OptionError(f"speed must be between 0.25 and 1.5, got {self.speed}")
        unknown = set(self.modalities) - {"text", "audio"}
        if unknown or not self.modalities:
            raise OptionError(f"modalities must be of 'text' and 'audio', got {list(self.modalities)}")
        if self.max_response_output_tokens != "inf" and self.max_response_output_tokens <= 0:
            raise OptionError(f"max_response_output_tokens must be positive, got {self.max_response_output_tokens}")

    @property
    def speaks(self) -> bool:
        """Whether replies are sound."""
        return "audio" in self.modalities

    @property
    def server_takes_turns(self) -> bool:
        """Whether the server detects turns, and answers them."""
        detection = as_json(self.turn_detection)
        return detection is not None and detection.get("create_response", True) is not False

    def changed(self, **changes: object) -> Settings:
        """With other values.

        Raises:
            OptionError: one is out of range, or cannot change while a session runs.
        """
        fixed = {"modalities"} & set(changes)
        unknown = set(changes) - {one.name for one in fields(self)}
        if fixed or unknown:
            raise OptionError(f"{sorted(fixed | unknown)} cannot be changed while a session runs")
        return replace(self, **changes)  # type: ignore[arg-type]  # checked by name above, by range when it is made

    def to_session(self, instructions: str, tools: Sequence[ToolDefinition]) -> Json:
        """All of it, for ``session.update``."""
        said: Json = {"format": dict(_PCM)}
        for name, value in (
            ("noise_reduction", self.input_audio_noise_reduction),
            ("transcription", self.input_audio_transcription),
            ("turn_detection", self.turn_detection),
        ):
            said[name] = as_json(value)  # null turns it off: left out, the server's own default would be on
        audio: Json = {"input": said}
        if self.speaks:
            audio["output"] = {"format": dict(_PCM), "voice": self.voice, "speed": self.speed}
        session: Json = {
            "type": "realtime",
            "output_modalities": ["audio" if self.speaks else "text"],
            "audio": audio,
            "instructions": instructions,
            "tools": to_tools(tools),
            "tool_choice": self.tool_choice if isinstance(self.tool_choice, str) else dict(self.tool_choice),
            "max_output_tokens": self.max_response_output_tokens,
        }
        for name, other in (("tracing", self.tracing), ("truncation", self.truncation)):
            if other is not None:
                session[name] = other if isinstance(other, str) else as_json(other)
        if self.reasoning is not None:
            session["reasoning"] = as_json(self.reasoning)
        if self.include:
            session["include"] = list(self.include)
        return session


def as_json(setting: Setting | None) -> Json | None:
    """One setting as JSON, without what was not given."""
    if isinstance(setting, BaseModel):
        return setting.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return None if setting is None else dict(setting)


def difference(old: Json, new: Json) -> Json:
    """What of the new settings is other than before, each setting as a whole."""
    changed: Json = {}
    for name, value in new.items():
        before = old.get(name)
        if name in ("audio", "input", "output") and isinstance(value, dict) and isinstance(before, dict):
            if inner := difference(before, value):
                changed[name] = inner
        elif value != before:
            changed[name] = value
    return changed
