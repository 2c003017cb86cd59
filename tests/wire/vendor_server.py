"""What the vendors' servers of these tests have in common: a free port, a list of calls, and the ways to go wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from aiohttp import WSCloseCode, WSMsgType, web

CHATTER = 0.01
"""Seconds between signs of life."""


@dataclass(frozen=True)
class Fault:
    """How a call goes wrong. ``after``: messages that the server has sent by then."""

    status: int | None = None
    """Refuse the handshake or the request with this."""
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    after: int = 0
    close: tuple[int, str] | None = None
    """Close with this code and reason."""
    cut: bool = False
    """The connection breaks."""
    silent: bool = False
    """Read on, and say nothing more."""
    half_open: bool = False
    """Neither read nor say anything more, as behind a cable that was pulled."""
    garbage: str | bytes | None = None
    """Send this, and go on."""
    chatter: Mapping[str, Any] | None = None
    """Say this for ever, and nothing else; what the client sends is read."""


@dataclass
class Received:
    """What one connection sent, and how it went."""

    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    """By name in lower case."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    """Text messages, parsed."""
    audio: bytearray = field(default_factory=bytearray)
    body: Any = None
    """Of a request."""
    sent: int = 0
    """Messages of the server."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """The connection is over."""
    complaints: list[str] = field(default_factory=list)
    """What was wrong with what was sent."""

    @property
    def options(self) -> dict[str, str]:
        """The query, of what may come once."""
        return dict(self.query)

    def all(self, name: str) -> list[str]:
        """What was given for a name of the query."""
        return [value for known, value in self.query if known == name]

    def types(self) -> list[str]:
        """Of the text messages."""
        return [message["type"] for message in self.messages]


class HungUp(Exception):
    """The call went wrong as it was told to, and is over."""


C = TypeVar("C")


class VendorServer(Generic[C]):
    """Serves on a free port of the loopback interface while it is entered. The n-th call follows the n-th script.

    Args:
        calls: scripts; the last one is followed again by whoever comes later.
        key: what the client has to show.
    """

    def __init__(self, calls: Sequence[C], *, key: str = "test-key") -> None:
        self._calls = list(calls)
        self._runner: web.AppRunner
        self.key = key
        self.received: list[Received] = []
        self.connections: set[object] = set()
        """The other ends of all connections so far."""
        self.open_now = 0
        """Connections."""
        self.port = 0

    def routes(self) -> Sequence[web.RouteDef]:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.add_routes(self.routes())
        self._runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    def begin(self, request: web.Request) -> tuple[Received, C]:
        """Note the call, and find its script."""
        received = Received(
            request.path,
            list(request.query.items()),
            {name.lower(): value for name, value in request.headers.items()},
        )
        self.received.append(received)
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        return received, self._calls[min(len(self.received), len(self._calls)) - 1]

    @property
    def last(self) -> Received:
        return self.received[-1]

    async def all_gone(self) -> None:
        """Every connection is over."""
        async with asyncio.timeout(5):
            for received in self.received:
                await received.gone.wait()


class Line:
    """A WebSocket of a call, which goes wrong where its fault says so."""

    def __init__(self, request: web.Request, received: Received, fault: Fault | None) -> None:
        self.request = request
        self.received = received
        self.fault = fault
        self.socket = web.WebSocketResponse(autoping=fault is None or not fault.half_open, max_msg_size=0)

    async def open(self, headers: Mapping[str, str]) -> None:
        self.socket.headers.update(headers)
        await self.socket.prepare(self.request)
        await self._go_wrong()

    async def send(self, message: Mapping[str, Any] | bytes) -> None:
        if isinstance(message, bytes):
            await self.socket.send_bytes(message)
        else:
            await self.socket.send_str(json.dumps(message))
        self.received.sent += 1
        await self._go_wrong()

    async def receive(self) -> dict[str, Any] | bytes | str | None:
        """JSON, binary, text that is no JSON; None: the client is gone."""
        message = await self.socket.receive()
        match message.type:
            case WSMsgType.BINARY:
                return bytes(message.data)
            case WSMsgType.TEXT:
                try:
                    parsed = json.loads(message.data)
                except ValueError:
                    return str(message.data)
                return parsed if isinstance(parsed, dict) else str(message.data)
            case _:
                return None

    async def close(self, code: int = WSCloseCode.OK, reason: str = "") -> None:
        await self.socket.close(code=code, message=reason.encode())

    async def _go_wrong(self) -> None:
        fault = self.fault
        if fault is None or self.received.sent != fault.after:
            return
        self.fault = None
        if fault.garbage is not None:
            garbage = fault.garbage
            await (self.socket.send_str(garbage) if isinstance(garbage, str) else self.socket.send_bytes(garbage))
        if fault.close is not None:
            await self.close(*fault.close)
            raise HungUp
        if fault.cut:
            assert self.request.transport is not None
            self.request.transport.abort()
            raise HungUp
        if fault.silent or fault.chatter is not None:
            chatter = asyncio.create_task(self._chatter(fault.chatter))
            try:
                while await self.receive() is not None:
                    pass
            finally:
                chatter.cancel()
            raise HungUp
        if fault.half_open:
            await asyncio.get_running_loop().create_future()

    async def _chatter(self, message: Mapping[str, Any] | None) -> None:
        while message is not None:
            await self.socket.send_str(json.dumps(message))
            await asyncio.sleep(CHATTER)
