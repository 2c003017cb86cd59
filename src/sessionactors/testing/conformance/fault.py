"""What can go wrong behind a provider, as a rig brings it on."""

from __future__ import annotations

from enum import Enum


class Fault(Enum):
    """A fault of the backend. While it is on, every request meets it."""

    INVALID_KEY = "invalid key"
    """It refuses the credentials, in its own way (status 401 or 403)."""
    RATE_LIMIT = "rate limit"
    """It refuses for now (status 429)."""
    SERVER_ERROR = "server error"
    """It fails (status 500 or the like)."""
    UNREACHABLE = "unreachable"
    """Nobody listens at its address."""
    STORM = "reconnect storm"
    """It accepts each connection and ends it at once."""
    SILENCE = "silence"
    """It takes the request and never answers. The connection stays."""
    HALF_OPEN = "half-open"
    """It begins to answer, then nothing more comes. The connection stays."""
    BREAK = "break"
    """It begins to answer, then the connection ends."""
    GARBAGE = "garbage"
    """It begins to answer, then sends what its protocol does not know."""
    DRIP = "drip"
    """It answers in small pieces (five or more) with pauses, of a hundredth of a second at least, between them."""
    STALL = "stall"
    """It shows that it lives, for ever, and does not answer: empty pieces, words that become no final."""
    EMPTY = "empty"
    """It answers well, with nothing in it."""
