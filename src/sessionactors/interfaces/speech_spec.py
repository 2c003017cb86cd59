"""What is asked for when the agent shall speak: one speech, and the agent that it belongs to."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass

from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatItem
from sessionactors.model.expressive import Expressive
from sessionactors.model.speech import SPEECH_PRIORITY_NORMAL, InputModality, SpeechSource
from sessionactors.model.tools import ToolChoice

from .user_code import UserAgent


@dataclass(frozen=True, slots=True)
class SpeechSpec:
    """One speech as asked for, by user code or by the end of a user turn."""

    id: str
    source: SpeechSource
    agent: UserAgent
    """Whose speech it is: its tools, its nodes, its providers. ``agent`` names the one in charge when it schedules."""
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
    input_modality: InputModality = "audio"
    """How the user said what it answers."""
    user_stopped_at: int | None = None
    """When the user whom it answers ceased to speak, kernel clock nanoseconds."""
    expressive: Expressive | None = None
    """For a reply: whether the model may steer the voice. Set by ``floor`` when the speech begins."""
    on_enter: bool = False
    """``on_enter`` asked for it, or a tool of such a reply."""
    may_be_empty: bool = False
    """For a reply: the model may have nothing to say."""
    speculative: bool = False
    """For a reply: it is prepared, and not heard before it is promoted."""
    speaks_ahead: bool = False
    """A speculative one has the voice work too before that."""
    audio: AsyncIterable[AudioFrame] | None = None
    """For ``say``: the text as audio, made by the caller; no voice is asked."""
    response: str = ""
    """A realtime model's id of the response that this is; empty: nothing has begun yet."""
    user_initiated: bool = True
    """False: a realtime model began it by itself."""
