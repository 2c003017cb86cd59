"""The conversation as values: items and an ordered context of them.

Items are immutable. A :class:`ChatContext` is a mutable list of items that its holder owns; the session's history
hands out copies, so editing one changes only that copy.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias

ChatRole: TypeAlias = Literal["developer", "system", "user", "assistant"]

INSTRUCTIONS_ITEM_ID = "lk.agent_task.instructions"
"""Fixed id of the instruction message at index 0 (the id LiveKit uses)."""


def new_item_id() -> str:
    """A fresh item id; sessions use their own deterministic ids instead."""
    return f"item_{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """Something said or typed, by the user or by the agent, or an instruction."""

    role: ChatRole
    content: tuple[str, ...]
    """Text parts in order."""
    id: str = field(default_factory=new_item_id)
    created_at: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    interrupted: bool = False
    """True when ``content`` is only the part of an agent's speech that was heard."""
    transcript_confidence: float | None = None
    """0..1, for user messages that came from speech."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Seconds (or seconds since the epoch for ``*_at``), by name."""
    type: Literal["message"] = "message"

    @property
    def text_content(self) -> str:
        """All text parts, joined by newlines."""
        return "\n".join(self.content)


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """The model asked for a tool."""

    call_id: str
    name: str
    arguments: str
    """JSON object as text."""
    id: str = field(default_factory=new_item_id)
    created_at: float = field(default_factory=time.time)
    type: Literal["function_call"] = "function_call"


@dataclass(frozen=True, slots=True)
class FunctionCallOutput:
    """What a tool answered."""

    call_id: str
    name: str
    output: str
    is_error: bool = False
    reply_required: bool = True
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


ChatItem: TypeAlias = ChatMessage | FunctionCall | FunctionCallOutput | AgentHandoff


class ChatContext:
    """An ordered list of chat items.

    Args:
        items: initial items, in order; the list is copied.
    """

    def __init__(self, items: Iterable[ChatItem] = ()) -> None:
        self._items: list[ChatItem] = list(items)

    @classmethod
    def empty(cls) -> ChatContext:
        """A context with no items."""
        return cls()

    @property
    def items(self) -> list[ChatItem]:
        """The items, in order. Editing the list edits this context."""
        return self._items

    def messages(self) -> list[ChatMessage]:
        """Only the messages, in order."""
        return [item for item in self._items if isinstance(item, ChatMessage)]

    def __iter__(self) -> Iterator[ChatItem]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"<ChatContext {len(self._items)} items>"

    def add_message(
        self,
        *,
        role: ChatRole,
        content: str | Iterable[str],
        id: str | None = None,
        interrupted: bool = False,
        created_at: float | None = None,
    ) -> ChatMessage:
        """Append a message and return it."""
        parts = (content,) if isinstance(content, str) else tuple(content)
        message = ChatMessage(
            role=role,
            content=parts,
            id=id or new_item_id(),
            interrupted=interrupted,
            created_at=time.time() if created_at is None else created_at,
        )
        self._items.append(message)
        return message

    def insert(self, item: ChatItem) -> None:
        """Insert by time: after the last item that is not newer."""
        for index in range(len(self._items), 0, -1):
            if self._items[index - 1].created_at <= item.created_at:
                self._items.insert(index, item)
                return
        self._items.insert(0, item)

    def get_by_id(self, item_id: str) -> ChatItem | None:
        """The item with this id, or None."""
        return next((item for item in self._items if item.id == item_id), None)

    def index_by_id(self, item_id: str) -> int | None:
        """Position of the item with this id, or None."""
        return next((i for i, item in enumerate(self._items) if item.id == item_id), None)

    def copy(
        self,
        *,
        exclude_function_call: bool = False,
        exclude_instructions: bool = False,
        exclude_empty_message: bool = False,
        exclude_handoff: bool = False,
    ) -> ChatContext:
        """A new context with the same items, less the excluded kinds."""

        def kept(item: ChatItem) -> bool:
            match item:
                case ChatMessage():
                    if exclude_instructions and item.role in ("system", "developer"):
                        return False
                    return not (exclude_empty_message and not item.text_content)
                case FunctionCall() | FunctionCallOutput():
                    return not exclude_function_call
                case AgentHandoff():
                    return not exclude_handoff

        return ChatContext(item for item in self._items if kept(item))

    def to_dict(self) -> dict[str, list[dict[str, object]]]:
        """Plain values, ready for JSON."""
        return {"items": [asdict(item) for item in self._items]}
