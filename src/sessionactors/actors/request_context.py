"""What the model is asked with: the conversation as one step of a speech sees it, and its tools. Pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.model.chat import INSTRUCTIONS_ITEM_ID, ChatItem, ChatMessage
from sessionactors.model.tools import ToolDefinition


def context_of(
    spec: SpeechSpec, conversation: tuple[ChatItem, ...], step: int, own: AbstractSet[str], wall: float
) -> tuple[ChatItem, ...]:
    """The items of a request.

    Args:
        spec: the speech.
        conversation: the session's.
        step: number of the step, from 1.
        own: ids of the items that this speech has added so far.
        wall: seconds since the epoch.
    """
    items: list[ChatItem] = []
    if spec.agent.instructions:
        items.append(ChatMessage("system", [spec.agent.instructions], id=INSTRUCTIONS_ITEM_ID, created_at=wall))
    if spec.chat_items is None:
        items.extend(conversation)
    else:  # the context given for this reply, and what this reply has added to the history since
        items.extend(spec.chat_items)
        items.extend(item for item in conversation if step > 1 and item.id in own)
    if spec.instructions:
        items.append(ChatMessage("system", [spec.instructions], id=f"{spec.id}.instructions", created_at=wall))
    return tuple(items)


def tools_of(spec: SpeechSpec) -> tuple[ToolDefinition, ...]:
    """The tools that a speech may use."""
    tools = spec.agent.tools
    return tools if spec.tools is None else tuple(tool for tool in tools if tool.name in spec.tools)
