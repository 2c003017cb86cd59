"""Connections that say nothing, or drip their request byte by byte, are closed: uvicorn itself waits for ever."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_WITHIN = 5.0
"""Seconds in which the first request of a connection must have come, with all of its headers."""


class ImpatientProtocol(H11Protocol):
    """uvicorn's HTTP, for strangers."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there."""
        super().connection_made(transport)
        self._late = self.loop.call_later(REQUEST_WITHIN, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """They are gone."""
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """It has said what it wants; another protocol goes on."""
        if self._late is not None:
            self._late.cancel()
        super().handle_websocket_upgrade(event)

    def _too_late(self) -> None:
        if getattr(self, "cycle", None) is None:  # uvicorn sets it with the first request that is whole
            self.transport.close()
