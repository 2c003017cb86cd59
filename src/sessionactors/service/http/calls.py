"""Calls by WebSocket, beside the HTTP API: each gets a room, and speaks the protocol of docs/websocket.md."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import WebSocket

from sessionactors.service.websocket_rooms import WebSocketRooms
from sessionactors.transports.websocket.sockets import StarletteSocket

from .gate import Gate, Refused
from .options import Right
from .streams import accept, deny, let_in

if TYPE_CHECKING:
    from sessionactors.service.room_supervisor import RoomSupervisor


class Calls:
    """Takes calls in.

    Args:
        rooms: opens a room for each.
        gate: looks at each request; the token is given with the handshake, not in the hello.
    """

    def __init__(self, rooms: RoomSupervisor, gate: Gate) -> None:
        self._rooms = rooms
        self._gate = gate
        self._calls = WebSocketRooms(rooms, token=None)

    async def serve(self, websocket: WebSocket) -> None:
        """One call, from the handshake to its end."""
        try:
            let_in(websocket, self._gate, Right.TALK)
            if asyncio.get_running_loop() is not self._rooms.loop:
                raise Refused(503, "calls are taken on the loop on which the rooms were started")
        except Refused as refused:
            await deny(websocket, refused.status, refused.detail, refused.headers)
            return
        await accept(websocket)
        await self._calls.serve(StarletteSocket(websocket))
