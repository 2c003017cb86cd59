"""Why a connection ends: the codes that a client is told, and the error that carries one."""

from __future__ import annotations

from enum import IntEnum

from sessionactors.model.errors import SessionActorsError


class CloseCode(IntEnum):
    """The status of a WebSocket's close frame. Those below 4000 are the standard's (RFC 6455), the others ours."""

    NORMAL = 1000
    """The conversation is over."""
    GOING_AWAY = 1001
    """The server shuts down."""
    TOO_BIG = 1009
    """A message was larger than allowed."""
    FAILED = 1011
    """The session could not be started, or broke."""
    MALFORMED = 4400
    """Too many messages could not be read, or the first one."""
    UNAUTHORIZED = 4401
    """The token is missing or wrong."""
    GONE = 4404
    """There is no session to come back to: it has ended, or the ticket is not its last one."""
    UNSUPPORTED = 4406
    """A version, codec, rate or format that is not spoken here."""
    NO_HELLO = 4408
    """Nothing that says who calls came in time."""
    OUT_OF_ORDER = 4409
    """A message that is not allowed at this point, such as audio before the hello."""
    SILENT = 4410
    """Nothing came for too long, not even an answer to a ping: the connection is half open."""
    TOO_SLOW = 4411
    """What was sent was not read in time."""
    REPLACED = 4412
    """The client came back on another connection."""
    ROOM_EXISTS = 4423
    """The room is open already."""
    RATE_LIMITED = 4429
    """Far too many messages."""
    FULL = 4503
    """All sessions are taken: try another server, or later."""
    DRAINING = 4504
    """The server takes no more calls: try another one."""

    @property
    def label(self) -> str:
        """The name as clients are told it: ``too_slow``."""
        return self.name.lower()


class WireError(SessionActorsError):
    """Raised when a client breaks the protocol, or cannot be served.

    Args:
        code: what the connection is closed with, if it is.
        message: what was wrong, for the developer of the client.
        fatal: whether it ends the connection; if not, it costs the message only.
    """

    def __init__(self, code: CloseCode, message: str, *, fatal: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fatal = fatal
