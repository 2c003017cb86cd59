"""A chat context and its tools, typed as the SDK wants them in a chat completion request. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam

from sessionactors.model.chat import ChatItem
from sessionactors.model.provider_format import openai_messages
from sessionactors.model.tools import ToolDefinition


def to_messages(items: Iterable[ChatItem], *, developer_role: bool = True) -> list[ChatCompletionMessageParam]:
    """The messages for these items, in order.

    Args:
        items: a context.
        developer_role: whether the endpoint knows the role ``developer``; without, ``system`` takes its place.
    """
    return cast("list[ChatCompletionMessageParam]", openai_messages(items, developer_role=developer_role))


def to_tools(tools: Iterable[ToolDefinition]) -> list[ChatCompletionFunctionToolParam]:
    """The tools that a request offers; those that the server runs are sent as their definition says."""
    return [
        cast("ChatCompletionFunctionToolParam", dict(tool.server_side))
        if tool.server_side
        else {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
        }
        for tool in tools
    ]
