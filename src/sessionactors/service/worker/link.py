"""The connection to the server: one WebSocket, run as an effect of the worker. It moves frames and reads them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import aiohttp

from sessionactors.model.errors import APIConnectionError, APIStatusError
from sessionactors.runtime import Scope

from .endpoint import Endpoint
from .messages import LinkOpened
from .wire import FromServer, read_frame

HEARTBEAT = 30.0
"""Seconds between pings; a ping without an answer within half of it ends the connection."""
CONNECT_WITHIN = 10.0
"""Seconds for DNS, TCP, TLS and the upgrade."""
LARGEST_FRAME = 1 << 20
"""Bytes. A job with its room's metadata is a few thousand."""
CLOSE_WITHIN = 2.0
"""Seconds for the server to take leave."""


class WorkerSocket(Protocol):
    """An open WebSocket."""

    async def send(self, frame: bytes) -> None:
        """Send a binary frame."""

    async def receive(self) -> bytes | str:
        """The next frame.

        Raises:
            APIConnectionError: there is none any more.
        """

    async def aclose(self) -> None:
        """Close it; over soon, whatever the other side does."""


class Dial(Protocol):
    """Opens the WebSocket of workers."""

    async def __call__(self, endpoint: Endpoint) -> WorkerSocket:
        """Connect.

        Raises:
            APIStatusError: the server refused, with this status.
            APIConnectionError: it could not be reached.
        """


async def run_link(
    socket: WorkerSocket,
    scope: Scope,
    tell: Callable[[LinkOpened | FromServer], Awaitable[None]],
    outgoing: AsyncIterator[bytes],
) -> None:
    """Send what is to be sent and tell what comes, until ``outgoing`` ends; then take leave.

    Raises:
        APIConnectionError: the connection broke, or the server closed it.
    """

    async def write() -> None:
        async for frame in outgoing:
            await socket.send(frame)

    async def read() -> None:
        while True:
            await tell(read_frame(await socket.receive(), scope))

    await tell(LinkOpened(scope))
    writing, reading = asyncio.ensure_future(write()), asyncio.ensure_future(read())
    try:
        done, _ = await asyncio.wait((writing, reading), return_when=asyncio.FIRST_COMPLETED)
        (writing if writing in done else reading).result()
    finally:
        for task in (writing, reading):
            task.cancel()
        await asyncio.wait((writing, reading))
        for task in (writing, reading):
            if not task.cancelled():
                task.exception()  # seen: the first to end says why
        await socket.aclose()


async def dial(endpoint: Endpoint) -> WorkerSocket:
    """A WebSocket by aiohttp, which ``livekit-api`` is made of too. See :class:`Dial`."""
    http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN))
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            socket = await http.ws_connect(
                endpoint.agent_url,
                headers={"Authorization": f"Bearer {endpoint.worker_jwt()}"},
                proxy=endpoint.proxy,
                heartbeat=HEARTBEAT,
                max_msg_size=LARGEST_FRAME,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_WITHIN),
            )
    except aiohttp.WSServerHandshakeError as error:
        await http.close()
        raise APIStatusError(
            f"the LiveKit server at {endpoint.url} answered {error.status} to a worker that wants to register",
            status_code=error.status,
        ) from None  # its text has the headers, and with them the token
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        await http.close()
        raise APIConnectionError(f"the LiveKit server at {endpoint.url} cannot be reached: {error!r}") from error
    except BaseException:
        await http.close()
        raise
    return _AiohttpSocket(http, socket)


class _AiohttpSocket:
    def __init__(self, http: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._http = http
        self._socket = socket

    async def send(self, frame: bytes) -> None:
        try:
            await self._socket.send_bytes(frame)
        except (aiohttp.ClientError, OSError) as error:
            raise APIConnectionError(f"the connection to the LiveKit server broke: {error!r}") from error

    async def receive(self) -> bytes | str:
        got = await self._socket.receive()
        match got.type:
            case aiohttp.WSMsgType.BINARY:
                return bytes(got.data)
            case aiohttp.WSMsgType.TEXT:
                return str(got.data)
            case _:
                raise APIConnectionError(
                    f"the LiveKit server closed the connection: code {self._socket.close_code}, {got.type.name} "
                    f"{str(got.extra or got.data or '')[:100]}"
                )

    async def aclose(self) -> None:
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._socket.close()
        await self._http.close()
