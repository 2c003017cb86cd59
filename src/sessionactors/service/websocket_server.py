"""``serve_rooms``: a server of its own that opens a room for each WebSocket, on the library ``websockets``."""

from __future__ import annotations

import ssl as tls
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from sessionactors.session.across_loops import called
from sessionactors.session.room_options_legacy import RoomInputOptions, RoomOutputOptions
from sessionactors.transports.websocket.limits import WebSocketLimits
from sessionactors.transports.websocket.listening import ProcessRequest, asked_on, listening, turning_away
from sessionactors.transports.websocket.native_wire import NativeWire
from sessionactors.transports.websocket.wire import Hello, Wire

from .room_supervisor import RoomSupervisor
from .unwelcome import PeerLimits, PeerOf, public_address
from .websocket_rooms import (
    DEFAULT_PEER_LIMITS,
    MAX_WAITING,
    OPENINGS_PER_SECOND,
    Allow,
    WebSocketRooms,
    WebSocketRoomsStats,
    too_often,
)


class RoomServer:
    """A server that listens. Made by :func:`serve_rooms`."""

    def __init__(self, calls: WebSocketRooms, host: str, port: int, *, secure: bool) -> None:
        self.calls = calls
        self.host = host
        self.port = port
        """The one it listens on, also where 0 was asked for."""
        self.url = f"{'wss' if secure else 'ws'}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def stats(self) -> WebSocketRoomsStats:
        """The account of all connections. From any thread."""
        return self.calls.stats


@asynccontextmanager
async def serve_rooms(
    rooms: RoomSupervisor,
    *,
    token: str | None,
    host: str = "127.0.0.1",
    port: int = 8765,
    wire: Callable[[], Wire] = NativeWire,
    limits: WebSocketLimits | None = None,
    room_for: Callable[[Hello], str] | None = None,
    allow: Allow | None = None,
    max_waiting: int = MAX_WAITING,
    openings_per_second: float | None = OPENINGS_PER_SECOND,
    peer_limits: PeerLimits | None = DEFAULT_PEER_LIMITS,
    peer_of: PeerOf = public_address,
    room_input_options: RoomInputOptions | None = None,
    room_output_options: RoomOutputOptions | None = None,
    origins: Sequence[str | None] | None = None,
    ssl: tls.SSLContext | None = None,
    process_request: ProcessRequest | None = None,
) -> AsyncIterator[RoomServer]:
    """Listen, and open a room for each WebSocket, as long as the ``async with`` lasts.

    On leaving it stops listening and closes what is connected. Sockets are read and written on the actor loop: what
    your code does delays no audio. Needs ``sessionactors[websocket]``.

    Args:
        rooms: opens the rooms; started on this loop, and yours to close.
        token: see :class:`WebSocketRooms`; None lets everybody in who can reach the address.
        host: this machine only, if not given.
        port: 0 for one that is free.
        wire: see :class:`WebSocketRooms`, as the arguments that follow.
        limits: of each connection.
        room_for: names rooms.
        allow: decides who may come in.
        max_waiting: connections without a room.
        openings_per_second: rooms opened a second.
        peer_limits: how often a peer may break the rules; the next time it is answered with HTTP 429.
        peer_of: names the peer of a connection.
        room_input_options: for each room.
        room_output_options: for each room.
        origins: pages of browsers that may connect, None among them for clients that are none; all if not given.
        ssl: for ``wss``.
        process_request: answers plain HTTP requests, such as that for a page; see ``websockets``. Called on this loop.

    Raises:
        OSError: it cannot listen there.
    """
    calls = WebSocketRooms(
        rooms,
        token=token,
        wire=wire,
        limits=limits,
        room_for=room_for,
        allow=allow,
        max_waiting=max_waiting,
        openings_per_second=openings_per_second,
        peer_limits=peer_limits,
        peer_of=peer_of,
        room_input_options=room_input_options,
        room_output_options=room_output_options,
    )

    users, actors = rooms.loop, rooms.system.loop
    page = process_request if process_request is None or users is actors else asked_on(users, process_request)
    accepting = listening(
        calls.serve,
        host,
        port,
        calls.limits,
        origins=origins,
        ssl=ssl,
        process_request=turning_away(calls.turn_away, too_often, page),
    )
    bound = await called(actors, accepting.__aenter__)
    try:
        yield RoomServer(calls, host, bound, secure=ssl is not None)
    finally:
        calls.expect_nobody()
        if not actors.is_closed():  # with the loop all its sockets are
            await called(actors, lambda: accepting.__aexit__(None, None, None))
