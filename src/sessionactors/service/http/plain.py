"""Events, messages and snapshots as JSON, without sound, without live objects, on request without what was said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Final, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

DEEPEST: Final = 12
LONGEST: Final = 1000
"""Things in one list or mapping."""

SAID: Final = frozenset(
    {"arguments", "content", "delta", "extra", "instructions", "keyterms", "output", "payload", "summary", "text"}
    | {"transcript", "user_input"}
)
"""Fields in which there is what people and models said."""


def plain(value: object, *, redact: bool = False, depth: int = 0) -> Json:
    """A value as JSON. What is no value (a handle, a provider, sound) is named by its type."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Enum):
        return plain(value.value, redact=redact, depth=depth)
    if isinstance(value, int | float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if depth >= DEEPEST:
        return f"<{type(value).__name__}>"
    if is_dataclass(value) and not isinstance(value, type):
        named = {one.name: getattr(value, one.name) for one in fields(value) if one.repr}
        return {name: _field(name, content, redact, depth) for name, content in named.items()}
    if isinstance(value, Mapping):
        items = list(value.items())[:LONGEST]
        return {str(key): _field(str(key), content, redact, depth) for key, content in items}
    if isinstance(value, Sequence | set | frozenset):
        return [plain(content, redact=redact, depth=depth + 1) for content in list(value)[:LONGEST]]
    return f"<{type(value).__name__}>"


def _field(name: str, value: object, redact: bool, depth: int) -> Json:
    if redact and name in SAID and value:
        return f"<{len(value)} characters>" if isinstance(value, str) else "<redacted>"
    return plain(value, redact=redact, depth=depth + 1)
