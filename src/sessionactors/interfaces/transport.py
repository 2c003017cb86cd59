"""A way into and out of a room: participants, their audio and text, and the place where the agent is heard."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, Literal, Protocol, TypeAlias

from sessionactors.model.errors import SessionStateError

from .audio_io import AudioSink, AudioSource
from .background_audio import BackgroundSink
from .home import Home
from .room_wants import RoomWants, refuse
from .rpc import RpcHandler
from .video_io import VideoSink, VideoSource

ParticipantKind: TypeAlias = Literal["standard", "sip", "connector", "ingress", "egress", "agent", "bridge"]
"""What a participant is: somebody with an app (``"standard"``), a telephone call (``"sip"``), or another service."""

PEOPLE: Final[frozenset[ParticipantKind]] = frozenset({"connector", "sip", "standard"})
"""Kinds of participants that an agent talks to."""

NO_ATTRIBUTES: Final[Mapping[str, str]] = MappingProxyType({})

DTMF_CODES: Final[Mapping[str, int]] = MappingProxyType({digit: code for code, digit in enumerate("0123456789*#ABCD")})
"""The keys of a telephone, and the codes of their tones."""


@dataclass(frozen=True, slots=True)
class TranscriptSegment:
    """A piece of transcript for people to read."""

    participant: str
    """Who speaks: a participant's identity, or ``"agent"``."""
    segment: str
    """Pieces with the same id belong together."""
    text: str
    """Agent: the text to append. Users: the whole text of the segment so far."""
    final: bool
    start_time: float | None = None
    """Agent: seconds of the segment's audio at which the text begins to be spoken, where the voice tells."""
    end_time: float | None = None
    """Agent: seconds at which it has been spoken."""
    expression: str = ""
    """Agent: how the segment is said, where a marker for an expression or emotion stands in its text so far."""


class TransportEvents(Protocol):
    """What a transport tells the session. Thread-safe; no call blocks."""

    def participant_joined(
        self,
        identity: str,
        audio: AudioSource | None,
        *,
        kind: ParticipantKind = "standard",
        attributes: Mapping[str, str] = NO_ATTRIBUTES,
    ) -> None:
        """A participant is there, with audio unless it has none.

        Args:
            identity: who, unique in the room.
            audio: what they say.
            kind: what they are.
            attributes: as the room has them, such as ``sip.ruleID`` of a call that came in.
        """

    def participant_left(self, identity: str, reason: str) -> None:
        """A participant is gone."""

    def video_published(self, identity: str, video: VideoSource | None) -> None:
        """A participant shows something, or (None) nothing any more. It may be started anew after it was stopped."""

    def text_received(self, identity: str, text: str) -> None:
        """A participant typed something."""

    def key_pressed(self, identity: str, digit: str) -> None:
        """A participant pressed a key of their telephone.

        Args:
            identity: who.
            digit: one of :data:`DTMF_CODES`; anything else is not passed on, and logged.
        """

    def participant_changed(
        self, identity: str, *, attributes: Mapping[str, str] = NO_ATTRIBUTES, metadata: str | None = None
    ) -> None:
        """What a participant lets the others know has changed.

        Args:
            identity: who.
            attributes: those that changed; empty values are gone.
            metadata: all of it; None: it has not changed.
        """

    def closed(self, reason: str) -> None:
        """The link to the room is gone for good."""


class Transport(ABC):
    """One room's link. Made for one session; not reusable."""

    home: ClassVar[Home] = Home.ACTOR
    label: str = "transport"
    honours: ClassVar[frozenset[str]] = frozenset()
    """What it does of :meth:`.RoomWants.not_hints`."""

    def configure(self, wants: RoomWants) -> None:
        """Be told what the session wants: once, before :meth:`connect`, on the loop from which the session is started.

        Override to keep it, calling this one first. Returns at once.

        Raises:
            OptionError: something is wanted that changes what happens, and is not among :attr:`honours`.
        """
        refuse(self.label, wants, self.honours)

    @abstractmethod
    async def connect(self, events: TransportEvents) -> None:
        """Join the room; report participants (also those already there) through ``events``.

        Raises:
            APIConnectionError: the room cannot be reached.
        """

    @property
    @abstractmethod
    def audio_sink(self) -> AudioSink | None:
        """Where the agent's voice goes; None for a transport without audio. Valid after :meth:`connect`."""

    async def open_background(self, options: object | None = None) -> BackgroundSink | None:
        """A place in the room for sound beside the agent's voice; None: there is none. After :meth:`connect`, once.

        Args:
            options: how it is published, as the transport's own SDK has it; others take no notice.

        Raises:
            APIConnectionError: it could not be published.
            SessionStateError: the transport is not connected.
        """
        return None

    async def open_video(self, width: int, height: int, options: object | None = None) -> VideoSink | None:
        """A place in the room where the agent is seen; None: there is none. After :meth:`connect`, once.

        Args:
            width: pixels of the frames to come, > 0.
            height: pixels, > 0.
            options: how it is published, as the transport's own SDK has it; others take no notice.

        Raises:
            APIConnectionError: it could not be published.
            SessionStateError: the transport is not connected.
        """
        return None

    @property
    def can_send_dtmf(self) -> bool:
        """Whether keys of a telephone can be pressed: somebody in the room is on the phone."""
        return False

    async def publish_dtmf(self, *, code: int, digit: str) -> None:
        """Press a key of a telephone. Called only if :attr:`can_send_dtmf`.

        Args:
            code: 0 to 9, 10 for ``*``, 11 for ``#``, 12 to 15 for ``A`` to ``D``.
            digit: the same as a character.

        Raises:
            APIConnectionError: it could not be sent.
        """
        raise SessionStateError(f"{self.label} is no telephone: key {digit!r} ({code}) was not pressed")

    @abstractmethod
    def publish_transcript(self, segment: TranscriptSegment) -> None:
        """Show a transcript. Returns at once."""

    def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """Let the participants read facts about the agent, such as its state. Returns at once.

        Of each name the newest value counts: it is there in the end, whatever came between and however often the link
        was made anew. Does nothing in a room without attributes.
        """

    @property
    def may_have_telephones(self) -> bool:
        """Whether somebody on the phone may come, if nobody is there yet."""
        return self.can_send_dtmf

    @property
    def has_rpc(self) -> bool:
        """Whether participants can call methods of each other."""
        return False

    def register_rpc_method(self, method: str, handler: RpcHandler) -> None:
        """Let participants call a method, until it is unregistered or the transport is closed. On the user's loop.

        A method of the same name gives way. ``handler`` is called on the user's loop.

        Raises:
            SessionStateError: the room has no calls.
        """
        raise SessionStateError(f"participants of a {self.label} room cannot call {method!r}: it has no RPC")

    def unregister_rpc_method(self, method: str) -> None:
        """Take a method back. Does nothing for one that is not there."""

    async def perform_rpc(
        self, *, destination_identity: str, method: str, payload: str, response_timeout: float | None = None
    ) -> str:
        """Call a method of a participant, on :attr:`home`.

        Args:
            destination_identity: whose.
            method: which.
            payload: what it is given.
            response_timeout: seconds for the answer; None: as the room does.

        Raises:
            RpcError: it failed, or there is nobody, or no such method.
            SessionStateError: the room has no calls.
        """
        raise SessionStateError(
            f"{method!r} of {destination_identity!r} cannot be called: a {self.label} room has no RPC"
        )

    async def wait_subscribed(self) -> None:
        """Wait until somebody can hear the agent; at once, where that is always so. On :attr:`home`."""

    @property
    def sdk_room(self) -> object | None:
        """The room as the SDK beneath has it, such as an ``rtc.Room``; None: there is no such object."""
        return None

    @abstractmethod
    async def aclose(self) -> None:
        """Leave the room. Safe to call twice."""
