"""Conversations and tools between plugins and sessions: the same items in other values."""

from __future__ import annotations

from collections.abc import Sequence

from livekit.agents import llm

from sessionactors.model.chat import ChatContext, ChatItem
from sessionactors.model.errors import OptionError
from sessionactors.model.tools import ToolDefinition


def to_plugin(chat_ctx: ChatContext) -> llm.ChatContext:
    """The conversation as plugins take it."""
    return llm.ChatContext.from_dict(
        chat_ctx.to_dict(exclude_image=False, exclude_timestamp=False, exclude_metrics=True)
    )


def from_plugin(chat_ctx: llm.ChatContext) -> ChatContext:
    """The conversation as sessions take it; of sound, the words."""
    return ChatContext.from_dict(chat_ctx.to_dict(exclude_image=False, exclude_timestamp=False, exclude_metrics=True))


def told_items(wanted: ChatContext, there: llm.ChatContext) -> llm.ChatContext:
    """A conversation for a server that has one already, so that what is the same there stays as it is.

    Args:
        wanted: how it shall be.
        there: how it is: calls are named by the server, and sound has its words with spaces around them.
    """
    conversation = to_plugin(wanted)
    calls = {item.call_id: item for item in there.items if item.type == "function_call"}
    messages = {item.id: item for item in there.items if item.type == "message"}

    def same(item: llm.ChatItem) -> llm.ChatItem:
        if item.type == "function_call":
            return calls.get(item.call_id, item)
        known = messages.get(item.id) if item.type == "message" else None
        if known is None or item.type != "message":
            return item
        return known if _words(known) == _words(item) else item

    conversation.items = [same(item) for item in conversation.items]
    return conversation


def _words(message: llm.ChatMessage) -> str:
    return (message.text_content or "").strip()


def item_from_plugin(item: llm.ChatItem) -> ChatItem:
    """One item of a conversation as sessions take it."""
    return from_plugin(llm.ChatContext([item])).items[0]


def offered(tools: Sequence[ToolDefinition], label: str) -> list[llm.Tool]:
    """Tools as plugins describe them to their models. They are never called there: calls go to the session.

    Raises:
        OptionError: one of them is run by another provider's server.
    """
    return [_offered(tool, label) for tool in tools]


def _offered(tool: ToolDefinition, label: str) -> llm.Tool:
    if tool.server_side:
        raise OptionError(f"{label}: {tool.name!r} is a tool that another provider runs; a plugin has its own kind")

    async def never(raw_arguments: dict[str, object]) -> None:
        raise AssertionError(f"{tool.name} was called in the plugin")

    return llm.function_tool(
        never,
        raw_schema={"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
    )
