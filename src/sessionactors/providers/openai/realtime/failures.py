"""What goes wrong on a realtime connection, as our errors. No key is ever part of one."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Final

from openai.types.realtime import RealtimeResponse
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError
from sessionactors.providers.openai.sdk_errors import our_error

FATAL: Final = frozenset(
    {
        "account_deactivated",
        "billing_hard_limit_reached",
        "credit_balance_exhausted",
        "insufficient_quota",
        "invalid_api_key",
        "model_not_found",
    }
)
"""Codes (or types) of errors that no other attempt heals."""
EXPIRED: Final = "session_expired"
"""The session is as old as the vendor lets one be: another one may be had at once."""
_FINAL_CLOSES: Final = frozenset({1003, 1007, 1008, 3000, 3003})
"""Codes of closes that say: not like this (data, policy, credentials)."""


def is_fatal(code: str | None, kind: str | None) -> bool:
    """Whether an error of the server's is the end."""
    return code in FATAL or kind in FATAL


def of_connecting(error: Exception, label: str) -> Exception:
    """Why there is no connection.

    Args:
        error: what the SDK, or the sockets under it, raised.
        label: whose connection, for people.
    """
    match error:
        case InvalidStatus():
            return _refused(error, label)
        case TimeoutError():
            return APITimeoutError(f"{label}: the server did not answer the handshake in time")
        case ConnectionClosed():
            return of_close(error, label)
        case OSError() | WebSocketException():
            return APIConnectionError(f"{label}: cannot connect: {error}")
        case _:
            return our_error(error, label)


def _refused(error: InvalidStatus, label: str) -> APIStatusError:
    response = error.response
    said: object = None
    with suppress(ValueError):  # a proxy's page says nothing that the status does not
        said = json.loads(response.body or b"")
    details = said.get("error") if isinstance(said, dict) else None
    code = details.get("code") if isinstance(details, dict) else None
    asked = response.headers.get("retry-after", "")
    status = response.status_code
    retryable = False if is_fatal(code, None) else None
    return APIStatusError(
        # What the server says of a key repeats a part of it: the code says the same.
        f"{label}: the server refused the connection with status {status}{f' ({code})' if code else ''}",
        status_code=status,
        request_id=response.headers.get("x-request-id"),
        retryable=retryable,
        retry_after=float(asked) if asked.replace(".", "", 1).isdigit() else None,
    )


def of_close(closed: ConnectionClosed, label: str) -> APIError:
    """Why the connection is gone."""
    if closed.rcvd is None:
        return APIConnectionError(f"{label}: the connection broke")
    code, reason = closed.rcvd.code, closed.rcvd.reason
    final = code in _FINAL_CLOSES and EXPIRED not in reason
    text = f"{label}: the server closed the connection ({code}{f', {reason}' if reason else ''})"
    return APIError(text, retryable=False) if final else APIConnectionError(text)


def of_server(message: str, code: str | None, kind: str | None, label: str) -> APIError:
    """An error that the server tells of. Its message is left out where it is about a key."""
    named = code or kind or "error"
    text = f"{label}: {named}" if "api_key" in named else f"{label}: {message} ({named})"
    return APIError(text, body={"code": code, "type": kind}, retryable=not is_fatal(code, kind))


def of_response(response: RealtimeResponse, label: str) -> APIError:
    """Why a response failed."""
    details = response.status_details
    error = None if details is None else details.error
    if error is None:
        return APIError(f"{label}: the response failed, and the server did not say why")
    return of_server(error.message or "the response failed", error.code, error.type, label)
