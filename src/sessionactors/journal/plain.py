"""Values for people and for JSON: states and messages as nested plain values, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TypeAlias

from sessionactors.runtime import Ref, Scope

from .recorded import RecordedRef
from .stand_ins import StandIn

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"

LONGEST = 200
"""Characters of a text that is shown."""
DEPTH = 12


def plain(value: object, depth: int = DEPTH) -> Plain:  # noqa: C901, PLR0911, PLR0912  a case for each kind
    """A value as nested lists, dicts and texts; buffers as their size."""
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return f"{type(value).__name__}.{value.name}"
        case str():
            return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case Ref() | RecordedRef():
            return f"<Ref {value.path}>"
        case Scope():
            return f"<Scope {value.path}{' closed' if value.closed else ''}>"
        case type():
            return f"<class {value.__name__}>"
        case StandIn():
            return repr(value)
        case _:
            pass
    if depth == 0:
        return "…"
    if is_dataclass(value):
        return {"": type(value).__name__} | {
            field.name: plain(getattr(value, field.name, None), depth - 1) for field in fields(value)
        }
    match value:
        case Mapping():
            return {str(plain(key)): plain(item, depth - 1) for key, item in value.items()}
        case list() | tuple():
            return [plain(item, depth - 1) for item in value]
        case set() | frozenset():
            return sorted((plain(item, depth - 1) for item in value), key=str)
        case BaseException():
            return repr(value)
        case _:
            return f"<{type(value).__name__}>"


def differences(before: Plain, after: Plain, at: str = "") -> Iterator[str]:
    """A line for each thing that differs: where, what it was, what it is."""
    if isinstance(before, dict) and isinstance(after, dict) and before.get("") == after.get(""):
        for name in [*before, *(name for name in after if name not in before)]:
            where = f"{at}.{name}" if at else name
            if name not in before:
                yield f"{where}: new: {_short(after[name])}"
            elif name not in after:
                yield f"{where}: gone, was {_short(before[name])}"
            else:
                yield from differences(before[name], after[name], where)
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            where = f"{at}[{index}]"
            if index >= len(before):
                yield f"{where}: new: {_short(after[index])}"
            elif index >= len(after):
                yield f"{where}: gone, was {_short(before[index])}"
            else:
                yield from differences(before[index], after[index], where)
    elif before != after or type(before) is not type(after):
        yield f"{at or 'value'}: {_short(before)} -> {_short(after)}"


def _short(value: Plain) -> str:
    if isinstance(value, dict):
        name = value.get("")
        inside = ", ".join(f"{key}={_short(item)}" for key, item in value.items() if key)
        text = f"{name or ''}({inside})" if name else f"{{{inside}}}"
    elif isinstance(value, list):
        text = f"[{', '.join(_short(item) for item in value)}]"
    else:
        text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
