"""Errors of the SDK as ours: what a session retries and reports."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Mapping

import httpx2
import openai

from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError

_FINAL = frozenset(
    {"invalid_request_error", "insufficient_quota", "authentication_error", "permission_error", "not_found_error"}
    | {
        "context_length_exceeded",
        "content_filter",
        "content_policy_violation",
        "invalid_api_key",
        "model_not_found",
        "invalid_prompt",
    }
)
"""Types and codes of errors that a second request does not heal."""

CONFLICT = 409
"""OpenAI's: another request held a lock; it heals, unlike those of most services."""


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
                retryable=_retryable(error),
                retry_after=retry_after(error.response.headers),
            )
        case openai.APIError():
            return reported(error.body, error.message, label)
        case openai.OpenAIError():
            return APIError(f"{label}: {error}", retryable=False)
        case httpx2.TimeoutException():
            return APITimeoutError(f"{label}: no bytes in time ({type(error).__name__})")
        case httpx2.HTTPError():
            # A body that is read as it comes is not the SDK's any more.
            return APIConnectionError(f"{label}: the connection broke: {error or type(error).__name__}")
        case ValueError():
            # The SDK decodes the stream's JSON without a net.
            return APIError(f"{label}: the answer cannot be read: {error}")
        case _:
            return error


def reported(body: object, message: str, label: str) -> APIError:
    """An error that was reported inside of a stream.

    Args:
        body: what was reported; its ``type`` and ``code`` say whether it heals.
        message: for people.
        label: whose request it was.
    """
    return APIError(f"{label}: {message}", body=body, retryable=not _names(body) & _FINAL)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds >= 0 that an answer asks to wait: in milliseconds, in seconds, or as a date; None if it does not ask."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            delay = float(headers.get(name) or "")
        except ValueError:
            continue
        return max(0.0, delay / divisor) if math.isfinite(delay) else None
    try:
        at = email.utils.parsedate_to_datetime(headers.get("retry-after") or "")
    except ValueError:
        return None
    return max(0.0, at.timestamp() - time.time())


def _retryable(error: openai.APIStatusError) -> bool | None:
    if error.status_code == CONFLICT:
        return True
    if "insufficient_quota" in _names(error.body):
        return False  # sent as 429, but no waiting helps
    return None


def _names(body: object) -> set[object]:
    """What an error calls itself."""
    if not isinstance(body, Mapping):
        return set()
    inner = body.get("error")
    named = inner if isinstance(inner, Mapping) else body
    return {name for name in (named.get("type"), named.get("code")) if isinstance(name, str)}
