"""A listener made of the library ``websockets``: gives each connection that it accepts to a function."""

from __future__ import annotations

import asyncio
import math
import socket
import ssl as tls
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final, TypeAlias

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Origin

from .limits import WebSocketLimits
from .sockets import Socket, WebsocketsSocket

SEND_BUFFER: Final = 32768
"""Bytes that the kernel keeps for a client that does not read (it takes them twice). By itself it keeps megabytes: a
minute of audio, before anybody could notice that nobody reads."""
RECEIVE_BUFFER: Final = 131072
"""Bytes that it keeps of what is not read yet: what is sent to a connection that ends must be read all the same."""
ProcessRequest: TypeAlias = Callable[[ServerConnection, Request], "Response | Awaitable[Response | None] | None"]
"""Answers a plain HTTP request, such as that for a page; None: it is for a WebSocket."""


@asynccontextmanager
async def listening(
    served: Callable[[Socket], Awaitable[None]],
    host: str,
    port: int,
    limits: WebSocketLimits,
    *,
    origins: Sequence[str | None] | None = None,
    ssl: tls.SSLContext | None = None,
    process_request: ProcessRequest | None = None,
) -> AsyncIterator[int]:
    """Accept connections as long as it lasts; gives the port.

    Args:
        served: called with each connection, which lasts until it returns.
        host: to listen at.
        port: 0 for one that is free.
        limits: of each connection.
        origins: pages of browsers that may connect, None among them for clients that are none; all if not given.
        ssl: for ``wss``.
        process_request: see :data:`ProcessRequest`.

    Raises:
        OSError: it cannot listen there.
    """

    async def accepted(connection: ServerConnection) -> None:
        sock = connection.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        await served(WebsocketsSocket(connection))

    async with serve(
        accepted,
        host,
        port,
        origins=None if origins is None else [None if origin is None else Origin(origin) for origin in origins],
        process_request=process_request,
        ssl=ssl,
        compression=None,  # audio does not get smaller
        write_limit=SEND_BUFFER // 2,
        max_size=limits.max_message_bytes,
        ping_interval=None,  # who is silent is found by what they say, whatever the server's library
        close_timeout=limits.close_within,
        open_timeout=limits.hello_within,
    ) as server:
        yield next(iter(server.sockets)).getsockname()[1]


def asked_on(loop: asyncio.AbstractEventLoop, process_request: ProcessRequest) -> ProcessRequest:
    """The same, called on another loop than that on which connections are accepted."""

    async def ask(connection: ServerConnection, request: Request) -> Response | None:
        answer = process_request(connection, request)
        return await answer if isinstance(answer, Awaitable) else answer

    async def asked(connection: ServerConnection, request: Request) -> Response | None:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ask(connection, request), loop))

    return asked


def turning_away(
    wait_of: Callable[[Socket], float], why: Callable[[float], str], process_request: ProcessRequest | None
) -> ProcessRequest:
    """The same, behind one that refuses before there is a WebSocket: nothing is cheaper.

    Args:
        wait_of: seconds until the peer of a connection may call again; 0.0: let it in.
        why: what it is told, by those seconds.
        process_request: asked about who is let in.
    """

    def asked(connection: ServerConnection, request: Request) -> Response | Awaitable[Response | None] | None:
        if wait := wait_of(WebsocketsSocket(connection)):
            refusal = connection.respond(HTTPStatus.TOO_MANY_REQUESTS, f"{why(wait)}\n")
            refusal.headers["Retry-After"] = str(math.ceil(wait))
            return refusal
        return None if process_request is None else process_request(connection, request)

    return asked
