"""What kinds of speech there are, and how they are ranked."""

from __future__ import annotations

from enum import Enum

SPEECH_PRIORITY_LOW = 0
SPEECH_PRIORITY_NORMAL = 5
SPEECH_PRIORITY_HIGH = 10


class SpeechSource(Enum):
    """Where a speech comes from."""

    SAY = "say"
    GENERATE_REPLY = "generate_reply"
