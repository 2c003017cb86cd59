"""A room for each WebSocket that connects: said hello, allowed, admitted, spawned, and told why if it is not.

:class:`WebSocketRooms` takes accepted connections of any framework; ``serve_rooms`` is a server of its own.
"""

from __future__ import annotations

import asyncio
import hmac
import inspect
import math
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import structlog

from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.session.across_loops import called
from sessionactors.session.room_options_legacy import RoomInputOptions, RoomOutputOptions
from sessionactors.transports.websocket.close_code import CloseCode, WireError
from sessionactors.transports.websocket.limits import WebSocketLimits
from sessionactors.transports.websocket.native_wire import NativeWire
from sessionactors.transports.websocket.sockets import Socket
from sessionactors.transports.websocket.statistics import WebSocketStatistics
from sessionactors.transports.websocket.transport import ServedTransport, WebSocketTransport
from sessionactors.transports.websocket.wire import Hello, Wire

from .errors import AdmissionRefused, RefusalReason, RoomExists
from .pace import Pace, Turns
from .room_handle import RoomHandle
from .room_supervisor import RoomSupervisor
from .unwelcome import BREACHES, Breaches, PeerLimits, PeerOf, public_address

Allow: TypeAlias = Callable[[Hello, Mapping[str, str]], "bool | Awaitable[bool]"]
"""Whether a caller may come in, by the hello and the headers of the request (names in lower case)."""

MAX_WAITING: Final = 200
"""Connections at once that have not said hello yet, or whose room is being opened."""
OPENINGS_PER_SECOND: Final = 10.0
"""Rooms opened a second, over a while. Opening one and closing it was measured to take some 10 ms of the actor loop, as
much as 1.5 s of a call."""
OPENINGS_AT_ONCE: Final = 50
"""Rooms opened at once; more wait for their turn."""
TURN_WITHIN: Final = 20.0
"""Seconds for a caller's turn to come; after that there is no room for them."""
DEFAULT_PEER_LIMITS: Final = PeerLimits()
"""Five connections that broke the rules, and one more every ten seconds."""

_REFUSED: Final[Mapping[RefusalReason, CloseCode]] = {
    "full": CloseCode.FULL,
    "draining": CloseCode.DRAINING,
    "closed": CloseCode.GOING_AWAY,
}

log = structlog.get_logger("sessionactors.service")


@dataclass(frozen=True, slots=True)
class WebSocketRoomsStats:
    """The account of all connections."""

    connections: int
    """Accepted so far."""
    open: int
    """Those whose room is open."""
    waiting: int
    """Those that have not said hello yet, or whose room is being opened."""
    resumed: int = 0
    """Those with which a client came back to its room."""
    ended: Mapping[CloseCode | None, int] = field(default_factory=dict)
    """How the others ended; None: the client did. One with which a client came back ended as ``normal``."""
    faults: Mapping[CloseCode, int] = field(default_factory=dict)
    """Messages of clients that were wrong or too many, of connections that have ended."""
    audio_dropped: float = 0.0
    """Seconds of audio that were dropped because clients read too slowly; of connections that have ended."""
    flood_dropped: float = 0.0
    """Seconds of clients' audio that were dropped because they came faster than anybody speaks; likewise."""
    turned_away: int = 0
    """Connections refused unheard, because their peer broke the rules too often. Those that ``serve_rooms`` refused are
    not among ``connections``: they never became one."""


class WebSocketRooms:
    """Opens a room of ``rooms`` for each connection that it is given.

    Connections are accepted on the loop on which ``rooms`` was started, or on its actor loop, as ``serve_rooms`` does:
    then no audio waits for what your code does meanwhile. ``room_for`` and ``allow`` are called on the former.

    Args:
        rooms: opens the rooms; started by you, and yours to close.
        token: what a client must give in its hello (a telephone call: as the stream's custom parameter ``token``); None
            lets everybody in, unless ``allow`` does not.
        wire: makes the format of a connection; our own protocol if not given, ``TwilioMediaStream`` for telephones.
        limits: bounds of each connection.
        room_for: names the room for a caller; if not given, the name that the hello asks for, or a new one. A room has
            one client: a name that is taken is refused.
        allow: decides who may come in, after the token was looked at; may be ``async``.
        max_waiting: connections at once that have not got a room yet, >= 1; more are refused.
        openings_per_second: rooms opened a second, > 0, over a while; fifty in the first one, and none while the actors
            are more than 25 ms late: rooms that talk come first. Others wait for their turn, in order, up to 20 s.
            None: all are opened at once.
        peer_limits: how often a peer may break the rules before it is refused unheard; None: as often as it likes.
        peer_of: names the peer of a connection. If not given, by the socket's address if that is one of the internet;
            behind a proxy nobody is told apart, unless by ``forwarded_for``.
        room_input_options: for each room.
        room_output_options: for each room.

    Raises:
        OptionError: an argument is out of range.
    """

    def __init__(
        self,
        rooms: RoomSupervisor,
        *,
        token: str | None,
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
    ) -> None:
        if token is not None and not token:
            raise OptionError("token is empty: give one, or None to let everybody in")
        if max_waiting < 1:
            raise OptionError(f"max_waiting must be >= 1, got {max_waiting}")
        if openings_per_second is not None and not openings_per_second > 0:
            raise OptionError(f"openings_per_second must be > 0, or None for no bound; got {openings_per_second!r}")
        self._rooms = rooms
        self._token = token
        self._wire = wire
        self.limits = limits or WebSocketLimits()
        self._room_for = room_for or _as_asked
        self._allow = allow
        self._max_waiting = max_waiting
        self._turns: Turns | None = None
        if openings_per_second is not None:
            pace = Pace(openings_per_second, OPENINGS_AT_ONCE)
            self._turns = Turns(pace, rooms.system.lateness, TURN_WITHIN)
        self._breaches = None if peer_limits is None else Breaches(peer_limits)
        self._peer_of = peer_of
        self._options = room_input_options, room_output_options
        self._connections = self._open = self._waiting = self._resumed = self._turned_away = 0
        self._present: dict[WebSocketTransport, asyncio.AbstractEventLoop] = {}
        """Callers whose room is open, and the loop of each."""
        self._ended: Counter[CloseCode | None] = Counter()
        self._faults: Counter[CloseCode] = Counter()
        self._audio_dropped = self._flood_dropped = 0.0

    @property
    def stats(self) -> WebSocketRoomsStats:
        """The account up to now. From any thread."""
        return WebSocketRoomsStats(
            connections=self._connections,
            open=self._open,
            waiting=self._waiting,
            resumed=self._resumed,
            ended=dict(self._ended),
            faults=dict(self._faults),
            audio_dropped=self._audio_dropped,
            flood_dropped=self._flood_dropped,
            turned_away=self._turned_away,
        )

    def turn_away(self, socket: Socket) -> float:
        """Seconds until the peer of a connection may call again, which is to be refused unheard; 0.0: let it in.

        ``serve_rooms`` asks before there is a WebSocket, and :meth:`serve` asks. From any thread.
        """
        peer = self._peer(socket)
        wait = 0.0 if peer is None or self._breaches is None else self._breaches.wait(peer, self._now())
        self._turned_away += wait > 0
        return wait

    async def serve(self, socket: Socket) -> None:
        """Serve an accepted connection until it is over. Never raises for what the client does.

        Args:
            socket: see :class:`.WebsocketsSocket`, :class:`.StarletteSocket`, :class:`.AiohttpSocket`.

        Raises:
            SessionStateError: the rooms were started on another loop, or not at all.
        """
        here, users = asyncio.get_running_loop(), self._rooms.loop
        if here is not users and here is not self._rooms.system.loop:
            raise SessionStateError(
                "serve(): the connection was accepted on another loop than that on which its RoomSupervisor was started"
            )
        kind = WebSocketTransport if here is users else ServedTransport
        if wait := self.turn_away(socket):
            await socket.close(CloseCode.RATE_LIMITED, f"rate_limited: {too_often(wait)}")
            return
        transport = kind(socket, wire=self._wire(), limits=self.limits)
        peer = self._peer(socket)
        await called(users, lambda: self._stay(transport, here, peer))

    def _peer(self, socket: Socket) -> str | None:
        if self._breaches is None:
            return None
        try:
            return self._peer_of(socket.address, socket.headers)
        except Exception as error:
            log.exception("call_failed", room="", actor="", message_id=0, error=repr(error))
            return None

    def _now(self) -> float:
        return self._rooms.system.clock.now() / 1e9

    async def _stay(self, transport: WebSocketTransport, there: asyncio.AbstractEventLoop, peer: str | None) -> None:
        """On the users' loop: the account of one connection of ``peer``, which lives ``there``."""
        self._connections += 1
        end: CloseCode | None = CloseCode.GOING_AWAY
        account = True
        try:
            entered = await self._enter(transport, there)
            if isinstance(entered, WebSocketTransport):
                account = False  # the other's, from now on
                end = await self._come_back(entered, transport, there)
            elif entered is None or isinstance(entered, CloseCode):
                end = entered
            else:
                await self._talk(entered, transport, there)
                end = CloseCode.NORMAL if transport.ended is None else transport.ended[0]
        finally:
            if not there.is_closed():
                await called(there, transport.aclose)
            self._ended[end] += 1
            if peer is not None and self._breaches is not None and end in BREACHES:
                self._breaches.add(peer, self._now())
            if account:
                self._add(transport.statistics)

    async def _talk(self, handle: RoomHandle, transport: WebSocketTransport, there: asyncio.AbstractEventLoop) -> None:
        self._open += 1
        self._present[transport] = there
        try:
            transport.follow(handle.session)
            await handle.wait_closed()
        finally:
            self._open -= 1
            del self._present[transport]

    async def _come_back(
        self, entered: WebSocketTransport, transport: WebSocketTransport, there: asyncio.AbstractEventLoop
    ) -> CloseCode:
        """Let the connection take a lost one's place, and wait for its end."""
        self._resumed += 1
        try:
            await called(there, lambda: entered.take_over(transport))
        except WireError as error:
            self._resumed -= 1
            code, message = error.code, error.message
            await called(there, lambda: transport.refuse(code, message))
            return code
        return CloseCode.NORMAL

    def _add(self, statistics: WebSocketStatistics) -> None:
        self._faults.update(statistics.faults)
        self._audio_dropped += statistics.audio_dropped
        self._flood_dropped += statistics.flood_dropped

    async def _enter(
        self, transport: WebSocketTransport, there: asyncio.AbstractEventLoop
    ) -> RoomHandle | WebSocketTransport | CloseCode | None:
        """The room of a caller, or the connection that they come back to, or how it ended (None: they left)."""
        refusal: tuple[CloseCode, str]
        if self._waiting >= self._max_waiting:
            refusal = CloseCode.FULL, f"{self._waiting} callers wait for a room already"
        else:
            self._waiting += 1
            try:
                hello = await called(there, transport.hello)
                if not await self._may_enter(hello, transport.headers):
                    refusal = CloseCode.UNAUTHORIZED, "the token is missing or wrong"
                elif hello.ticket is None:
                    transport.room = room = self._room_for(hello)
                    if await self._turn(transport):
                        return await self._spawn(room, transport)
                    if transport.gone:
                        return await called(there, transport.last_words)
                    refusal = CloseCode.FULL, "no room now: those that are open leave no time for another one"
                elif (left := self._left_with(hello.ticket, there)) is not None:
                    return left
                else:
                    refusal = CloseCode.GONE, "there is no session to come back to: it is over, or the ticket is old"
            except WireError as error:
                return error.code
            except AdmissionRefused as refused:
                refusal = _REFUSED[refused.reason], f"no room now: {refused.reason}"
            except RoomExists:
                refusal = CloseCode.ROOM_EXISTS, f"room {transport.room!r} is open already"
            except Exception as error:
                log.exception("call_failed", room=transport.room, actor="", message_id=0, error=repr(error))
                refusal = CloseCode.FAILED, "the session could not be started"
            finally:
                self._waiting -= 1
        await called(there, lambda: transport.refuse(*refusal))
        return refusal[0]

    def expect_nobody(self) -> None:
        """The server ends: rooms whose clients were to come back are over. On the loop of the rooms."""
        for transport, loop in self._present.items():
            with suppress(RuntimeError):  # the loop is closed, and the room over
                loop.call_soon_threadsafe(transport.expect_nobody)

    def _left_with(self, ticket: str, there: asyncio.AbstractEventLoop) -> WebSocketTransport | None:
        for transport, loop in self._present.items():
            own = transport.ticket
            if loop is there and own is not None and hmac.compare_digest(own.encode(), ticket.encode()):
                return transport
        return None

    async def _may_enter(self, hello: Hello, headers: Mapping[str, str]) -> bool:
        if self._token is not None and not hmac.compare_digest((hello.token or "").encode(), self._token.encode()):
            return False
        if self._allow is None:
            return True
        allowed = self._allow(hello, headers)
        return bool(await allowed if inspect.isawaitable(allowed) else allowed)

    async def _turn(self, transport: WebSocketTransport) -> bool:
        stats = self._rooms.stats
        if self._turns is None or stats.taken >= stats.max_sessions:  # who is refused need not wait
            return True
        return await self._turns.take(lambda: not transport.gone)

    async def _spawn(self, room: str, transport: WebSocketTransport) -> RoomHandle:
        heard, shown = self._options
        return await self._rooms.spawn(room, transport=transport, room_input_options=heard, room_output_options=shown)


def too_often(wait: float) -> str:
    """What a peer is told that is turned away.

    Args:
        wait: seconds until it may call again.
    """
    return f"too many connections of yours broke the rules: try again in {math.ceil(wait)} s"


def _as_asked(hello: Hello) -> str:
    return hello.room or f"call-{uuid.uuid4().hex[:12]}"
