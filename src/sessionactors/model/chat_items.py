"""What a conversation consists of: immutable items."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from .audio import AudioFrame
from .metrics import MetricsReport
from .picture import RTCVideoFrame, data_url
from .read_only import ReadOnlyList

if TYPE_CHECKING:
    from .video import VideoFrame

ChatRole: TypeAlias = Literal["developer", "system", "user", "assistant"]

INSTRUCTIONS_ITEM_ID = "lk.agent_task.instructions"
"""Fixed id of the instruction message at index 0 (the id LiveKit uses)."""

ITEMS_ARE_VALUES = "items are values: make a new message with dataclasses.replace(message, content=[...])"


def new_item_id() -> str:
    """A fresh item id; sessions use their own deterministic ids instead."""
    return f"item_{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True, slots=True, init=False)
class ImageContent:
    """A picture in a message.

    A frame of video is made a JPEG here and now, some milliseconds of CPU for a large one, so that the message is a
    value that can be kept and recorded. That needs Pillow: ``pip install 'sessionactors[images]'``.

    Args:
        image: its URL, also a ``data:`` URL; or a frame: a :class:`.VideoFrame`, or one of ``livekit.rtc``.
        id: of the part.
        inference_width: pixels that a frame is scaled into, keeping its proportions; with ``inference_height``.
        inference_height: see ``inference_width``.
        inference_detail: how closely the model looks.
        mime_type: of the picture.

    Raises:
        VideoFormatError: neither a URL nor a frame, or a frame that cannot be read.
        ImportError: a frame, and Pillow is not installed.
    """

    image: str
    """Its URL; a ``data:`` URL holds the picture itself."""
    id: str = field(default_factory=lambda: f"img_{uuid.uuid4().hex[:12]}")
    inference_width: int | None = None
    inference_height: int | None = None
    inference_detail: Literal["auto", "high", "low"] = "auto"
    mime_type: str | None = None
    type: Literal["image_content"] = "image_content"

    def __init__(
        self,
        image: str | VideoFrame | RTCVideoFrame,
        id: str | None = None,
        inference_width: int | None = None,
        inference_height: int | None = None,
        inference_detail: Literal["auto", "high", "low"] = "auto",
        mime_type: str | None = None,
        type: Literal["image_content"] = "image_content",
    ) -> None:
        if not isinstance(image, str):
            image, mime_type = data_url(image, width=inference_width, height=inference_height)
        own = (
            ("image", image),
            ("id", id or f"img_{uuid.uuid4().hex[:12]}"),
            ("inference_width", inference_width),
            ("inference_height", inference_height),
            ("inference_detail", inference_detail),
            ("mime_type", mime_type),
            ("type", type),
        )
        for name, value in own:
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class AudioContent:
    """Sound in a message, with what was understood of it."""

    frame: list[AudioFrame]
    """In order; read-only."""
    transcript: str | None = None
    type: Literal["audio_content"] = "audio_content"

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", ReadOnlyList(self.frame, ITEMS_ARE_VALUES))


ChatContent: TypeAlias = str | ImageContent | AudioContent


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """Something said or typed, by the user or by the agent, or an instruction."""

    role: ChatRole
    content: list[ChatContent]
    """Parts in order; read-only. Given as one string, it is a list of that one."""
    id: str = field(default_factory=new_item_id)
    created_at: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    interrupted: bool = False
    """True when ``content`` is only the part of an agent's speech that was heard."""
    transcript_confidence: float | None = None
    """0..1, for user messages that came from speech."""
    metrics: MetricsReport = field(default_factory=MetricsReport)
    """What its parts took; see :class:`.MetricsReport`."""
    extra: Mapping[str, object] = field(default_factory=dict)
    """Whatever a provider or the user wants to keep with it."""
    type: Literal["message"] = "message"

    def __post_init__(self) -> None:
        content: Iterable[ChatContent] = self.content
        parts = [content] if isinstance(content, str) else content
        object.__setattr__(self, "content", ReadOnlyList(parts, ITEMS_ARE_VALUES))

    @property
    def text_content(self) -> str:
        """All text parts, joined by newlines; empty when there is none."""
        return "\n".join(part for part in self.content if isinstance(part, str))

    @property
    def raw_text_content(self) -> str:
        """The same with any markup that the model wrote for its voice."""
        return self.text_content


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """The model asked for a tool."""

    call_id: str
    name: str
    arguments: str
    """JSON object as text."""
    id: str = field(default_factory=new_item_id)
    created_at: float = field(default_factory=time.time)
    extra: Mapping[str, object] = field(default_factory=dict)
    """What its provider wants back with it."""
    group_id: str | None = None
    """The same for calls that the model made together."""
    type: Literal["function_call"] = "function_call"


@dataclass(frozen=True, slots=True)
class FunctionCallOutput:
    """What a tool answered."""

    call_id: str
    name: str
    output: str
    is_error: bool = False
    reply_required: bool = True
    """Whether the model is to say something about it."""
    id: str = field(default_factory=new_item_id)
    created_at: float = field(default_factory=time.time)
    type: Literal["function_call_output"] = "function_call_output"


@dataclass(frozen=True, slots=True)
class AgentHandoff:
    """Another agent took over (also at the start, with no old agent)."""

    new_agent_id: str
    old_agent_id: str | None = None
    id: str = field(default_factory=new_item_id)
    created_at: float = field(default_factory=time.time)
    type: Literal["agent_handoff"] = "agent_handoff"


@dataclass(frozen=True, slots=True)
class AgentConfigUpdate:
    """An agent began to work, or was changed: with which instructions, with which tools more or fewer."""

    instructions: str | None = None
    tools_added: list[str] | None = None
    """Names; read-only."""
    tools_removed: list[str] | None = None
    id: str = field(default_factory=new_item_id)
    created_at: float = field(default_factory=time.time)
    type: Literal["agent_config_update"] = "agent_config_update"

    def __post_init__(self) -> None:
        for name in ("tools_added", "tools_removed"):
            tools = getattr(self, name)
            if tools is not None:
                object.__setattr__(self, name, ReadOnlyList(tools, ITEMS_ARE_VALUES))


ChatItem: TypeAlias = ChatMessage | FunctionCall | FunctionCallOutput | AgentHandoff | AgentConfigUpdate


def is_instruction(item: ChatItem) -> bool:
    """Whether it tells the model what to do."""
    return isinstance(item, ChatMessage) and item.role in ("system", "developer")


def payload(item: ChatItem) -> tuple[object, ...]:
    """What it says, whenever it was said."""
    match item:
        case ChatMessage():
            return item.type, item.role, item.interrupted, list(item.content)
        case FunctionCall():
            return item.type, item.name, item.call_id, item.arguments
        case FunctionCallOutput():
            return item.type, item.name, item.call_id, item.output, item.is_error
        case AgentHandoff() | AgentConfigUpdate():
            return (item.type,)
