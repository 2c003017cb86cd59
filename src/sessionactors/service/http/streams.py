"""What happens in a room, as it happens, by WebSocket: its events, or the messages of its actors.

Who reads too slowly loses the oldest, and is told how many; the room loses nothing by it. What a client sends is not
read for its meaning.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import ExitStack, aclosing, suppress
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final, TypeAlias

from fastapi import WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse

from sessionactors import messages
from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.model.events import CloseEvent, PublicEvent
from sessionactors.runtime import NS, Delivery, Tap
from sessionactors.runtime.brief import brief

from .gate import SUBPROTOCOL, Gate, Refused, subprotocols
from .options import Right
from .plain import Json, plain

if TYPE_CHECKING:
    from sessionactors.service.room_supervisor import RoomSupervisor
    from sessionactors.session.agent_session import AgentSession

WAITING: Final = 256
"""Lines that may wait for a slow reader before the oldest give way."""
SENT_WITHIN: Final = 10.0
"""Seconds in which a reader must take a line; else it is gone."""
MOST_SENT: Final = 100
"""Messages of a reader after which it is sent away."""
LOST: Final = "dropped"
PROTOCOL: Final = "sessionactors.v1"
"""The subprotocol that is spoken, for browsers, which must be answered one."""

Lines: TypeAlias = AsyncGenerator[dict[str, Json], None]


class Feed:
    """The events of a session from now on, for the loop that serves; the oldest give way. Made on that loop."""

    def __init__(self) -> None:
        self._waiting: deque[PublicEvent] = deque()
        self._woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._lost = 0

    def hear(self, event: PublicEvent) -> None:
        """An event was raised. From any thread."""
        with suppress(RuntimeError):  # the loop that served has been closed
            self._loop.call_soon_threadsafe(self._put, event)

    def _put(self, event: PublicEvent) -> None:
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(event)
        self._woken.set()

    async def events(self) -> AsyncIterator[PublicEvent | int]:
        """All of them, up to the close; a number: so many were lost."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            if self._lost:
                lost, self._lost = self._lost, 0
                yield lost
            while self._waiting:
                event = self._waiting.popleft()
                yield event
                if isinstance(event, CloseEvent):
                    return


class Streams:
    """The WebSockets of one router.

    Args:
        rooms: where the rooms are.
        gate: looks at each request.
    """

    def __init__(self, rooms: RoomSupervisor, gate: Gate) -> None:
        self._rooms = rooms
        self._gate = gate

    async def events(self, websocket: WebSocket, room: str) -> None:
        """The public events of a room, in their order; ends with its ``close`` event."""
        redact = self._gate.options.redact

        def begin(until: ExitStack) -> Lines:
            session = self._rooms.get(room).session
            feed = Feed()
            session.on_any(feed.hear)  # before the states are read: nothing falls between
            until.callback(session.off_any, feed.hear)
            return lines(session, feed)

        async def lines(session: AgentSession[object], feed: Feed) -> Lines:
            yield {"type": "state", "agent_state": session.agent_state, "user_state": session.user_state}
            async for event in feed.events():
                if isinstance(event, int):
                    yield {"type": LOST, "count": event}
                else:
                    line = plain(event, redact=redact)
                    yield line if isinstance(line, dict) else {"type": event.type}

        await self._serve(websocket, room, begin)

    async def tap(self, websocket: WebSocket, room: str, types: str = "") -> None:
        """The messages of a room's actors as they end, or those of some types (``?types=TextDelta,FloorGranted``)."""

        def begin(until: ExitStack) -> Lines:
            kinds = None if not types else [_kind(name.strip()) for name in types.split(",")]
            return lines(until.enter_context(self._rooms.get(room).session.tap(types=kinds, capacity=WAITING)))

        async def lines(tap: Tap) -> Lines:
            dropped = 0
            async for delivery in tap:
                if tap.dropped > dropped:
                    yield {"type": LOST, "count": tap.dropped - dropped}
                    dropped = tap.dropped
                yield self._delivery(delivery)

        await self._serve(websocket, room, begin)

    def _delivery(self, delivery: Delivery) -> dict[str, Json]:
        kind = type(delivery.message).__name__
        return {
            "type": "delivery",
            "id": delivery.id,
            "cause": delivery.cause,
            "turn": delivery.turn,
            "sender": delivery.sender,
            "target": delivery.target,
            "message": kind,
            "summary": kind if self._gate.options.redact else brief(delivery.message),
            "at": delivery.ended_at / NS,
            "waited": (delivery.began_at - delivery.sent_at) / NS,
            "took": (delivery.ended_at - delivery.began_at) / NS,
            "outcome": delivery.outcome,
        }

    async def _serve(self, websocket: WebSocket, room: str, begin: Callable[[ExitStack], Lines]) -> None:
        """Let somebody in, and send lines until they or the room are gone."""
        with ExitStack() as until:
            try:
                let_in(websocket, self._gate, Right.LOOK)
                until.enter_context(self._gate.stream())
                self._rooms.get(room).inspect()  # refuses a room that is over
                lines = begin(until)
            except Refused as refused:
                await deny(websocket, refused.status, refused.detail, refused.headers)
                return
            except KeyError as error:
                await deny(websocket, 404, str(error.args[0]))
                return
            except SessionStateError as error:
                await deny(websocket, 409, str(error))
                return
            except OptionError as error:
                await deny(websocket, 422, str(error))
                return
            await accept(websocket)
            await self._send(websocket, lines)

    async def _send(self, websocket: WebSocket, lines: Lines) -> None:
        sending = asyncio.ensure_future(_send_all(websocket, lines))
        listening = asyncio.ensure_future(_until_gone(websocket))
        try:
            await asyncio.wait((sending, listening), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, listening):
                task.cancel()
            await asyncio.gather(sending, listening, return_exceptions=True)


def let_in(websocket: WebSocket, gate: Gate, right: Right) -> None:
    """Let a WebSocket in.

    Raises:
        Refused: it has no right to be.
    """
    headers = dict(websocket.headers)
    gate.admit(None if websocket.client is None else websocket.client.host, headers, right)
    gate.check_origin(headers)


async def accept(websocket: WebSocket) -> None:
    """Begin. A browser that gave its token as a subprotocol must be answered one."""
    offered = subprotocols(dict(websocket.headers))
    speaks = PROTOCOL if PROTOCOL in offered or any(one.startswith(SUBPROTOCOL) for one in offered) else None
    await websocket.accept(subprotocol=speaks)


async def _send_all(websocket: WebSocket, lines: Lines) -> None:
    try:
        async with aclosing(lines) as all_lines:
            async for line in all_lines:
                async with asyncio.timeout(SENT_WITHIN):
                    await websocket.send_json(line)
        await websocket.close(1000, "the room is over")
    except (TimeoutError, WebSocketDisconnect, RuntimeError):  # who does not read is gone
        return


async def _until_gone(websocket: WebSocket) -> None:
    """What is sent is not for us to read; that nothing more comes, is. Who sends on and on is gone, too."""
    for _ in range(MOST_SENT):
        if (await websocket.receive())["type"] == "websocket.disconnect":
            return
    await websocket.close(1008, "nothing is read here")


async def deny(websocket: WebSocket, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
    """Refuse the handshake, with words where the server can give them."""
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(JSONResponse({"detail": detail}, status, headers))
    else:
        await websocket.close(1008, detail[:120])


def _message_types() -> dict[str, type]:
    modules = [import_module(f"{messages.__name__}.{found.name}") for found in iter_modules(messages.__path__)]
    named = [pair for module in modules for pair in inspect.getmembers(module, inspect.isclass)]
    return {name: kind for name, kind in named if hasattr(kind, "__policy__")}


def _kind(name: str) -> type:
    kind = KINDS.get(name)
    if kind is None:
        raise OptionError(f"no message type {name[:80]!r}; there are: {', '.join(sorted(KINDS))}")
    return kind


KINDS: Final = _message_types()
"""The types of all messages, by name. Looked up at the import: no file is read while a loop runs."""
