"""A room with one client at the other end of a WebSocket, and the agent here."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Protocol, assert_never

from sessionactors.interfaces.audio_io import AudioSink
from sessionactors.interfaces.background_audio import BackgroundSink
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.room_wants import RoomWants
from sessionactors.interfaces.transport import TranscriptSegment, Transport, TransportEvents
from sessionactors.model.errors import APIConnectionError, SessionStateError
from sessionactors.model.events import PublicEvent, UserState, UserStateChangedEvent

from .beside import WebSocketBackground
from .close_code import CloseCode, WireError
from .limits import WebSocketLimits
from .link import Link
from .native_wire import NativeWire
from .playout import RemotePlayout
from .sockets import Socket
from .source import WebSocketSource
from .statistics import WebSocketStatistics, sum_of
from .wire import (
    Alive,
    Bye,
    Cleared,
    Heard,
    Hello,
    Left,
    Muted,
    Played,
    Pressed,
    Ready,
    Spoken,
    State,
    Told,
    Transcript,
    Typed,
    Wire,
)

AGENT_STATE: Final = "lk.agent.state"
"""The attribute by which a session says what its agent does."""
MISSED: Final = 256
"""Transcripts that are kept for a client that may come back: the newest."""
_LOST: Final = (CloseCode.SILENT, CloseCode.TOO_SLOW)
"""Ends of a connection that its client need not have meant."""


class HasUserState(Protocol):
    """A session, as far as the user's state goes."""

    @property
    def user_state(self) -> UserState:
        """What the user does."""

    def on_any(self, callback: Callable[[PublicEvent], object]) -> None:
        """Call back at each public event."""


class WebSocketTransport(Transport):
    """One client on one connection.

    To be made, connected and closed on the loop on which the connection was accepted, which is the loop from which the
    session is started. It is over when the connection is, unless the client said that it would come back: then another
    connection may take the lost one's place (:meth:`take_over`), within ``resume_within`` of the limits.

    Args:
        socket: the connection, accepted. See :class:`.WebsocketsSocket`, :class:`.StarletteSocket`,
            :class:`.AiohttpSocket`, or write another one.
        wire: the format; our own protocol if not given, :class:`.TwilioMediaStream` for calls of a telephone.
        limits: bounds of the connection.
        room: the room's name, which the client is told.
    """

    home: ClassVar[Home] = Home.USER

    def __init__(
        self, socket: Socket, *, wire: Wire | None = None, limits: WebSocketLimits | None = None, room: str = ""
    ) -> None:
        self.room = room
        self._wire = wire or NativeWire()
        self._limits = limits or WebSocketLimits()
        self.label = self._wire.label
        self._socket = socket
        self._link = Link(socket, self._wire, self._limits)
        self._hello: Hello | None = None
        self._events: TransportEvents | None = None
        self._closed = False
        self._source = WebSocketSource()
        self._sink: RemotePlayout | None = None
        self._ended: tuple[CloseCode | None, str] | None = None
        self.ticket: str | None = None
        """With it the client may come back; another one each time."""
        self._away: asyncio.TimerHandle | None = None
        """Runs out when the client has not come back."""
        self._missed: deque[Told] = deque(maxlen=MISSED)
        self._states: dict[str, State] = {}
        self._past: list[WebSocketStatistics] = []

    # -- the client --------------------------------------------------------------------------------------------------

    async def hello(self) -> Hello:
        """Wait for the client to say who it is. :meth:`connect` does, where nobody has.

        Raises:
            WireError: it did not, or wrong; the connection is closed.
            SessionStateError: the transport was closed.
        """
        if self._closed:
            raise SessionStateError("this WebSocketTransport was closed: its connection is over")
        if self._hello is None:
            self._hello = await self._link.hello()
        return self._hello

    async def refuse(self, code: CloseCode, reason: str) -> None:
        """Send the client away; instead of :meth:`connect`."""
        self._closed = True
        await self._link.end(code, reason)

    @property
    def gone(self) -> bool:
        """Whether the connection is known to be over, before anybody reads on. From any thread."""
        return self._socket.closed

    async def last_words(self) -> CloseCode | None:
        """Of a client that is :attr:`gone`: the code with which the connection was closed here; None: it left."""
        self._closed = True
        return await self._link.last_words()

    def follow(self, session: HasUserState) -> None:
        """Tell the client what the user does, too, as the session sees it. What the agent does it is told anyway."""

        def told(event: PublicEvent) -> None:
            if isinstance(event, UserStateChangedEvent):
                self._show(State("user", event.new_state))

        self._show(State("user", session.user_state))
        session.on_any(told)

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the request that opened the connection, names in lower case."""
        return self._socket.headers

    @property
    def statistics(self) -> WebSocketStatistics:
        """The account of the connection, and of those that it took the place of."""
        return sum_of([*self._past, self._link.statistics])

    @property
    def ended(self) -> tuple[CloseCode | None, str] | None:
        """How the connection broke, if it did: our code (None: the client ended it), and why."""
        return self._ended

    # -- the port ----------------------------------------------------------------------------------------------------

    def configure(self, wants: RoomWants) -> None:
        super().configure(wants)
        if wants.audio_input is not None:
            self._source.frame_ms = max(10, min(100, wants.audio_input.frame_size_ms))

    async def connect(self, events: TransportEvents) -> None:
        """Wait for the hello, and let the client in.

        Raises:
            APIConnectionError: the client went away, or did not say who it is.
            SessionStateError: it was connected or closed before.
        """
        if self._events is not None or self._closed:
            raise SessionStateError("a WebSocketTransport is connected once: the next connection has another one")
        self._events = events
        try:
            hello = await self.hello()
        except WireError as error:
            raise APIConnectionError(f"no client: {error}", retryable=False) from error
        self._sink = RemotePlayout(self._link, self._wire, self._limits)
        self._link.start(self._on_heard, self._on_down)
        self._link.post(self._ready(hello))
        events.participant_joined(hello.identity, self._source, kind=hello.kind, attributes=hello.attributes)

    @property
    def audio_sink(self) -> AudioSink | None:
        return self._sink

    async def open_background(self, options: object | None = None) -> BackgroundSink | None:
        """What is heard beside the agent fills the pauses of its voice.

        Raises:
            SessionStateError: it is not connected.
        """
        if self._sink is None:
            raise SessionStateError("the WebSocketTransport is not connected: start the session first")
        return WebSocketBackground(self._sink)

    def publish_transcript(self, segment: TranscriptSegment) -> None:
        self._tell(Transcript(segment))

    def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """The agent's state goes to the client; it has no use for other attributes."""
        if (state := attributes.get(AGENT_STATE)) is not None:
            self._show(State("agent", state))

    async def aclose(self) -> None:
        """Say good-bye and close the connection."""
        self._closed = True
        self.ticket = None
        if self._away is not None:
            self._away.cancel()
        self._source.stop()
        if self._sink is not None:
            self._sink.lost()
        self._link.post(Bye("session_ended"))
        await self._link.end(CloseCode.NORMAL, "session ended")

    # -- coming back -------------------------------------------------------------------------------------------------

    async def take_over(self, other: WebSocketTransport) -> None:
        """Go on with the connection of ``other``, whose client said hello with our ticket; returns when that is over.

        The lost connection need not have been noticed: it is closed. The client hears nothing of what it missed; it is
        told what was written meanwhile, and the states. On the loop of both connections.

        Args:
            other: made for the new connection; it is over, its connection is ours.

        Raises:
            WireError: it is not the client that was here, speaks in another rate, or comes too late.
        """
        hello, was, sink = await other.hello(), self._hello, self._sink
        if self._closed or self.ticket is None or hello.ticket != self.ticket or was is None or sink is None:
            raise WireError(CloseCode.GONE, "there is no session to come back to", fatal=True)
        if hello.identity != was.identity:
            raise WireError(CloseCode.UNAUTHORIZED, f"the session is {was.identity!r}'s", fatal=True)
        if other._wire.sample_rate != sink.sample_rate:
            raise WireError(CloseCode.UNSUPPORTED, f"come back with output at {sink.sample_rate} Hz", fatal=True)
        before = self._link
        if self._away is None:  # nobody has noticed that the connection is lost
            self._go_away()
            ending = asyncio.create_task(before.end(CloseCode.REPLACED, "came back on another connection"))
        else:
            self._away.cancel()
            ending = asyncio.create_task(before.wait_over())
        self._past.append(before.statistics)
        link, self._socket, self._wire, self._hello = other._link, other._socket, other._wire, hello
        link.start(self._on_heard, self._on_down)
        link.post(self._ready(hello), *self._states.values(), *self._missed)
        self._missed.clear()
        self._link, self._away = link, None
        sink.back(link, self._wire)
        await link.wait_over()
        await ending

    def expect_nobody(self) -> None:
        """The server ends: the client cannot come back any more. On the connection's loop."""
        self.ticket = None
        if self._away is not None and not self._closed:
            self._away.cancel()
            self._gone(None, "connection_lost")

    def _ready(self, hello: Hello) -> Ready:
        self.ticket = secrets.token_urlsafe(24) if hello.may_return else None
        return Ready(self.room, self.ticket, 0.0 if self.ticket is None else self._limits.resume_within)

    def _go_away(self) -> None:
        self._missed.extend(told for told in self._link.unsent() if isinstance(told, Transcript))
        self._source.end()
        if self._sink is not None:
            self._sink.away()

    def _tell(self, told: Told) -> None:
        """Now, or when the client is back."""
        if self._away is None:
            self._link.post(told)
        else:
            self._missed.append(told)

    def _show(self, state: State) -> None:
        self._states[state.who] = state
        if self._away is None:
            self._link.post(state)

    # -- within ------------------------------------------------------------------------------------------------------

    def _on_heard(self, heard: Heard) -> None:
        events, hello = self._events, self._hello
        if events is None or hello is None:
            return
        match heard:
            case Spoken(frame):
                self._source.feed(frame)
            case Played() | Cleared():
                if self._sink is not None:
                    self._sink.heard(heard)
            case Typed(text):
                events.text_received(hello.identity, text)
            case Pressed(digit):
                events.key_pressed(hello.identity, digit)
            case Muted(muted):
                self._source.mute(muted=muted)
            case Hello() | Alive() | Left():  # the link's business
                return
            case _:
                assert_never(heard)

    def _on_down(self, code: CloseCode | None, reason: str) -> None:
        """The connection has ended, not by us."""
        lost = reason == "connection_lost" if code is None else code in _LOST
        if lost and self.ticket is not None and not self._closed:
            loop = asyncio.get_running_loop()
            self._away = loop.call_later(self._limits.resume_within, self._gone, code, reason)
            self._go_away()
        else:
            self._gone(code, reason)

    def _gone(self, code: CloseCode | None, reason: str) -> None:
        """There is nobody to come back."""
        self._ended, self.ticket = (code, reason), None
        self._source.end()
        if self._sink is not None:
            self._sink.lost()
        if self._events is not None and self._hello is not None:
            self._events.participant_left(self._hello.identity, reason if code is None else code.label)
            self._events.closed(reason if code is None else f"{code.label}: {reason}")


class ServedTransport(WebSocketTransport):
    """One whose connection was accepted on the actor loop: between socket and actors nothing changes threads.

    To be made there, too; what it is told by others than actors is carried there.
    """

    home: ClassVar[Home] = Home.ACTOR
