"""What a model was asked, as OpenTelemetry's conventions for generative AI write messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from sessionactors.model.chat import ChatItem, ChatMessage, FunctionCall, FunctionCallOutput


def as_json(items: Iterable[ChatItem]) -> str:
    """The items of a request: a JSON list of messages with their parts."""
    return json.dumps([message for item in items for message in _messages(item)], ensure_ascii=False)


def _messages(item: ChatItem) -> Iterator[dict[str, object]]:
    match item:
        case ChatMessage(role=role):
            yield {"role": role, "parts": [{"type": "text", "content": item.text_content or ""}]}
        case FunctionCall():
            part = {"type": "tool_call", "id": item.call_id, "name": item.name, "arguments": item.arguments}
            yield {"role": "assistant", "parts": [part]}
        case FunctionCallOutput():
            answered = {"type": "tool_call_response", "id": item.call_id, "response": item.output}
            yield {"role": "tool", "parts": [answered]}
        case _:
            pass  # handoffs and changed settings are no messages to a model
