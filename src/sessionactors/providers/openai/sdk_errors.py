"""Errors of the SDK as ours: what a session retries and reports."""

from __future__ import annotations

import openai

from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError

_FINAL = frozenset({"invalid_request_error", "insufficient_quota", "authentication_error", "permission_error"})
"""Types of errors in a stream that a second request does not heal."""


def our_error(error: Exception, label: str) -> Exception:
    """The error to raise instead; the same one when it is not the SDK's.

    Args:
        error: what the SDK raised.
        label: whose request it was, for people.
    """
    match error:
        case openai.APITimeoutError():
            return APITimeoutError(f"{label}: {error.message}")
        case openai.APIConnectionError():
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            return APIConnectionError(f"{label}: {error.message}{cause}")
        case openai.APIStatusError():
            return APIStatusError(
                f"{label}: {error.message}",
                status_code=error.status_code,
                request_id=error.request_id,
                body=error.body,
            )
        case openai.APIError():
            return APIError(f"{label}: {error.message}", body=error.body, retryable=error.type not in _FINAL)
        case openai.OpenAIError():
            return APIError(f"{label}: {error}", retryable=False)
        case ValueError():
            # The SDK decodes the stream's JSON without a net.
            return APIError(f"{label}: the answer cannot be read: {error}")
        case _:
            return error
