"""A session's way into a LiveKit room."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import ClassVar, TypeVar

import structlog
from livekit import rtc

from sessionactors.interfaces.audio_io import AudioSink
from sessionactors.interfaces.background_audio import BackgroundSink
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.room_wants import WANTS, RoomWants
from sessionactors.interfaces.rpc import RpcHandler
from sessionactors.interfaces.transport import TranscriptSegment, Transport, TransportEvents
from sessionactors.interfaces.video_io import VideoSink
from sessionactors.model.errors import APIConnectionError, OptionError, SessionStateError

from .access import Access
from .agent_attributes import AgentAttributes
from .background import BackgroundTrack
from .calls import Calls
from .link import Link, Token
from .noise import check_noise_cancellation
from .part import RoomPart
from .participant_facts import ParticipantFacts
from .participants import Participants
from .pre_connect import PreConnectAudio
from .telephone_keys import TelephoneKeys
from .transcripts import Transcripts
from .typed_text import TypedText
from .video_in import VideoTracks
from .video_out import VideoTrack
from .voice_track import VoiceTrack

T = TypeVar("T")

log = structlog.get_logger("sessionactors.livekit")


class LiveKitTransport(Transport):
    """A LiveKit room: one that you connected, or one to be joined here.

    ``session.start(room=rtc_room)`` makes one of these for a room that you connected. What you connected, you
    disconnect; a room that is joined here is left when the session ends, and joined again when its server was gone.

    Args:
        room: connected by you, or about to be, on the loop on which the session is started.
        url: of the server, such as ``wss://example.livekit.cloud``; ``LIVEKIT_URL`` if not given.
        token: to join with, or a callable (``async`` too) that makes one each time it is needed.
        room_name: the room to join, with a token that is made here of ``api_key`` and ``api_secret``.
        identity: of the agent in that token.
        api_key: ``LIVEKIT_API_KEY`` if not given.
        api_secret: ``LIVEKIT_API_SECRET`` if not given.
        connect_options: how to connect; all tracks are subscribed to, if not given.
        disconnect: whether to leave the room at the end; None: if it was joined here.

    Raises:
        OptionError: neither a room nor what is needed to join one, or both.
    """

    home: ClassVar[Home] = Home.USER
    label = "livekit"
    honours: ClassVar[frozenset[str]] = frozenset({"noise_cancellation", "delete_room_on_close", "json_format"})

    def __init__(
        self,
        room: rtc.Room | None = None,
        *,
        url: str | None = None,
        token: Token | None = None,
        room_name: str | None = None,
        identity: str = "agent",
        api_key: str | None = None,
        api_secret: str | None = None,
        connect_options: rtc.RoomOptions | None = None,
        disconnect: bool | None = None,
    ) -> None:
        self._access = Access(url, api_key, api_secret)
        self._given = room
        if room is not None:
            if token is not None or room_name is not None:
                raise OptionError("LiveKitTransport was given a room, and a token or a room_name too: give one of them")
            self._token: Token = ""
        elif token is not None:
            self._token = token
        elif room_name is not None:
            self._token = self._access.token_for(room_name, identity)
        else:
            raise OptionError(
                "LiveKitTransport needs a room that you connected, or url and token, or url, api_key, api_secret and "
                "room_name"
            )
        if room is None and not self._access.url:
            raise OptionError("LiveKitTransport was given no url, and LIVEKIT_URL is not set")
        self._connect_options = connect_options
        self._disconnect = room is None if disconnect is None else disconnect
        self._wants = WANTS
        self._link: Link | None = None
        self._participants: Participants | None = None
        self._voice: VoiceTrack | None = None
        self._transcripts: Transcripts | None = None
        self._attributes = AgentAttributes()
        self._calls = Calls()
        self._loop: asyncio.AbstractEventLoop | None = None
        """The room's; known from :meth:`configure` on."""
        self._closed = False

    def configure(self, wants: RoomWants) -> None:
        super().configure(wants)
        if wants.audio_input is not None:
            check_noise_cancellation(wants.audio_input.noise_cancellation)
        self._wants = wants
        self._loop = asyncio.get_running_loop()

    @property
    def room(self) -> rtc.Room | None:
        """The room, once the transport is connected. Another one after its server was gone; yours stays the same."""
        return self._given if self._link is None else self._link.room or self._given

    @property
    def link_losses(self) -> int:
        """How often a room that was joined here was lost and joined again."""
        return 0 if self._link is None else self._link.losses

    async def connect(self, events: TransportEvents) -> None:
        if self._link is not None or self._closed:
            raise SessionStateError("a LiveKitTransport is connected once: make another one for the next session")
        self._loop = asyncio.get_running_loop()
        parts = self._make_parts(events)
        self._link = Link(
            parts,
            events.closed,
            given=self._given,
            url=self._access.url,
            token=self._token,
            options=self._connect_options,
        )
        try:
            await self._link.open()
        except BaseException:
            if self._voice is not None:
                self._voice.sink.close()  # a source of the native library
            raise

    def _make_parts(self, events: TransportEvents) -> tuple[RoomPart, ...]:
        """In this order they are attached and told that the room is joined; in the other order they leave."""
        wants = self._wants
        parts: list[RoomPart] = []
        heard = wants.audio_input
        recordings = None
        if heard is not None and heard.pre_connect_audio:
            recordings = PreConnectAudio(heard.sample_rate, heard.pre_connect_audio_timeout)
            parts.append(recordings)
        if wants.audio_output is not None:
            self._voice = VoiceTrack(wants.audio_output)
            parts.append(self._voice)
        self._participants = Participants(events, heard, recordings)
        parts.append(self._participants)
        if wants.video_input:
            parts.append(VideoTracks(events))  # behind the participants: who shows something is there already
        if wants.text_output is not None:
            self._transcripts = Transcripts(wants.text_output)
            parts.append(self._transcripts)
        if wants.text_input:
            parts.append(TypedText(events))
        parts += (TelephoneKeys(events), ParticipantFacts(events), self._attributes, self._calls)
        return tuple(parts)

    @property
    def audio_sink(self) -> AudioSink | None:
        return None if self._voice is None else self._voice.sink

    async def open_background(self, options: object | None = None) -> BackgroundSink | None:
        if self._link is None:
            raise SessionStateError("the LiveKitTransport is not connected: start the session before background audio")
        part = BackgroundTrack(options)
        try:
            await self._link.add(part)
        except BaseException:
            await part.sink.aclose()
            raise
        return part.sink

    async def open_video(self, width: int, height: int, options: object | None = None) -> VideoSink | None:
        if self._link is None:
            raise SessionStateError("the LiveKitTransport is not connected: start the session before its video")
        track = VideoTrack(width, height, options)
        try:
            await self._link.add(track)
        except BaseException:
            await track.aclose()
            raise
        return track

    def publish_transcript(self, segment: TranscriptSegment) -> None:
        if self._transcripts is not None:
            self._on_the_rooms_loop(self._transcripts.show, segment)

    def set_attributes(self, attributes: Mapping[str, str]) -> None:
        self._on_the_rooms_loop(self._attributes.want, dict(attributes))

    def _on_the_rooms_loop(self, call: Callable[[T], None], argument: T) -> None:
        """From any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it is closed: there is nobody to read
                self._loop.call_soon_threadsafe(call, argument)

    @property
    def has_rpc(self) -> bool:
        return True

    def register_rpc_method(self, method: str, handler: RpcHandler) -> None:
        self._calls.register(method, handler)

    def unregister_rpc_method(self, method: str) -> None:
        self._calls.unregister(method)

    async def perform_rpc(
        self, *, destination_identity: str, method: str, payload: str, response_timeout: float | None = None
    ) -> str:
        return await self._calls.perform(destination_identity, method, payload, response_timeout)

    async def wait_subscribed(self) -> None:
        if self._voice is not None:
            await self._voice.heard.wait()

    @property
    def sdk_room(self) -> rtc.Room | None:
        return self.room

    @property
    def may_have_telephones(self) -> bool:
        return True

    @property
    def can_send_dtmf(self) -> bool:
        return self._participants is not None and self._participants.on_the_phone

    async def publish_dtmf(self, *, code: int, digit: str) -> None:
        room = self.room
        if room is None or not room.isconnected():
            raise APIConnectionError(f"key {digit!r} was not pressed: the room is not connected")
        try:
            await room.local_participant.publish_dtmf(code=code, digit=digit)
        except Exception as error:  # the SDK raises plain exceptions
            raise APIConnectionError(f"key {digit!r} was not pressed: {error}") from error

    async def aclose(self) -> None:
        self._closed = True
        link, self._link = self._link, None
        if link is None:
            return
        await asyncio.sleep(0)  # what was published before is on its way to this loop
        name = "" if link.room is None else link.room.name
        if self._wants.delete_room_on_close and name:
            await self._access.delete_room(name)
        if self._voice is not None and link.room is not None and not self._disconnect:
            await self._voice.unpublish(link.room)
        await link.close(disconnect=self._disconnect)
        if self._voice is not None:
            self._voice.sink.close()
