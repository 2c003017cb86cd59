"""Errors of plugins as ours: what a session retries and reports."""

from __future__ import annotations

from livekit import agents

from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError


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
            return APIConnectionError(f"{label}: {error}", retryable=error.retryable)
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
        case _:
            return error
