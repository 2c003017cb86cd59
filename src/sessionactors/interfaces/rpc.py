"""Calls between the participants of a room: a method by name, text in, text out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from sessionactors.model.errors import SessionActorsError


class RpcErrorCode(IntEnum):
    """What went wrong with a call, as LiveKit numbers it; programs may use others for their own failures."""

    APPLICATION_ERROR = 1500
    """The method raised something."""
    CONNECTION_TIMEOUT = 1501
    RESPONSE_TIMEOUT = 1502
    RECIPIENT_DISCONNECTED = 1503
    RESPONSE_PAYLOAD_TOO_LARGE = 1504
    SEND_FAILED = 1505
    UNSUPPORTED_METHOD = 1400
    """The participant called has no such method."""
    RECIPIENT_NOT_FOUND = 1401
    REQUEST_PAYLOAD_TOO_LARGE = 1402
    UNSUPPORTED_SERVER = 1403
    UNSUPPORTED_VERSION = 1404


class RpcError(SessionActorsError):
    """Raised when a call failed; raise it in a method to tell the caller why.

    Args:
        code: one of :class:`RpcErrorCode`, or a number of your own.
        message: for people.
        data: for programs.
    """

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


@dataclass(frozen=True, slots=True)
class RpcInvocation:
    """A participant calls a method."""

    request_id: str
    """Names the call, on both sides."""
    caller_identity: str
    payload: str
    """What the caller sent; often JSON."""
    response_timeout: float
    """Seconds in which the caller wants the answer."""
    method: str


RpcHandler: TypeAlias = Callable[[RpcInvocation], Awaitable[str | None] | str | None]
"""A method: what it returns is the answer (None: an empty one); what it raises, the caller is told."""
