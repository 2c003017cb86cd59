"""Errors of plugins as ours: what a session retries and reports."""

from __future__ import annotations

import aiohttp
from livekit import agents
from livekit.agents import llm

from sessionactors.model.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    RealtimeError,
)


def our_error(error: Exception, label: str) -> Exception:
    """The error to raise instead; the same one when it is not livekit's.

    Args:
        error: what the plugin raised.
        label: which plugin, for people.
    """
    match error:
        case agents.APITimeoutError():
            return APITimeoutError(f"{label}: {error}", retryable=error.retryable)
        case agents.APIConnectionError():
            return _refused_handshake(error, label) or APIConnectionError(
                f"{label}: {error}", retryable=error.retryable
            )
        case agents.APIStatusError():
            return APIStatusError(
                f"{label}: {error.message}",
                status_code=error.status_code,
                request_id=error.request_id,
                body=error.body,
                retryable=error.retryable,
            )
        case agents.APIError():
            return APIError(f"{label}: {error.message}", body=error.body, retryable=error.retryable)
        case llm.RealtimeError():
            return RealtimeError(f"{label}: {error}" + ("" if error.code is None else f" ({error.code})"))
        case _:
            return error


def _refused_handshake(error: agents.APIConnectionError, label: str) -> APIStatusError | None:
    """A server that answered, and said no: plugins that speak over a WebSocket do not tell it from one that is gone."""
    cause = error.__cause__
    if not isinstance(cause, aiohttp.WSServerHandshakeError):
        return None
    return APIStatusError(
        f"{label}: the server refused the connection with status {cause.status}", status_code=cause.status
    )
