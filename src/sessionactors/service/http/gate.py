"""The gate before every request: from where, with which token, how often. Knows nothing of rooms.

One gate serves one loop. Refusals are told in words that name no token.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from .options import HttpOptions, Right

BEARER: Final = "bearer "
SUBPROTOCOL: Final = "bearer."
"""Browsers cannot give a WebSocket headers: the token comes as a subprotocol of that beginning."""


class Refused(Exception):
    """Raised when a request is not let in.

    Args:
        status: of HTTP.
        detail: for people.
        headers: that belong to the answer.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


@dataclass(slots=True)
class Allowance:
    """So many requests a second, and a burst."""

    per_second: float
    burst: int
    left: float = field(init=False)
    at: float = field(init=False)

    def __post_init__(self) -> None:
        self.left, self.at = float(self.burst), 0.0

    def take(self, now: float) -> float:
        """Take one. Gives the seconds until there is one again; 0.0 if there was."""
        self.left = min(self.burst, self.left + (now - self.at) * self.per_second) if self.at else self.left
        self.at = now
        if self.left >= 1:
            self.left -= 1
            return 0.0
        return (1 - self.left) / self.per_second


class Gate:
    """Lets requests in.

    Args:
        options: who may do what.
        clock: seconds that only grow.
    """

    def __init__(self, options: HttpOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self.options = options
        self._clock = clock
        self._rights = {token.encode(): frozenset(map(Right, rights)) for token, rights in options.tokens.items()}
        self._allowances = {token: self._allowance() for token in self._rights}
        self._strangers = self._allowance()
        self.streams = 0
        """WebSockets that are open."""

    def _allowance(self) -> Allowance:
        return Allowance(self.options.requests_per_second, self.options.burst)

    def admit(self, client: str | None, headers: Mapping[str, str], right: Right | None) -> None:
        """Let a request in.

        Args:
            client: the address it comes from.
            headers: by names in lower case.
            right: what it wants; None: what anybody may know.

        Raises:
            Refused: 401 without a token or with a wrong one, 403 without the right or from elsewhere, 429 too often.
        """
        if not self.options.remote and not is_loopback(client):
            raise Refused(403, "this service answers on its own machine only: HttpOptions(remote=True) opens it")
        token = token_of(headers)
        known = self._known(token)
        allowance = self._strangers if known is None else self._allowances[known]
        if (wait := allowance.take(self._clock())) > 0:
            raise Refused(429, "too many requests", {"retry-after": str(max(1, round(wait)))})
        if right is None:
            return
        if not self._rights:
            raise Refused(401, "no token is configured, so nobody is let in: HttpOptions(tokens=...)", _CHALLENGE)
        if known is None:
            given = "a token is needed: Authorization: Bearer ..." if token is None else "the token is wrong"
            raise Refused(401, given, _CHALLENGE)
        if right not in self._rights[known]:
            raise Refused(403, f"the token has not the right to {right.value}")

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Pages of other hosts open no WebSocket: browsers send cookies along, and ask nobody.

        Raises:
            Refused: 403.
        """
        origin = headers.get("origin")
        if origin is None or origin in self.options.origins or urlsplit(origin).netloc == headers.get("host"):
            return
        raise Refused(403, f"pages of {origin[:100]!r} may open no WebSocket here: HttpOptions(origins=...)")

    @contextmanager
    def stream(self) -> Iterator[None]:
        """While a WebSocket is open.

        Raises:
            Refused: 429, there are as many as there may be.
        """
        if self.streams >= self.options.max_streams:
            raise Refused(429, f"{self.streams} streams are open, and no more may be", {"retry-after": "5"})
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1

    def _known(self, token: bytes | None) -> bytes | None:
        """The token, if it is one of ours. All are compared, so that the time tells nothing."""
        found = None
        for ours in self._rights:
            if token is not None and hmac.compare_digest(token, ours):
                found = ours
        return found


_CHALLENGE: Final = {"www-authenticate": "Bearer"}


def token_of(headers: Mapping[str, str]) -> bytes | None:
    """What the request gives as its token."""
    authorization = headers.get("authorization", "")
    if authorization[: len(BEARER)].lower() == BEARER:
        return authorization[len(BEARER) :].strip().encode()
    for protocol in subprotocols(headers):
        if protocol.startswith(SUBPROTOCOL):
            return protocol[len(SUBPROTOCOL) :].encode()
    return None


def subprotocols(headers: Mapping[str, str]) -> tuple[str, ...]:
    """What a WebSocket offers to speak."""
    return tuple(part.strip() for part in headers.get("sec-websocket-protocol", "").split(",") if part.strip())


def is_loopback(client: str | None) -> bool:
    """Whether an address is this machine's own. A socket of the file system has none, and is."""
    if client is None:
        return True
    try:
        address = ip_address(client)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
