"""An ordered context of chat items: what an agent remembers, and what a model is asked with.

Items are immutable. A :class:`ChatContext` is a mutable list of them that its holder owns; the session hands out
copies, so editing one changes only that copy. Importable from here are the items too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

from .chat_items import (
    INSTRUCTIONS_ITEM_ID,
    AgentConfigUpdate,
    AgentHandoff,
    AudioContent,
    ChatContent,
    ChatItem,
    ChatMessage,
    ChatRole,
    FunctionCall,
    FunctionCallOutput,
    ImageContent,
    is_instruction,
    new_item_id,
    payload,
)
from .instructions import Instructions
from .metrics import MetricsReport
from .read_only import ReadOnlyList
from .sentinel import NOT_GIVEN, NotGiven, NotGivenOr

__all__ = [
    "INSTRUCTIONS_ITEM_ID",
    "AgentConfigUpdate",
    "AgentHandoff",
    "AudioContent",
    "ChatContent",
    "ChatContext",
    "ChatItem",
    "ChatMessage",
    "ChatRole",
    "FunctionCall",
    "FunctionCallOutput",
    "ImageContent",
    "ReadOnlyChatContext",
    "is_instruction",
    "new_item_id",
    "place_of",
]


class Named(Protocol):
    """A tool, as far as a context cares."""

    @property
    def name(self) -> str:
        """What calls name it."""


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
        return ChatContext()

    @property
    def items(self) -> list[ChatItem]:
        """The items, in order. Editing the list edits this context."""
        return self._items

    @items.setter
    def items(self, items: Iterable[ChatItem]) -> None:
        self._items = list(items)

    @property
    def readonly(self) -> bool:
        """Whether it refuses to be changed: then ``copy()`` it."""
        return False

    def messages(self) -> list[ChatMessage]:
        """Only the messages, in order."""
        return [item for item in self._items if isinstance(item, ChatMessage)]

    def __iter__(self) -> Iterator[ChatItem]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._items)} items>"

    # -- changing it -------------------------------------------------------------------------------------------------

    def add_message(
        self,
        *,
        role: ChatRole,
        content: str | Instructions | Iterable[ChatContent],
        id: NotGivenOr[str] = NOT_GIVEN,
        interrupted: NotGivenOr[bool] = NOT_GIVEN,
        created_at: NotGivenOr[float] = NOT_GIVEN,
        metrics: NotGivenOr[MetricsReport] = NOT_GIVEN,
        extra: NotGivenOr[Mapping[str, object]] = NOT_GIVEN,
    ) -> ChatMessage:
        """Add a message and return it: at the end, or by its time when that is given."""
        parts: list[ChatContent]
        if isinstance(content, Instructions):
            parts = [content.render()]
        else:
            parts = [content] if isinstance(content, str) else list(content)
        message = ChatMessage(
            role=role,
            content=parts,
            id=new_item_id() if isinstance(id, NotGiven) else id,
            interrupted=bool(interrupted),
            created_at=time.time() if isinstance(created_at, NotGiven) else created_at,
            metrics={} if isinstance(metrics, NotGiven) else metrics,
            extra={} if isinstance(extra, NotGiven) else extra,
        )
        if isinstance(created_at, NotGiven):
            self.items.append(message)
        else:
            self.insert(message)
        return message

    def insert(self, item: ChatItem | Sequence[ChatItem]) -> None:
        """Insert by time: each item after the last one that is not newer."""
        for one in item if isinstance(item, Sequence) else (item,):
            self.items.insert(self.find_insertion_index(created_at=one.created_at), one)

    def find_insertion_index(self, *, created_at: float) -> int:
        """Where an item of this time belongs: behind the last one that is not newer."""
        return place_of(self._items, created_at)

    def remove(self, item: ChatItem | str) -> None:
        """Remove the item of that id.

        Raises:
            ValueError: there is none.
        """
        item_id = item if isinstance(item, str) else item.id
        index = self.index_by_id(item_id)
        if index is None:
            raise ValueError(f"no item {item_id!r} in this context of {len(self._items)} items")
        self.items.pop(index)

    def truncate(self, *, max_items: int) -> ChatContext:
        """Keep the last items, in place, and return the context.

        The first instruction is kept besides; calls and outputs that would come first are dropped, for they would be
        torn apart.

        Args:
            max_items: how many, >= 0; with 0 only the instruction is left.

        Raises:
            ValueError: a negative number.
        """
        if max_items < 0:
            raise ValueError(f"max_items must not be negative, got {max_items}")
        if len(self._items) <= max_items:
            return self
        kept = self._items[len(self._items) - max_items :]
        while kept and isinstance(kept[0], FunctionCall | FunctionCallOutput):
            kept.pop(0)
        first = next((item for item in self._items if is_instruction(item)), None)
        if first is not None and all(item.id != first.id for item in kept):
            kept.insert(0, first)
        self.items[:] = kept
        return self

    def merge(
        self,
        other_chat_ctx: ChatContext,
        *,
        exclude_function_call: bool = False,
        exclude_instructions: bool = False,
        exclude_config_update: bool = False,
    ) -> ChatContext:
        """Insert by time what the other has and this one has not, in place, and return the context."""
        known = {item.id for item in self._items}
        for item in other_chat_ctx.copy(
            exclude_function_call=exclude_function_call,
            exclude_instructions=exclude_instructions,
            exclude_config_update=exclude_config_update,
        ):
            if item.id not in known:
                self.insert(item)
                known.add(item.id)
        return self

    # -- looking at it -----------------------------------------------------------------------------------------------

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
        exclude_config_update: bool = False,
        tools: NotGivenOr[Sequence[Named | str]] = NOT_GIVEN,
    ) -> ChatContext:
        """A new context with the same items, less the excluded kinds.

        Args:
            exclude_function_call: no calls and no outputs.
            exclude_instructions: no system and no developer messages.
            exclude_empty_message: no messages without content.
            exclude_handoff: no handoffs.
            exclude_config_update: no records of changed agents.
            tools: calls and outputs of these tools only, or of tools of these names.
        """
        known = None if isinstance(tools, NotGiven) else {t if isinstance(t, str) else t.name for t in tools}

        def kept(item: ChatItem) -> bool:
            match item:
                case ChatMessage():
                    excluded = exclude_instructions and is_instruction(item)
                    return not (excluded or (exclude_empty_message and not item.content))
                case FunctionCall() | FunctionCallOutput():
                    return not exclude_function_call and (known is None or item.name in known)
                case AgentHandoff():
                    return not exclude_handoff
                case AgentConfigUpdate():
                    return not exclude_config_update

        return ChatContext(item for item in self._items if kept(item))

    def is_equivalent(self, other: ChatContext) -> bool:
        """Whether both say the same: the same ids, kinds and payloads in the same order, whatever the times."""
        if len(self) != len(other):
            return False
        return all(
            one.id == two.id and payload(one) == payload(two) for one, two in zip(self._items, other, strict=True)
        )

    # -- in and out --------------------------------------------------------------------------------------------------

    def to_dict(
        self,
        *,
        exclude_image: bool = True,
        exclude_audio: bool = True,
        exclude_timestamp: bool = True,
        exclude_function_call: bool = False,
        exclude_metrics: bool = False,
        exclude_config_update: bool = False,
    ) -> dict[str, list[dict[str, object]]]:
        """Plain values, ready for JSON; :meth:`from_dict` reads them. Pictures, sound and times only if asked for."""
        from .chat_wire import to_plain  # noqa: PLC0415  # it needs pydantic, which a context as such does not

        kept = self.copy(exclude_function_call=exclude_function_call, exclude_config_update=exclude_config_update)
        left_out = {"created_at"} if exclude_timestamp else set[str]()
        left_out |= {"metrics"} if exclude_metrics else set[str]()
        parts: tuple[type, ...] = ((ImageContent,) if exclude_image else ()) + (
            (AudioContent,) if exclude_audio else ()
        )
        return {"items": [to_plain(item, left_out, parts) for item in kept]}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ChatContext:
        """The context that :meth:`to_dict` wrote.

        Raises:
            ValueError: it is no such thing; the text says where.
        """
        from .chat_wire import from_plain  # noqa: PLC0415

        return ChatContext(from_plain(data))

    def to_provider_format(self, format: Literal["openai", "openai.responses"]) -> tuple[list[dict[str, object]], None]:
        """What a provider's API is sent for this conversation, and None: nothing goes beside it.

        Args:
            format: ``openai`` (chat completions) or ``openai.responses``.

        Raises:
            ValueError: an unknown format.
        """
        from .provider_format import to_provider_format  # noqa: PLC0415

        return to_provider_format(self._items, format), None


CHANGE_A_COPY = "change a copy() and give it to agent.update_chat_ctx()"


class ReadOnlyChatContext(ChatContext):
    """A context that can be read and not be changed: every mutator raises TypeError, and so does its ``items``."""

    def __init__(self, items: Iterable[ChatItem] = ()) -> None:
        super().__init__()
        self._items = ReadOnlyList(items, CHANGE_A_COPY)

    @property
    def items(self) -> list[ChatItem]:
        """The items, in order; read-only."""
        return self._items

    @items.setter
    def items(self, items: Iterable[ChatItem]) -> None:
        raise TypeError(f"this chat context is read-only: {CHANGE_A_COPY}")

    @property
    def readonly(self) -> bool:
        """Always."""
        return True

    def truncate(self, *, max_items: int) -> ChatContext:
        """Refused.

        Raises:
            TypeError: always, also if nothing would have to go.
        """
        raise TypeError(f"this chat context is read-only: {CHANGE_A_COPY}")

    def merge(
        self,
        other_chat_ctx: ChatContext,
        *,
        exclude_function_call: bool = False,
        exclude_instructions: bool = False,
        exclude_config_update: bool = False,
    ) -> ChatContext:
        """Refused.

        Raises:
            TypeError: always, also if nothing would come in.
        """
        raise TypeError(f"this chat context is read-only: {CHANGE_A_COPY}")


def place_of(items: Sequence[ChatItem], created_at: float) -> int:
    """Where an item of this time belongs among these: behind the last one that is not newer."""
    return next((index + 1 for index in reversed(range(len(items))) if items[index].created_at <= created_at), 0)
