"""The way to a client, as a sink uses it, and how exactly the client says what it has heard."""

from __future__ import annotations

from typing import Final, Protocol

from .wire import Told, Wire

RECKONED_ERROR: Final = 0.25
"""Seconds by which a position may be off that is reckoned by the clock alone: the network's delay and the client's
buffer, less what a sink takes it to be."""
MARKED_ERROR: Final = 0.1
"""Seconds by which one may be off that is reckoned from the last mark, where a clear is not answered."""


class Line(Protocol):
    """The way to the client."""

    def post(self, *words: Told) -> None:
        """Send, in order. From any thread."""

    def silence(self) -> None:
        """Drop all audio, and take none. From any thread."""

    def unsilence(self) -> None:
        """Take audio again."""


def position_error_of(wire: Wire) -> float:
    """Seconds by which reported positions may be off."""
    return RECKONED_ERROR if not wire.marks else 0.0 if wire.answers_clear else MARKED_ERROR
