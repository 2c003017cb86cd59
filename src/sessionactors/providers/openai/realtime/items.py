"""Items of a conversation as OpenAI's realtime protocol has them, and as ours. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from openai.types.realtime import (
    ConversationItem,
    RealtimeConversationItemAssistantMessage,
    RealtimeConversationItemFunctionCall,
    RealtimeConversationItemFunctionCallOutput,
    RealtimeConversationItemSystemMessage,
    RealtimeConversationItemUserMessage,
)

from sessionactors.model.chat import (
    INSTRUCTIONS_ITEM_ID,
    ChatItem,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
)
from sessionactors.model.chat_items import ImageContent
from sessionactors.model.tools import ToolDefinition

LONGEST_ID = 32
"""Characters that the server takes in an id of an item or a call."""

Json = dict[str, object]


def wire_id(name: str) -> str:
    """An id as the server takes it: the same, or one made of it that is always the same."""
    return name if len(name) <= LONGEST_ID else hashlib.sha256(name.encode()).hexdigest()[:LONGEST_ID]


def key_of(item: ChatItem) -> str:
    """What an item is known by on both sides: calls and outputs by their call, whoever named the item."""
    match item:
        case FunctionCall(call_id=call_id):
            return f"call {wire_id(call_id)}"
        case FunctionCallOutput(call_id=call_id):
            return f"output {wire_id(call_id)}"
        case _:
            return wire_id(item.id)


def text_of(item: ChatItem) -> str:
    """What of an item may change."""
    return item.text_content if isinstance(item, ChatMessage) else ""


def is_sendable(item: ChatItem) -> bool:
    """Whether the server can have it: messages with something in them, calls and outputs; no instructions."""
    if isinstance(item, ChatMessage):
        return item.id != INSTRUCTIONS_ITEM_ID and bool(_content(item))
    return isinstance(item, FunctionCall | FunctionCallOutput)


def to_wire(item: ChatItem) -> Json:
    """A sendable item for ``conversation.item.create``."""
    match item:
        case FunctionCall():
            return {
                "id": wire_id(item.id),
                "type": "function_call",
                "call_id": wire_id(item.call_id),
                "name": item.name,
                "arguments": item.arguments,
            }
        case FunctionCallOutput():
            return {
                "id": wire_id(item.id),
                "type": "function_call_output",
                "call_id": wire_id(item.call_id),
                "output": item.output,
            }
        case ChatMessage():
            role = "system" if item.role == "developer" else item.role
            return {"id": wire_id(item.id), "type": "message", "role": role, "content": _content(item)}
        case _:
            raise ValueError(f"an item of type {item.type!r} is not part of a conversation")


def _content(message: ChatMessage) -> list[Json]:
    kind = "output_text" if message.role == "assistant" else "input_text"
    text = message.text_content
    content: list[Json] = [{"type": kind, "text": text}] if text else []
    if message.role != "user":
        return content
    pictures = [part for part in message.content if isinstance(part, ImageContent)]
    # The server takes pictures in the message only: it fetches nothing.
    return content + [picture(part.image) for part in pictures if part.image.startswith("data:")]


def picture(url: str) -> Json:
    """A picture in a user's message."""
    return {"type": "input_image", "image_url": url}


def from_wire(item: ConversationItem, created_at: float) -> ChatItem | None:
    """Our item for one of the server's; None: it is of a kind that we have none for (such as a call of its own tools).

    Args:
        item: as the server tells of it; sound it tells of without the words, which come later.
        created_at: seconds since the epoch.
    """
    name = item.id or ""
    match item:
        case RealtimeConversationItemFunctionCall():
            return FunctionCall(item.call_id or "", item.name, item.arguments or "", name, created_at)
        case RealtimeConversationItemFunctionCallOutput():
            return FunctionCallOutput(item.call_id, "", item.output, id=name, created_at=created_at)
        case RealtimeConversationItemUserMessage():
            said = [part.text or part.transcript or "" for part in item.content or ()]
            return _message("user", said, name, created_at)
        case RealtimeConversationItemAssistantMessage():
            said = [part.text or part.transcript or "" for part in item.content or ()]
            return _message("assistant", said, name, created_at)
        case RealtimeConversationItemSystemMessage():
            return _message("system", [part.text or "" for part in item.content or ()], name, created_at)
        case _:
            return None


def _message(role: str, said: Sequence[str], name: str, created_at: float) -> ChatMessage:
    text = " ".join(part for part in said if part)
    return ChatMessage(role, [text] if text else [], name, created_at)  # type: ignore[arg-type]  # one of three


def to_tools(tools: Iterable[ToolDefinition]) -> list[Json]:
    """Tools as the server wants them; those that it runs itself as their definition says."""
    return [_tool(tool) for tool in tools]


def _tool(tool: ToolDefinition) -> Json:
    if tool.server_side:
        return dict(tool.server_side)
    parameters: Mapping[str, object] = tool.parameters
    return {"type": "function", "name": tool.name, "description": tool.description, "parameters": dict(parameters)}
