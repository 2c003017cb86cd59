"""What kinds of speech there are, and how they are ranked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias

SPEECH_PRIORITY_LOW = 0
SPEECH_PRIORITY_NORMAL = 5
SPEECH_PRIORITY_HIGH = 10


InputModality: TypeAlias = Literal["text", "audio"]


@dataclass(frozen=True, slots=True)
class InputDetails:
    """How the user said what a speech answers."""

    modality: InputModality
    """Typed, or spoken."""


DEFAULT_INPUT_DETAILS: Final = InputDetails("audio")


class SpeechSource(Enum):
    """Where a speech comes from."""

    SAY = "say"
    GENERATE_REPLY = "generate_reply"
