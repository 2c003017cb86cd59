"""What a plugin's realtime session says, in one order: what cannot wait, and what waits until there is room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Generic, TypeVar

AHEAD = 64
"""Pieces of replies that may wait to be read; what is beyond them stays with the plugin."""

E = TypeVar("E")


class Outlet(Generic[E]):
    """One reader, many writers, all on one loop."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[tuple[E, bool] | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(AHEAD)
        self._ended = False
        self._error: Exception | None = None

    def tell(self, event: E) -> None:
        """Something that cannot wait. Nothing is told behind the end."""
        if not self._ended:
            self._waiting.put_nowait((event, False))

    async def hand(self, event: E) -> None:
        """A piece of a reply; waits while the reader is behind."""
        await self._room.acquire()
        if not self._ended:
            self._waiting.put_nowait((event, True))

    def end(self, error: Exception | None = None) -> None:
        """That was all.

        Args:
            error: why; None: it was closed.
        """
        if not self._ended:
            self._ended, self._error = True, error
            self._waiting.put_nowait(None)

    async def read(self) -> AsyncGenerator[E, None]:
        """All of it.

        Raises:
            Exception: that with which it ended.
        """
        while (said := await self._waiting.get()) is not None:
            event, handed = said
            if handed:
                self._room.release()
            yield event
        if self._error is not None:
            raise self._error
