"""A chat context as the messages of a chat completion request. Pure.

The API is strict where a live conversation is not: each tool call must be followed by its output, and no output may
stand alone. So outputs are looked up by call and put behind it, those of unknown calls are left out, and a call without
an output yet gets one that says so (promise P5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never, cast

from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageFunctionToolCallParam,
    ChatCompletionMessageParam,
)

from sessionactors.model.chat import AgentHandoff, ChatItem, ChatMessage, FunctionCall, FunctionCallOutput
from sessionactors.model.tools import ToolDefinition

IN_PROGRESS = "The call is in progress; it has no result yet."
"""Stands for the output of a call that still runs."""


def to_messages(items: Iterable[ChatItem], *, developer_role: bool = True) -> list[ChatCompletionMessageParam]:
    """The messages for these items, in order.

    Args:
        items: a context.
        developer_role: whether the endpoint knows the role ``developer``; without, ``system`` takes its place.
    """
    items = tuple(items)
    outputs = {item.call_id: item for item in items if isinstance(item, FunctionCallOutput)}
    messages: list[ChatCompletionMessageParam] = []
    calls: list[FunctionCall] = []
    answered = False
    for item in items:
        match item:
            case FunctionCall():
                if answered:  # calls after an output were made in another step
                    _add_calls(messages, calls, outputs)
                    calls, answered = [], False
                if all(call.call_id != item.call_id for call in calls):
                    calls.append(item)
            case FunctionCallOutput():
                answered = answered or bool(calls)
            case ChatMessage():
                _add_calls(messages, calls, outputs)
                calls, answered = [], False
                if item.text_content:
                    messages.append(_message(item, developer_role=developer_role))
            case AgentHandoff():
                pass
            case _:
                assert_never(item)
    _add_calls(messages, calls, outputs)
    return messages


def _message(item: ChatMessage, *, developer_role: bool) -> ChatCompletionMessageParam:
    text = item.text_content
    match item.role:
        case "developer":
            return {"role": "developer", "content": text} if developer_role else {"role": "system", "content": text}
        case "system":
            return {"role": "system", "content": text}
        case "user":
            return {"role": "user", "content": text}
        case "assistant":
            return {"role": "assistant", "content": text}


def _add_calls(
    messages: list[ChatCompletionMessageParam],
    calls: Sequence[FunctionCall],
    outputs: Mapping[str, FunctionCallOutput],
) -> None:
    if not calls:
        return
    made: list[ChatCompletionMessageFunctionToolCallParam] = [
        {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]
    last = messages[-1] if messages else None
    if last is not None and last["role"] == "assistant" and "tool_calls" not in last:
        # Text and calls of one step were one message when the model made them; some endpoints insist on taking turns.
        last["tool_calls"] = made
    else:
        message: ChatCompletionAssistantMessageParam = {"role": "assistant", "content": None, "tool_calls": made}
        messages.append(message)
    for call in calls:
        output = outputs.get(call.call_id)
        content = IN_PROGRESS if output is None else output.output
        messages.append({"role": "tool", "tool_call_id": call.call_id, "content": content})


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
