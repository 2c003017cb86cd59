"""What is asked for when the agent shall speak."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass
from enum import Enum

from .chat import ChatItem
from .tools import ToolChoice

SPEECH_PRIORITY_LOW = 0
SPEECH_PRIORITY_NORMAL = 5
SPEECH_PRIORITY_HIGH = 10


class SpeechSource(Enum):
    """Where a speech comes from."""

    SAY = "say"
    GENERATE_REPLY = "generate_reply"


@dataclass(frozen=True, slots=True)
class SpeechSpec:
    """One speech as asked for, by user code or by the end of a user turn."""

    id: str
    source: SpeechSource
    text: str | AsyncIterable[str] | None = None
    """For ``say``: what to say."""
    instructions: str | None = None
    """For a reply: a system message at the end of this reply's context only."""
    chat_items: tuple[ChatItem, ...] | None = None
    """For a reply: this context instead of the session's."""
    tools: Sequence[str] | None = None
    """For a reply: names of the tools it may use; None for all."""
    tool_choice: ToolChoice = "auto"
    allow_interruptions: bool = True
    add_to_chat_ctx: bool = True
    priority: int = SPEECH_PRIORITY_NORMAL
    turn: str = ""
    """The user turn it answers; empty for none."""
    automatic: bool = False
    """It answers a user turn without user code having asked for it."""
    with_audio: bool = True
