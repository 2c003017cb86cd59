"""The conversation: one writer, immutable versions."""

from __future__ import annotations

from sessionactors.model.chat import ChatItem
from sessionactors.runtime import Ref, message


@message()
class AppendItems:
    """Add items at the end, in this order. To ``history``."""

    items: tuple[ChatItem, ...]
    add_to_context: bool = True
    """Whether the model will see them."""


@message()
class ContextSnapshot:
    """The conversation as it is at this version. ``history`` to who asked."""

    request: str
    version: int
    items: tuple[ChatItem, ...]


@message()
class ContextWanted:
    """Tell me the conversation, all appends before this included. To ``history``."""

    request: str
    reply_to: Ref[ContextSnapshot]


@message()
class HistoryChanged:
    """Items were added. ``history`` to ``supervisor``."""

    version: int
    added: tuple[ChatItem, ...]
