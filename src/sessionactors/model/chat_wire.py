"""Chat items as plain values and back, checked by pydantic."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Annotated, TypeAlias, cast

import pydantic

from .chat_items import ChatItem, ChatMessage

_Item: TypeAlias = Annotated[ChatItem, pydantic.Field(discriminator="type")]
_items: pydantic.TypeAdapter[list[ChatItem]] = pydantic.TypeAdapter(
    list[_Item], config=pydantic.ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
)


def to_plain(item: ChatItem, left_out: Collection[str], no_parts: tuple[type, ...]) -> dict[str, object]:
    """One item as plain values, without these fields and without content of these types."""
    (plain,) = cast("list[dict[str, object]]", _items.dump_python([item], mode="json", exclude_none=True))
    if isinstance(item, ChatMessage):
        parts = cast("list[object]", plain["content"])
        plain["content"] = [
            part for part, content in zip(parts, item.content, strict=True) if not isinstance(content, no_parts)
        ]
    return {name: value for name, value in plain.items() if name not in left_out}


def from_plain(data: Mapping[str, object]) -> list[ChatItem]:
    """The items of a context that was made plain.

    Raises:
        ValueError: it is no such thing; the text says where.
    """
    try:
        return _items.validate_json(json.dumps(data["items"]))
    except (KeyError, TypeError, pydantic.ValidationError) as error:
        raise ValueError(f'not a chat context, which is a dict with a list of "items": {error}') from error
