"""JSON messages of vendors' sockets: read, or refused in one way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

from sessionactors.interfaces.stt import SpeechEvent
from sessionactors.model.errors import APIError


def garbled(label: str, message: object) -> APIError:
    """A message that cannot be read."""
    start = message if isinstance(message, str) else repr(message)
    return APIError(f"{label}: a message cannot be read: {start[:200]}", body=message)


def parsed(message: str | bytes, label: str) -> Mapping[str, object]:
    """The fields of a message.

    Raises:
        APIError: it is not a JSON object.
    """
    try:
        fields = json.loads(message)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise garbled(label, message)
    return fields


def understood(
    message: str | bytes, label: str, events: Callable[[Mapping[str, object]], Iterable[SpeechEvent]]
) -> list[SpeechEvent]:
    """What a recogniser's message means.

    Args:
        message: as it came.
        label: whose it is, for people.
        events: of its fields; what it raises about a field that is missing, or of another kind, is the message's fault.

    Raises:
        APIError: it cannot be read; or what ``events`` raises.
    """
    fields = parsed(message, label)
    try:
        return list(events(fields))
    except (AttributeError, TypeError, ValueError, LookupError):
        raise garbled(label, message) from None
