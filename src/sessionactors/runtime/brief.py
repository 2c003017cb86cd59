"""A message in a few characters, for people who inspect a mailbox: never audio, and never an exception."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from reprlib import Repr

LENGTH = 80
"""Characters at most."""
DEPTH = 3
"""Messages in messages that are looked into."""

_short = Repr()
_short.maxstring = LENGTH
_short.maxother = LENGTH


def brief(message: object) -> str:
    """The message as it would be written, with buffers as their size, cut to :data:`LENGTH`."""
    try:
        text = _text(message, DEPTH)
    except Exception as error:  # a fault in a user's __repr__ must not hide the mailbox
        text = f"<{type(message).__name__}, whose repr failed: {error!r}>"
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 1]}…"


def _text(value: object, depth: int) -> str:
    size = _bytes_of(value)
    if size is not None:
        return f"<{size} bytes>"
    if depth and is_dataclass(value) and not isinstance(value, type) and type(value).__dataclass_params__.repr:  # type: ignore[attr-defined]
        inside = (
            f"{field.name}={_text(getattr(value, field.name), depth - 1)}" for field in fields(value) if field.repr
        )
        return f"{type(value).__qualname__}({', '.join(inside)})"
    return _short.repr(value)


def _bytes_of(value: object) -> int | None:
    if isinstance(value, bytes | bytearray):
        return len(value)
    size = getattr(value, "nbytes", None)  # arrays and memory views
    return size if isinstance(size, int) else None
