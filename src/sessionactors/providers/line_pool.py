"""Warm connections of one loop: opened once, used by many requests of many rooms, in turn or side by side.

A **line** is a connection with its reader; a **seat** on it is what one request holds. Vendors that name their streams
have several seats on a line, the others one.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from sessionactors.model.errors import APIConnectionError, APIError

from .vendor_socket import VendorSocket

log = structlog.get_logger("sessionactors.line_pool")

MOST_IDLE = 8
"""Lines that nobody uses and that are kept open all the same."""


class Line(ABC):
    """A connection and its reader, which runs until the connection ends or the line is closed.

    Args:
        connect: opens the connection.
        label: whose it is, for people.
        seats: how many requests may use it at once.
        max_age: seconds after which nobody sits down any more.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[VendorSocket]], *, label: str, seats: int, max_age: float
    ) -> None:
        self.label = label
        self.taken = 0
        self.error: APIError | None = None
        """Why it has ended."""
        self._connect = connect
        self._seats = seats
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + max_age
        self._socket: VendorSocket | None = None
        self._opened = asyncio.Event()
        self._reader = asyncio.create_task(self._read(), name=f"{label}: line")

    @property
    def is_free(self) -> bool:
        """Whether somebody may sit down."""
        return self.taken < self._seats and self.is_current

    @property
    def is_ready(self) -> bool:
        """Whether who sits down need not wait."""
        return self._opened.is_set()

    @property
    def is_current(self) -> bool:
        """Whether it is kept when nobody uses it."""
        return self.error is None and not self._reader.done() and self._clock() < self._until

    @property
    def request_id(self) -> str:
        """What the vendor calls the connection."""
        return "" if self._socket is None else self._socket.request_id

    async def opened(self) -> None:
        """Wait until it can be used.

        Raises:
            APIError: it could not be opened, or has ended since.
        """
        await self._opened.wait()
        if self.error is not None:
            raise self.error

    async def send(self, message: str | bytes) -> None:
        """Send a message.

        Raises:
            APIError: the line has ended.
        """
        if self._socket is None or self.error is not None:
            raise self.error or APIConnectionError(f"{self.label}: the line is closed")
        await self._socket.send(message)

    @abstractmethod
    def route(self, message: str | bytes) -> None:
        """Give a message to whom it concerns.

        Raises:
            APIError: the line cannot go on.
        """

    @abstractmethod
    def ended(self, error: APIError) -> None:
        """Tell all who use it that it has ended."""

    def retire(self) -> None:
        """Nobody sits down any more; who is there may finish."""
        self._until = self._clock()

    def cut(self) -> None:
        """End it at once."""
        self.error = self.error or APIConnectionError(f"{self.label}: the line was closed")
        self._opened.set()
        self._reader.cancel()

    async def aclose(self) -> None:
        """End it, and wait until the connection is closed."""
        self.cut()
        await asyncio.wait((self._reader,))

    def when_gone(self, then: Callable[[], object]) -> None:
        """Call when the connection is closed."""
        self._reader.add_done_callback(lambda _: then())

    async def _read(self) -> None:
        error: APIError = APIConnectionError(f"{self.label}: the line was closed")
        try:
            self._socket = await self._connect()
            self._opened.set()
            while (message := await self._socket.receive()) is not None:
                self.route(message)
            error = APIConnectionError(f"{self.label}: the connection was closed by the other side")
        except APIError as broken:
            error = broken
        except Exception as fault:
            log.exception("line_failed", label=self.label)
            error = APIError(f"{self.label}: {fault!r}", retryable=False)
        finally:
            self.error = self.error or error
            self._opened.set()
            self.ended(self.error)
            if self._socket is not None:
                await self._socket.aclose()


L = TypeVar("L", bound=Line)


class LinePool(Generic[L]):
    """The lines of one loop. Lines of different addresses or options are different: each has its key."""

    def __init__(self) -> None:
        self._lines: dict[L, object] = {}
        self._going: set[L] = set()
        """Being closed."""

    def __len__(self) -> int:
        self._tidy()
        return len(self._lines)

    def seat(self, key: object, make: Callable[[], L]) -> L:
        """A seat on a line that is open, is being opened, or is opened now. Give it back with :meth:`leave`.

        Args:
            key: what the line has to be.
            make: begins to open one.
        """
        self._tidy()
        free = [line for line, known in self._lines.items() if known == key and line.is_free]
        line = next((line for line in free if line.is_ready), None) or (free[0] if free else self._new(key, make))
        line.taken += 1
        return line

    def warm(self, key: object, make: Callable[[], L]) -> None:
        """Begin to open a line, if there is none."""
        self._tidy()
        if key not in self._lines.values():
            self._new(key, make)

    def leave(self, line: L) -> None:
        """Give a seat back."""
        line.taken -= 1
        self._tidy()

    async def aclose(self) -> None:
        """Close all lines."""
        for line in list(self._lines):
            self._close(line)
        for line in list(self._going):
            await line.aclose()

    def _new(self, key: object, make: Callable[[], L]) -> L:
        line = make()
        self._lines[line] = key
        return line

    def _tidy(self) -> None:
        """Forget what has ended; close what is old, or one too many, and unused."""
        for line in [line for line in self._lines if line.error is not None]:
            del self._lines[line]
        idle = [line for line in self._lines if not line.taken]
        # One on which nobody may sit down for now would else take the place of those that are wanted.
        idle.sort(key=lambda line: not line.is_free)
        for place, line in enumerate(idle):
            if not line.is_current or place >= MOST_IDLE:
                self._close(line)

    def _close(self, line: L) -> None:
        del self._lines[line]
        self._going.add(line)
        line.when_gone(lambda: self._going.discard(line))
        line.cut()
