"""Sockets as this package uses them: a small protocol, and adapters for the libraries that have WebSockets.

An adapter is used on one loop: that on which the connection was accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Any, Protocol, cast

from .close_code import CloseCode, WireError
from .wire import Data


class Socket(Protocol):
    """One accepted connection."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the request that opened it, names in lower case."""

    @property
    def address(self) -> str | None:
        """Of the other end, as the network has it (behind a proxy: the proxy's); None if that is not known."""

    @property
    def closed(self) -> bool:
        """Whether it is known to be closed, though not all was received that came before. From any thread."""

    async def send(self, data: Data) -> None:
        """Send a message; waits while the peer does not read.

        Raises:
            ConnectionError: it is closed.
        """

    async def receive(self) -> Data | None:
        """The next message; None when the connection is closed, by whomever.

        Raises:
            WireError: the library below refused a message for its size.
        """

    async def close(self, code: int, reason: str) -> None:
        """Close with a status. Safe when it is closed."""

    def abort(self) -> None:
        """Cut the connection without a word, where that can be done. Safe when it is closed."""


def close_reason(text: str) -> str:
    """``text`` as a close frame can carry it: 123 bytes."""
    return text.encode()[:123].decode(errors="ignore")


def _too_big(what: str) -> WireError:
    return WireError(CloseCode.TOO_BIG, f"a message that is larger than allowed: {what}", fatal=True)


class WebsocketsSocket:
    """A connection of the library ``websockets`` (its asyncio server or client).

    Args:
        connection: ``websockets.asyncio.server.ServerConnection``, or a client's.
    """

    def __init__(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        self._connection = connection
        self._closed: type[ConnectionClosed] = ConnectionClosed

    @property
    def headers(self) -> Mapping[str, str]:
        request = self._connection.request
        return {} if request is None else {name.lower(): value for name, value in request.headers.raw_items()}

    @property
    def address(self) -> str | None:
        remote = self._connection.remote_address  # a tuple; of a Unix socket a string
        return str(remote[0]) if isinstance(remote, tuple) else None

    @property
    def closed(self) -> bool:
        return self._connection.close_code is not None

    async def send(self, data: Data) -> None:
        try:
            await self._connection.send(data)
        except self._closed as closed:
            raise ConnectionError(str(closed)) from closed

    async def receive(self) -> Data | None:
        try:
            return cast("Data", await self._connection.recv())
        except self._closed as closed:
            if closed.sent is not None and closed.sent.code == CloseCode.TOO_BIG and not closed.rcvd_then_sent:
                raise _too_big(closed.sent.reason) from closed
            return None

    async def close(self, code: int, reason: str) -> None:
        await self._connection.close(code, close_reason(reason))

    def abort(self) -> None:
        self._connection.transport.abort()


class StarletteSocket:
    """A ``WebSocket`` of Starlette or FastAPI that was accepted.

    The server below has its own bound of a message (uvicorn: ``--ws-max-size``); ours holds as well.
    """

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket

    @property
    def headers(self) -> Mapping[str, str]:
        return {name.lower(): value for name, value in self._websocket.headers.items()}

    @property
    def address(self) -> str | None:
        client = self._websocket.client
        return None if client is None else str(client.host)

    @property
    def closed(self) -> bool:
        """ASGI tells of it to who receives only."""
        return bool(self._websocket.client_state.name == "DISCONNECTED")

    async def send(self, data: Data) -> None:
        kind = "text" if isinstance(data, str) else "bytes"
        try:
            await self._websocket.send({"type": "websocket.send", kind: data})
        except ConnectionError:
            raise
        except Exception as error:  # Starlette's WebSocketDisconnect, or a RuntimeError after the close
            raise ConnectionError(repr(error)) from error

    async def receive(self) -> Data | None:
        try:
            message = await self._websocket.receive()
        except RuntimeError:  # after the disconnect was received
            return None
        if message["type"] == "websocket.disconnect":
            if message.get("code") == CloseCode.TOO_BIG:
                raise _too_big(message.get("reason") or "")
            return None
        text = message.get("text")
        return cast("Data", message["bytes"] if text is None else text)

    async def close(self, code: int, reason: str) -> None:
        with suppress(RuntimeError):  # it was closed before
            await self._websocket.close(code, close_reason(reason))

    def abort(self) -> None:
        """ASGI has no way to cut a connection: it ends when the endpoint returns."""


class AiohttpSocket:
    """A ``web.WebSocketResponse`` of aiohttp that was prepared.

    Args:
        response: of the handler; made with ``max_msg_size=`` as wanted.
        request: that it answers.
    """

    def __init__(self, response: Any, request: Any) -> None:
        self._response = response
        self._request = request

    @property
    def headers(self) -> Mapping[str, str]:
        return {name.lower(): value for name, value in self._request.headers.items()}

    @property
    def address(self) -> str | None:
        return cast("str | None", self._request.remote)

    @property
    def closed(self) -> bool:
        transport = cast("asyncio.Transport | None", self._request.transport)
        return transport is None or transport.is_closing()

    async def send(self, data: Data) -> None:
        send: Awaitable[None] = (
            self._response.send_str(data) if isinstance(data, str) else self._response.send_bytes(data)
        )
        try:
            await send
        except ConnectionError:
            raise
        except RuntimeError as error:  # closed
            raise ConnectionError(str(error)) from error

    async def receive(self) -> Data | None:
        message = await self._response.receive()
        if getattr(message.data, "code", None) == CloseCode.TOO_BIG:  # aiohttp's WebSocketError
            raise _too_big(str(message.data))
        return message.data if isinstance(message.data, str | bytes) else None

    async def close(self, code: int, reason: str) -> None:
        await self._response.close(code=code, message=close_reason(reason).encode())

    def abort(self) -> None:
        transport = cast("asyncio.Transport | None", self._request.transport)
        if transport is not None:
            transport.abort()
