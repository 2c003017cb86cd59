"""A room with one client at the other end of a WebSocket, and the agent here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Protocol, assert_never

from sessionactors.interfaces.audio_io import AudioSink
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.room_wants import RoomWants
from sessionactors.interfaces.transport import TranscriptSegment, Transport, TransportEvents
from sessionactors.model.errors import APIConnectionError, SessionStateError
from sessionactors.model.events import PublicEvent, UserState, UserStateChangedEvent

from .close_code import CloseCode, WireError
from .limits import WebSocketLimits
from .link import Link, WebSocketStatistics
from .native_wire import NativeWire
from .playout import RemotePlayout
from .sockets import Socket
from .source import WebSocketSource
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
    Transcript,
    Typed,
    Wire,
)

AGENT_STATE: Final = "lk.agent.state"
"""The attribute by which a session says what its agent does."""


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
    session is started. It is over when the connection is: there is no coming back to it.

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

    def follow(self, session: HasUserState) -> None:
        """Tell the client what the user does, too, as the session sees it. What the agent does it is told anyway."""

        def told(event: PublicEvent) -> None:
            if isinstance(event, UserStateChangedEvent):
                self._link.post(State("user", event.new_state))

        self._link.post(State("user", session.user_state))
        session.on_any(told)

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the request that opened the connection, names in lower case."""
        return self._socket.headers

    @property
    def statistics(self) -> WebSocketStatistics:
        """The connection's account."""
        return self._link.statistics

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
        self._link.post(Ready(self.room))
        events.participant_joined(hello.identity, self._source, kind=hello.kind, attributes=hello.attributes)

    @property
    def audio_sink(self) -> AudioSink | None:
        return self._sink

    def publish_transcript(self, segment: TranscriptSegment) -> None:
        self._link.post(Transcript(segment))

    def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """The agent's state goes to the client; it has no use for other attributes."""
        if (state := attributes.get(AGENT_STATE)) is not None:
            self._link.post(State("agent", state))

    async def aclose(self) -> None:
        """Say good-bye and close the connection."""
        self._closed = True
        self._source.stop()
        if self._sink is not None:
            self._sink.lost()
        self._link.post(Bye("session_ended"))
        await self._link.end(CloseCode.NORMAL, "session ended")

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
        """The connection has ended, not by us: there is nobody to come back."""
        self._ended = code, reason
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
