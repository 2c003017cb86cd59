"""Messages of the listening sockets, read with the SDK's types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from deepgram.core.unchecked_base_model import construct_type

from sessionactors.model.errors import APIError

if TYPE_CHECKING:
    import pydantic

M = TypeVar("M", bound="pydantic.BaseModel")


def parsed(message: str | bytes, label: str) -> Mapping[str, object]:
    """The fields of a message.

    Raises:
        APIError: it is not a JSON object with a type.
    """
    try:
        fields = json.loads(message)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise garbled(label, message)
    return fields


def typed(kind: type[M], fields: Mapping[str, object]) -> M:
    """The fields as the SDK has them. Not checked, as there: a field that is missing raises where it is read."""
    made: M = construct_type(type_=kind, object_=fields)
    return made


def garbled(label: str, message: object) -> APIError:
    """A message that cannot be read."""
    start = message if isinstance(message, str) else repr(message)
    return APIError(f"{label}: a message cannot be read: {start[:200]}", body=message)
