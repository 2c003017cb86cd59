"""A chat context in the form that a provider's API is sent. Pure.

The APIs are strict where a live conversation is not: each tool call must be followed by its output, and no output may
stand alone. So outputs are looked up by call and put behind it, those of unknown calls are left out, and a call without
an output yet gets one that says so (promise P5). Handoffs and changes of configuration are not for the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, assert_never

from .chat import (
    AgentConfigUpdate,
    AgentHandoff,
    AudioContent,
    ChatItem,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
    ImageContent,
)

IN_PROGRESS = "The call is in progress; it has no result yet."
"""Stands for the output of a call that still runs."""

_Picture: TypeAlias = Callable[[ImageContent], dict[str, object]]

FORMATS = ("openai", "openai.responses")

SENT_BACK = ("google", "livekit", "xai")
"""Keys of ``extra`` that endpoints of chat completions want back, such as signatures of thoughts."""


def to_provider_format(items: Iterable[ChatItem], format: str) -> list[dict[str, object]]:
    """The messages for these items, in order.

    Raises:
        ValueError: an unknown format.
    """
    match format:
        case "openai":
            return openai_messages(items)
        case "openai.responses":
            return openai_responses_input(items)
        case _:
            raise ValueError(f"unknown provider format {format!r}; there are: {', '.join(FORMATS)}")


def openai_messages(items: Iterable[ChatItem], *, developer_role: bool = True) -> list[dict[str, object]]:
    """The messages of a chat completion request.

    Args:
        items: a context.
        developer_role: whether the endpoint knows the role ``developer``; without, ``system`` takes its place.
    """
    items = tuple(items)
    outputs = {item.call_id: item for item in items if isinstance(item, FunctionCallOutput)}
    messages: list[dict[str, object]] = []
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
                content = _content(item, text="text", picture=_chat_picture)
                if content:
                    role = "system" if item.role == "developer" and not developer_role else item.role
                    messages.append({"role": role, "content": content, **_sent_back(item.extra)})
            case AgentHandoff() | AgentConfigUpdate():
                pass
            case _:
                assert_never(item)
    _add_calls(messages, calls, outputs)
    return messages


def openai_responses_input(items: Iterable[ChatItem]) -> list[dict[str, object]]:
    """The input items of a request to the Responses API.

    What the API gave goes back: the phase of an assistant's message (``extra={"openai": {"phase": ...}}``), and the
    thoughts that led to a call (``extra={"openai": {"reasoning": [...], "item": ...}}``).
    """
    items = tuple(items)
    outputs = {item.call_id: item for item in items if isinstance(item, FunctionCallOutput)}
    entries: list[dict[str, object]] = []
    seen: set[str] = set()
    for item in items:
        match item:
            case FunctionCall():
                if item.call_id in seen:
                    continue
                seen.add(item.call_id)
                thoughts, named = _thoughts(item)
                entries += thoughts
                entries.append(
                    {
                        "type": "function_call",
                        "call_id": item.call_id,
                        "name": item.name,
                        "arguments": item.arguments,
                        **named,
                    }
                )
                output = outputs.get(item.call_id)
                text = IN_PROGRESS if output is None else output.output
                entries.append({"type": "function_call_output", "call_id": item.call_id, "output": text})
            case ChatMessage():
                content = _content(item, text="input_text", picture=_responses_picture)
                if content:
                    entries.append({"role": item.role, "content": content, **_phase(item)})
            case FunctionCallOutput() | AgentHandoff() | AgentConfigUpdate():
                pass  # an output stands behind its call; the rest is not for the model
            case _:
                assert_never(item)
    return entries


def _content(item: ChatMessage, *, text: str, picture: _Picture) -> str | list[dict[str, object]]:
    """Text alone is one string; with pictures it is a list of parts, in order. Only users can show pictures."""
    if item.role != "user" or not any(isinstance(part, ImageContent) for part in item.content):
        return "\n".join(said for part in item.content if (said := _text(part)))
    parts: list[dict[str, object]] = []
    for part in item.content:
        if isinstance(part, ImageContent):
            parts.append(picture(part))
        elif said := _text(part):
            parts.append({"type": text, "text": said})
    return parts


def _text(part: str | ImageContent | AudioContent) -> str:
    """What can be read of it."""
    match part:
        case str():
            return part
        case AudioContent():
            return part.transcript or ""
        case ImageContent():
            return ""


def _chat_picture(part: ImageContent) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": part.image, "detail": part.inference_detail}}


def _responses_picture(part: ImageContent) -> dict[str, object]:
    return {"type": "input_image", "image_url": part.image, "detail": part.inference_detail}


def _thoughts(item: FunctionCall) -> tuple[list[dict[str, object]], dict[str, object]]:
    """What the model thought before a call, and the name of the call's item: the API takes them only together."""
    of_provider = item.extra.get("openai")
    thoughts = of_provider.get("reasoning") if isinstance(of_provider, Mapping) else None
    if not isinstance(of_provider, Mapping) or not isinstance(thoughts, list):
        return [], {}
    named = {"id": of_provider["item"]} if of_provider.get("item") else {}
    return [dict(thought) for thought in thoughts], named


def _phase(item: ChatMessage) -> dict[str, object]:
    """Which part of an answer it was, if its model said so."""
    of_provider = item.extra.get("openai")
    if item.role != "assistant" or not isinstance(of_provider, Mapping) or of_provider.get("phase") is None:
        return {}
    return {"phase": of_provider["phase"]}


def _sent_back(extra: Mapping[str, object]) -> dict[str, object]:
    """What its endpoint wants back with it."""
    kept = {key: extra[key] for key in SENT_BACK if extra.get(key)}
    return {"extra_content": kept} if kept else {}


def _add_calls(
    messages: list[dict[str, object]], calls: Sequence[FunctionCall], outputs: Mapping[str, FunctionCallOutput]
) -> None:
    if not calls:
        return
    made = [
        {
            "id": call.call_id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
            **_sent_back(call.extra),
        }
        for call in calls
    ]
    last = messages[-1] if messages else None
    if last is not None and last["role"] == "assistant" and "tool_calls" not in last:
        # Text and calls of one step were one message when the model made them; some endpoints insist on taking turns.
        last["tool_calls"] = made
    else:
        messages.append({"role": "assistant", "content": None, "tool_calls": made})
    for call in calls:
        output = outputs.get(call.call_id)
        content = IN_PROGRESS if output is None else output.output
        messages.append({"role": "tool", "tool_call_id": call.call_id, "content": content})
