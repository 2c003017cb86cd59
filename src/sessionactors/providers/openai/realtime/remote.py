"""The conversation as the server has it, as far as it has told; and what makes it another one. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sessionactors.model.chat import ChatContext, ChatItem, ChatMessage, FunctionCall

from .items import is_sendable, key_of, text_of, wire_id


@dataclass(frozen=True, slots=True)
class RemoteItem:
    """One item of the server's."""

    name: str
    """Its id there."""
    item: ChatItem
    made_here: bool = False
    """It was put there by us, as text; else it may have sound that we cannot put back."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Take an item out."""

    name: str


@dataclass(frozen=True, slots=True)
class Create:
    """Put an item in."""

    item: ChatItem
    after: str | None = None
    """Behind the item of this id, ``root`` for the beginning; None: at the end."""

    @property
    def name(self) -> str:
        """Its id there."""
        return wire_id(self.item.id)


Step = Delete | Create


class RemoteConversation:
    """The items, in the server's order."""

    def __init__(self, items: Iterable[RemoteItem] = ()) -> None:
        self._items = list(items)

    @property
    def items(self) -> tuple[RemoteItem, ...]:
        """All of them."""
        return tuple(self._items)

    @property
    def chat_ctx(self) -> ChatContext:
        """Without those of which nothing is known but that they are there."""
        return ChatContext([one.item for one in self._items if is_sendable(one.item)])

    def get(self, name: str) -> RemoteItem | None:
        """The item of that id."""
        return next((one for one in self._items if one.name == name), None)

    def before(self, name: str) -> str:
        """The id of the item before that one; ``root``: there is none."""
        place = self._place(name)
        return self._items[place - 1].name if place > 0 else "root"

    def added(self, new: RemoteItem, after: str | None) -> None:
        """The server has it now, behind the item of that id; None: it is the first. What is known stays as it is."""
        if self.get(new.name) is not None:
            return
        place = 0 if after in (None, "root") else self._place(after or "") + 1
        self._items.insert(place, new)

    def _place(self, name: str) -> int:
        """Of an item; of the last one, if that is not known."""
        return next((place for place, one in enumerate(self._items) if one.name == name), len(self._items) - 1)

    def deleted(self, name: str) -> None:
        """The server has it no more."""
        self._items = [one for one in self._items if one.name != name]

    def says(self, name: str, text: str) -> None:
        """What a message says is known now, or is something else."""
        self._change(name, lambda item: replace(item, content=[text] if text else []))

    def calls(self, name: str, arguments: str) -> None:
        """The arguments of a call are known now."""
        for place, one in enumerate(self._items):
            if one.name == name and isinstance(one.item, FunctionCall):
                self._items[place] = replace(one, item=replace(one.item, arguments=arguments))

    def _change(self, name: str, change: Callable[[ChatMessage], ChatMessage]) -> None:
        for place, one in enumerate(self._items):
            if one.name == name and isinstance(one.item, ChatMessage):
                self._items[place] = replace(one, item=change(one.item))

    def steps_to(self, wanted: Sequence[ChatItem]) -> list[Step]:
        """What makes it this conversation.

        What has no words yet stays: the user's sound is part of the conversation, and nobody could have listed it. A
        message with sound stays as it is though its text is another one (as written): as text it would lose the sound.
        """
        items = {key_of(item): item for item in wanted if is_sendable(item)}
        known = {key_of(one.item): one for one in self._items}
        changed = {
            key
            for key, one in known.items()
            if key in items and one.made_here and text_of(one.item) != text_of(items[key])
        }
        steps: list[Step] = [
            Delete(one.name)
            for key, one in known.items()
            if key in changed or (key not in items and is_sendable(one.item))
        ]
        kept = [key for key in items if key in known and key not in changed]
        last, left = "root", len(kept)
        for key, item in items.items():
            if key in known and key not in changed:
                last, left = known[key].name, left - 1
                continue
            steps.append(Create(item, last if left else None))
            last = wire_id(item.id)
        return steps
