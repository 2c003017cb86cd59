"""Messages of the listening sockets, read with the SDK's types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from deepgram.core.unchecked_base_model import construct_type

if TYPE_CHECKING:
    import pydantic

M = TypeVar("M", bound="pydantic.BaseModel")


def type_of(fields: Mapping[str, object]) -> str:
    """Which message it is.

    Raises:
        LookupError: it does not say.
        TypeError: what it says is no name.
    """
    kind = fields["type"]
    if not isinstance(kind, str):
        raise TypeError(f"a message's type must be a name, got {kind!r}")
    return kind


def typed(kind: type[M], fields: Mapping[str, object]) -> M:
    """The fields as the SDK has them. Not checked, as there: a field that is missing raises where it is read."""
    made: M = construct_type(type_=kind, object_=fields)
    return made
