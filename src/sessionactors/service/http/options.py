"""Who may ask what over HTTP, from where, how much and how often. Closed unless it is opened here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sessionactors.model.errors import OptionError

SHORTEST_TOKEN: Final = 16
"""Characters: shorter ones are guessed."""


class Right(StrEnum):
    """What a token allows. None implies another."""

    LOOK = "look"
    """Rooms, snapshots, transcripts, events, messages."""
    TALK = "talk"
    """Open and close rooms, have the agent say something, type something."""
    INTERVENE = "intervene"
    """Suspend, step and resume actors, and put messages into their mailboxes."""
    METRICS = "metrics"
    """Metrics, which name no room and no caller: what a scraper of Prometheus's needs, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """How :attr:`.RoomSupervisor.router` answers.

    Raises:
        OptionError: a token is too short or has an unknown right, or a number is out of range.
    """

    tokens: Mapping[str, Collection[Right | str]] = field(default_factory=dict, repr=False)
    """The rights of each token, such as ``{"3f9c...": ("look", "talk")}``; with none, nobody is let in."""
    remote: bool = False
    """Whether requests from other machines are answered. Behind a proxy that is whom it names, as uvicorn has it
    (``X-Forwarded-For``): a service that is reached through one sets this, and listens on loopback all the same."""
    origins: frozenset[str] = frozenset()
    """Origins (``https://desk.example.org``) of pages whose scripts may open a WebSocket; this host's own always may.
    For other requests browsers ask for CORS, which is off: add Starlette's ``CORSMiddleware`` to open it."""
    max_body: int = 65_536
    """Bytes of a request's body, >= 1."""
    requests_per_second: float = 50.0
    """For each token, > 0; all who have none share one such allowance."""
    burst: int = 100
    """Requests at once, >= 1."""
    max_streams: int = 64
    """WebSockets at once, >= 1."""
    redact: bool = False
    """Leave out what was said, typed and written: transcripts, texts and arguments are given as their length."""
    metrics: bool = False
    """Serve ``/metrics`` for Prometheus, to tokens with the right ``metrics``; ``RoomSupervisor(telemetry=...)``."""
    inspection_host: str = "127.0.0.1"
    """Where the inspection endpoint listens; it has a thread of its own, and answers while a loop is blocked, too."""
    inspection_port: int | None = 0
    """Its port; 0: any free one; None: there is none."""

    def __post_init__(self) -> None:
        rights = {token: frozenset(map(_right, allowed)) for token, allowed in self.tokens.items()}
        if any(len(token) < SHORTEST_TOKEN for token in rights):
            raise OptionError(
                f"a token has fewer than {SHORTEST_TOKEN} characters: make one by `python -c 'import secrets; "
                "print(secrets.token_urlsafe())'`"
            )
        object.__setattr__(self, "tokens", MappingProxyType(rights))
        object.__setattr__(self, "origins", frozenset(self.origins))
        for name in ("max_body", "requests_per_second", "burst", "max_streams"):
            number = getattr(self, name)
            if not number > 0 or (name != "requests_per_second" and number < 1):
                raise OptionError(f"{name} must be positive, got {number!r}")
        port = self.inspection_port
        if port is not None and not 0 <= port < 65_536:
            raise OptionError(f"inspection_port must be a port, 0 for any free one, or None, got {port!r}")


def _right(name: Right | str) -> Right:
    try:
        return Right(name)
    except ValueError:
        raise OptionError(f"there is no right {name!r}; there are: {', '.join(Right)}") from None
