"""The arguments of a tool call as a model sends them: text that ought to be a JSON object. Pure.

Models forget a bracket, use single quotes, put the object into a code fence. What can be read is read; it is stored as
plain JSON, since the next request shows it to the model again, and strict providers refuse broken text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

import json_repair

from .errors import SessionActorsError
from .tools import JsonValue

LONGEST_REPAIRED = 64 * 1024
"""Characters of broken JSON that are looked at: the repair is done on the actor loop."""


class ArgumentsUnreadable(SessionActorsError, ValueError):
    """Raised when the arguments of a call are no JSON object and cannot be made one."""


def read_arguments(text: str) -> dict[str, JsonValue]:
    """The arguments object; empty text is an empty object.

    Raises:
        ArgumentsUnreadable: it is none, and cannot be repaired.
    """
    if not text.strip():
        return {}
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = _repaired(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ArgumentsUnreadable(f"the arguments are no JSON object: {text[:200]}")
    return cast("dict[str, JsonValue]", value)


def canonical_json(value: Mapping[str, JsonValue]) -> str:
    """JSON with sorted keys: one text for one meaning."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def canonical_arguments(text: str) -> str:
    """The arguments as plain JSON, in their order; the text itself if it cannot be read."""
    try:
        return json.dumps(read_arguments(text), ensure_ascii=False)
    except ArgumentsUnreadable:
        return text


def _repaired(text: str) -> object:
    if len(text) > LONGEST_REPAIRED:
        raise ArgumentsUnreadable(f"the arguments are no JSON, and too long to repair ({len(text)} characters)")
    try:
        return json_repair.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentsUnreadable(f"the arguments are no JSON: {text[:200]}") from error
