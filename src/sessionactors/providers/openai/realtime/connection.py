"""One WebSocket of a session, made by the SDK: a task that reads, a task that writes, and its end.

The SDK's own reconnecting stays off: budgets are the session's.
"""

from __future__ import annotations

import asyncio
import importlib
from contextlib import suppress
from typing import Final, cast

import openai
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.websocket_connection_options import WebSocketConnectionOptions
from websockets.exceptions import ConnectionClosed

from sessionactors.model.errors import APIConnectionError, APIError

from .failures import of_close, of_connecting
from .outgoing import Outgoing

LARGEST_MESSAGE: Final = 16 * 1024 * 1024
"""Bytes of one event: a minute of sound is four million."""
UNREAD: Final = 64
"""Events that are read ahead; behind them the socket itself waits."""
CLOSE_WITHIN: Final = 0.5
"""Seconds for the server to answer our goodbye; then the socket is dropped."""
OPTIONS: Final = cast(
    "WebSocketConnectionOptions",
    {"max_size": LARGEST_MESSAGE, "compression": None, "close_timeout": CLOSE_WITHIN},
)

# For its headers the SDK asks the system who it is, once, by a child process, and it imports its sockets when they are
# first used: neither should be on a loop.
_ = (openai.AsyncOpenAI(api_key="none").default_headers, importlib.import_module("openai.lib._websocket"))


class Connection:
    """Open; use :meth:`made`.

    Args:
        socket: the SDK's.
        label: whose, for people.
    """

    def __init__(self, socket: AsyncRealtimeConnection, label: str) -> None:
        self._socket = socket
        self._label = label
        self._read: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(UNREAD)
        self._broken: APIError | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def made(cls, client: openai.AsyncOpenAI, model: str, label: str) -> Connection:
        """Connect.

        Raises:
            APIError: the server could not be reached, or refused.
        """
        try:
            manager = client.realtime.connect(model=model, websocket_connection_options=OPTIONS)
            return cls(await manager.enter(), label)
        except Exception as error:
            ours = of_connecting(error, label)
            if ours is error:
                raise
            raise ours from error

    def begin(self, first: list[str], outgoing: Outgoing) -> None:
        """Send these, then whatever comes; and read."""
        self._tasks = [
            asyncio.create_task(self._send_all(first, outgoing), name=f"writer of {self._label}"),
            asyncio.create_task(self._read_all(), name=f"reader of {self._label}"),
        ]

    async def _send_all(self, first: list[str], outgoing: Outgoing) -> None:
        with suppress(ConnectionClosed):  # the reader says so
            for text in first:
                await self._socket.send_raw(text)
            while True:
                await self._socket.send_raw(await outgoing.next())

    async def _read_all(self) -> None:
        while True:
            try:
                data: bytes | Exception = await self._socket.recv_bytes()
            except ConnectionClosed as closed:
                data = of_close(closed, self._label)
            except Exception as error:  # noqa: BLE001  of the SDK or the sockets; it ends the session, typed
                data = APIConnectionError(f"{self._label}: the connection failed: {error!r}")
                data.__cause__ = error
            await self._read.put(data)
            if isinstance(data, Exception):
                return

    async def next(self) -> bytes | None:
        """The next event; None: :meth:`wake` was called.

        Raises:
            APIError: the connection is gone.
        """
        data = await self._read.get() if self._broken is None else self._broken
        if isinstance(data, Exception):
            raise data
        return data

    def give_up(self, error: APIError) -> None:
        """Nobody reads at the other end."""
        self._broken = error
        self.wake()

    def wake(self) -> None:
        """Let who waits for an event look about."""
        if not self._read.full():
            self._read.put_nowait(None)

    async def aclose(self) -> None:
        """Say goodbye, and end both tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(Exception):  # it is over for us, however it ended
            await self._socket.close()
