"""Who broke the rules too often, by where they call from: refused before anything is spent on them.

Counting, and the names of those who are counted. It knows neither sockets nor rooms. Counted on one loop; asked from
any thread.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from sessionactors.model.errors import OptionError
from sessionactors.transports.websocket.close_code import CloseCode

PeerOf: TypeAlias = Callable[[str | None, Mapping[str, str]], str | None]
"""Names who calls, by the address of the socket and the headers of the request (names in lower case); None: nobody that
could be told from others."""

BREACHES: Final = frozenset(
    {
        CloseCode.TOO_BIG,
        CloseCode.MALFORMED,
        CloseCode.UNAUTHORIZED,
        CloseCode.NO_HELLO,
        CloseCode.OUT_OF_ORDER,
        CloseCode.RATE_LIMITED,
        CloseCode.UNSUPPORTED,
    }
)
"""Ends that are held against a peer: those that no bad network brings about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLimits:
    """How often one peer's connections may end by its own fault.

    Raises:
        OptionError: one of them is out of range.
    """

    breaches: int = 5
    """Connections that broke the rules, at once: the next one is refused. So often again, and no more is counted."""
    forgiven_every: float = 10.0
    """Seconds after which one breach is forgotten."""
    peers: int = 10_000
    """Peers that are remembered; who did not break a rule is not. The oldest is forgotten first."""

    def __post_init__(self) -> None:
        if self.breaches < 1 or self.peers < 1:
            raise OptionError(f"breaches and peers must be >= 1, got {self.breaches!r} and {self.peers!r}")
        if not self.forgiven_every > 0:
            raise OptionError(f"forgiven_every must be > 0 seconds, got {self.forgiven_every!r}")


class Breaches:
    """Breaches of peers, and how long each of them is to wait.

    Args:
        limits: how many are forgiven.
    """

    def __init__(self, limits: PeerLimits) -> None:
        self._limits = limits
        self._left: dict[str, tuple[float, float]] = {}
        """How many a peer has left, and since when. The one that broke a rule last comes last."""

    def __len__(self) -> int:
        return len(self._left)

    def add(self, peer: str, now: float) -> None:
        """A connection of theirs broke the rules.

        Args:
            peer: who.
            now: seconds, on a clock that does not go back.
        """
        left = max(self._now_left(peer, now) - 1, -self._limits.breaches)
        self._left.pop(peer, None)
        if len(self._left) >= self._limits.peers:
            del self._left[next(iter(self._left))]
        self._left[peer] = left, now

    def wait(self, peer: str, now: float) -> float:
        """Seconds until they may call again; 0.0: now. From any thread."""
        return max(0.0, 1 - self._now_left(peer, now)) * self._limits.forgiven_every

    def _now_left(self, peer: str, now: float) -> float:
        all_of_them = float(self._limits.breaches)
        left, since = self._left.get(peer, (all_of_them, now))
        return min(all_of_them, left + (now - since) / self._limits.forgiven_every)


def public_address(address: str | None, _headers: Mapping[str, str]) -> str | None:
    """The socket's address if it is one of the internet: behind a proxy all connections come from the proxy's own."""
    network = _network(address)
    return network if network is not None and ipaddress.ip_network(network).is_global else None


def forwarded_for(_address: str | None, headers: Mapping[str, str]) -> str | None:
    """What the proxy before this server says of who calls: the last entry of ``x-forwarded-for``.

    Only for a server that is reached through a proxy which sets it, and in no other way: else a caller says what they
    like.
    """
    return _network(headers.get("x-forwarded-for", "").rpartition(",")[2].strip())


def _network(address: str | None) -> str | None:
    """What one customer of a network has: an address of IPv4, or 64 bits of one of IPv6."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, 32 if found.version == 4 else 64), strict=False))
