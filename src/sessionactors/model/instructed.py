"""A context with an agent's instructions where models expect them: first, under the one id that they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .chat_items import INSTRUCTIONS_ITEM_ID, ChatItem, ChatMessage


def instructed(items: Sequence[ChatItem], text: str, now: float) -> tuple[ChatItem, ...]:
    """The same items with this text as the instructions: in their place if there are some, else first.

    Args:
        items: a context.
        text: what the agent is told; empty for nothing, then there is no such message.
        now: seconds since the epoch, for a new message; it is never younger than what follows it.
    """
    present = next((item for item in items if item.id == INSTRUCTIONS_ITEM_ID), None)
    if not text:
        return tuple(item for item in items if item is not present)
    if isinstance(present, ChatMessage):
        new = replace(present, content=[text])
        return tuple(new if item is present else item for item in items)
    created_at = min(now, items[0].created_at) if items else now
    return (ChatMessage("system", [text], id=INSTRUCTIONS_ITEM_ID, created_at=created_at), *items)
