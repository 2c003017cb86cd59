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
    kind = type(value)
    if kind in _PLAIN:
        return repr(value)
    size = _bytes_of(value)
    if size is not None:
        return f"<{size} bytes>"
    shown = _shown.get(kind)
    if shown is None:
        shown = _shown[kind] = _fields_of(kind)
    if depth and shown:
        inside = [f"{name}={_text(getattr(value, name), depth - 1)}" for name in shown]
        return f"{kind.__qualname__}({', '.join(inside)})"
    return _short.repr(value)


_PLAIN = frozenset({int, float, bool, type(None)})
_shown: dict[type, tuple[str, ...]] = {}
"""Fields by type: a snapshot looks at the same few types over and over."""


def _fields_of(kind: type) -> tuple[str, ...]:
    """What a dataclass's own ``repr`` would show; empty for all else."""
    if not is_dataclass(kind) or not kind.__dataclass_params__.repr:  # type: ignore[attr-defined]
        return ()
    return tuple(field.name for field in fields(kind) if field.repr)


def _bytes_of(value: object) -> int | None:
    if isinstance(value, bytes | bytearray):
        return len(value)
    size = getattr(value, "nbytes", None)  # arrays and memory views
    return size if isinstance(size, int) else None
