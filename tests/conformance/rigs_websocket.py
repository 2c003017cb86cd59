"""Rooms over WebSockets: a real socket on loopback, and a client at its other end that plays by the clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from websockets.asyncio.server import ServerConnection, serve

from sessionactors.interfaces.transport import Transport
from sessionactors.model.audio import AudioFrame
from sessionactors.testing.conformance import Fault, TransportRig
from sessionactors.testing.websocket_clients import NativeClient, TwilioCall
from sessionactors.transports.websocket import (
    NativeWire,
    TwilioMediaStream,
    WebSocketLimits,
    WebsocketsSocket,
    WebSocketTransport,
    Wire,
)

Client = NativeClient | TwilioCall
CLIENTS: dict[int, tuple[Client, set[asyncio.Task[None]]]] = {}
LIMITS = WebSocketLimits(hello_within=0.2)


def opener(
    wire: Callable[[], Wire], client: Callable[[str], Client]
) -> Callable[[Fault | None], AbstractAsyncContextManager[Transport]]:
    @asynccontextmanager
    async def opened(fault: Fault | None) -> AsyncIterator[Transport]:
        """The fault is a client that never says who it is."""
        accepted: asyncio.Future[ServerConnection] = asyncio.get_running_loop().create_future()
        over = asyncio.Event()

        async def accept(connection: ServerConnection) -> None:
            accepted.set_result(connection)
            await over.wait()

        async with serve(accept, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            calls = client(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            if fault is Fault.UNREACHABLE:
                calls._greet = quiet  # type: ignore[method-assign]
            async with calls:
                transport = WebSocketTransport(WebsocketsSocket(await accepted), wire=wire(), limits=LIMITS)
                tasks: set[asyncio.Task[None]] = set()
                CLIENTS[id(transport)] = calls, tasks
                yield transport
                for task in tasks:
                    await task
                del CLIENTS[id(transport)]
            over.set()

    return opened


async def quiet() -> None: ...


def speaks(transport: Transport) -> None:
    client, tasks = CLIENTS[id(transport)]
    rate = client.player.sample_rate
    tasks.add(asyncio.create_task(_say(client, AudioFrame(bytes(2 * rate), rate))))


async def _say(client: Client, recording: AudioFrame) -> None:
    try:
        await client.say(recording)
    except Exception:
        return  # the room was left meanwhile


def types(transport: Transport, text: str) -> None:
    client, tasks = CLIENTS[id(transport)]
    assert isinstance(client, NativeClient)
    tasks.add(asyncio.create_task(client.send(type="text", text=text)))


FAULTS = frozenset({Fault.UNREACHABLE})
RIGS = (
    TransportRig(
        name="WebSocketTransport",
        open=opener(NativeWire, NativeClient),
        faults=FAULTS,
        speak=speaks,
        type=types,
    ),
    TransportRig(
        name="WebSocketTransport(positions=False)",
        open=opener(NativeWire, lambda url: NativeClient(url, positions=False)),
        faults=FAULTS,
        speak=speaks,
        type=types,
    ),
    TransportRig(
        name="WebSocketTransport(TwilioMediaStream)",
        open=opener(TwilioMediaStream, TwilioCall),
        faults=FAULTS,
        speak=speaks,
    ),
)
LONG = frozenset(rig.name for rig in RIGS)
"""In the time of a real socket: ``make conformance`` checks them, the suite does not."""
