"""``room``: the link to the outside. Owns the transport; brings participants, their audio and what they type.

The transport speaks through :class:`_Events`, from any thread; that only tells messages. Who speaks and what is heard
is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias, assert_never

from sessionactors.interfaces.audio_io import AudioSource
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.transport import DTMF_CODES, NO_ATTRIBUTES, ParticipantKind, Transport, TransportEvents
from sessionactors.interfaces.video_io import VideoSource
from sessionactors.messages.output import AttachSink
from sessionactors.messages.room import (
    KeyPressed,
    LeaveRoom,
    LinkAgain,
    LinkParticipant,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantVideo,
    PublishTranscript,
    RoomClosed,
    RoomConnected,
    RoomConnectFailed,
    RoomLeft,
    ShowAgentState,
    TextReceived,
    TransportLeft,
    UserTranscribed,
)
from sessionactors.messages.session import Publish
from sessionactors.messages.turn import UserTurnEnded, UserUnderstood
from sessionactors.model.errors import APIConnectionError
from sessionactors.model.link_notes import (
    ParticipantAttributesChangedEvent,
    ParticipantMetadataChangedEvent,
    SipDTMFReceivedEvent,
    TextInputNote,
)
from sessionactors.runtime import Actor, EffectPort, Outbox, Ref
from sessionactors.runtime.frozen import replace

from .told_from_outside import tell_if_taken
from .users_words import UsersWords
from .wiring import Wiring

RoomMessage: TypeAlias = (
    RoomConnected
    | LinkAgain
    | RoomConnectFailed
    | RoomClosed
    | ParticipantJoined
    | ParticipantLeft
    | ParticipantVideo
    | LinkParticipant
    | TextReceived
    | KeyPressed
    | ParticipantChanged
    | PublishTranscript
    | UserTranscribed
    | ShowAgentState
    | LeaveRoom
    | TransportLeft
)

AGENT_STATE = "lk.agent.state"
"""Attribute by which participants know what the agent does; the name is LiveKit's."""
CONNECT_WITHIN = 15.0
"""Seconds for a transport to link."""
LEAVE_WITHIN = 5.0
"""Seconds for a transport to close."""


@dataclass(frozen=True, slots=True)
class RoomState:
    """The link."""

    connected: bool = False
    attempted: bool = False
    """Whether it could be linked is known."""
    participants: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    """Participants of kinds that are not there for the session."""
    only: str | None = None
    """The only participant whose text is read; None: all may type."""
    leaving: bool = False
    transcripts: int = 0
    words: UsersWords = field(default_factory=UsersWords)


class Room(Actor[RoomState, RoomMessage]):
    """Runs one transport."""

    def __init__(self, wiring: Wiring, transport: Transport) -> None:
        self._wiring = wiring
        self._transport = transport

    def initial(self) -> RoomState:
        """Not linked."""
        return RoomState(only=self._wiring.components.participant_identity)

    def started(self, state: RoomState, out: Outbox[RoomMessage]) -> RoomState:
        """Link."""
        transport = self._transport
        events = _Events(out.myself)

        async def connect(port: EffectPort[RoomMessage]) -> None:
            await transport.connect(events)
            await port.send(RoomConnected(transport.audio_sink))  # said at once: a restart cannot lose it any more

        out.effect(
            "connect",
            connect,
            failed=RoomConnectFailed,
            deadline=CONNECT_WITHIN,
            user_loop=transport.home is Home.USER,
        )
        return state

    def restarted(self, state: RoomState, error: BaseException, out: Outbox[RoomMessage]) -> RoomState:
        """The link itself is the transport's and still stands; only an unfinished one is begun again.

        Behind what waits in the mailbox: that may say that it was finished, and a transport is linked once.
        """
        if not state.attempted:
            out.tell(out.myself, LinkAgain())
        return state

    def receive(self, state: RoomState, message: RoomMessage, out: Outbox[RoomMessage]) -> RoomState:
        """One message."""
        wiring = self._wiring
        match message:
            case RoomConnected(sink):
                if wiring.components.room_audio_output:
                    out.tell(wiring.output, AttachSink(sink if wiring.components.audio_output else None))
                out.tell(wiring.supervisor, message)
                return replace(state, connected=True, attempted=True)
            case LinkAgain():
                return state if state.attempted or state.leaving else self.started(state, out)
            case RoomConnectFailed(error):
                failure = APIConnectionError(f"{self._transport.label} could not be linked: {error!r}")
                failure.__cause__ = error
                out.tell(wiring.supervisor, RoomConnectFailed(failure))
                return replace(state, attempted=True)
            case RoomClosed():
                out.tell(wiring.supervisor, message)
                return replace(state, connected=False)
            case ParticipantJoined(identity, kind=kind):
                if kind not in wiring.components.participant_kinds:
                    return replace(state, others=state.others | {identity})
                out.tell(wiring.supervisor, message)
                return replace(state, participants=state.participants | {identity})
            case ParticipantLeft(identity):
                if identity not in state.others:
                    out.tell(wiring.supervisor, message)
                gone = {identity}
                return replace(state, participants=state.participants - gone, others=state.others - gone)
            case ParticipantVideo(identity):
                if identity not in state.others and wiring.components.room_video_input:
                    out.tell(wiring.supervisor, message)
                return state
            case LinkParticipant(identity):
                return replace(state, only=identity)
            case TextReceived(identity, text):
                if state.only in (None, identity) and identity not in state.others:
                    self._on_text(identity, text, out)
                return state
            case KeyPressed(identity, digit):
                if state.only in (None, identity) and identity not in state.others:
                    self._on_key(identity, digit, out)
                return state
            case ParticipantChanged(identity):
                if identity not in state.others:
                    self._on_changed(message, out)
                return state
            case PublishTranscript(segment):
                out.port(self._transport.publish_transcript, segment)
                return replace(state, transcripts=state.transcripts + 1)
            case UserTranscribed(participant):
                name = state.words.name_of(participant) or out.new_id("transcript-segment")
                words, segment = state.words.taken(message, name)
                out.port(self._transport.publish_transcript, segment)
                return replace(state, words=words, transcripts=state.transcripts + 1)
            case ShowAgentState(agent_state):
                out.port(self._transport.set_attributes, {AGENT_STATE: agent_state})
                return state
            case LeaveRoom():
                return self._on_leave(state, out)
            case TransportLeft(error):
                if error is not None:
                    out.log("transport_left_badly", level="warning", transport=self._transport.label, error=repr(error))
                out.tell(wiring.supervisor, RoomLeft())
                return replace(state, connected=False)
            case _:
                assert_never(message)

    def _on_text(self, identity: str, text: str, out: Outbox[RoomMessage]) -> None:
        components = self._wiring.components
        if not text.strip() or not components.text_input:
            return
        if components.text_callback:
            out.tell(self._wiring.supervisor, Publish(TextInputNote(identity, text)))
            return
        turn = out.new_id("turn")
        out.turn = turn
        out.tell(self._wiring.agent, UserTurnEnded(turn, text, identity, typed=True))

    def _on_key(self, identity: str, digit: str, out: Outbox[RoomMessage]) -> None:
        code = DTMF_CODES.get(digit)
        if code is None:
            keys = " ".join(DTMF_CODES)
            out.log("no_such_key", level="warning", participant=identity, digit=repr(digit)[:20], keys=keys)
            return
        out.tell(self._wiring.supervisor, Publish(SipDTMFReceivedEvent(code, digit, identity, out.wall())))
        # Who presses keys is not away, whatever the ears know of a voice.
        out.tell(self._wiring.supervisor, UserUnderstood(identity, out.now, voice_known=False))

    def _on_changed(self, change: ParticipantChanged, out: Outbox[RoomMessage]) -> None:
        who, at = change.identity, out.wall()
        if change.attributes:
            out.tell(self._wiring.supervisor, change)
            out.tell(self._wiring.supervisor, Publish(ParticipantAttributesChangedEvent(who, change.attributes, at)))
        if change.metadata is not None:
            out.tell(self._wiring.supervisor, Publish(ParticipantMetadataChangedEvent(who, change.metadata, at)))

    def _on_leave(self, state: RoomState, out: Outbox[RoomMessage]) -> RoomState:
        if state.leaving:
            return state
        transport = self._transport

        async def leave(_port: EffectPort[RoomMessage]) -> None:
            await transport.aclose()

        out.effect(
            "leave",
            leave,
            done=lambda _: TransportLeft(),
            failed=TransportLeft,
            deadline=LEAVE_WITHIN,
            user_loop=transport.home is Home.USER,
        )
        return replace(state, leaving=True)

    def summary(self, state: RoomState) -> Mapping[str, object]:
        """Link and people."""
        return {
            "transport": self._transport.label,
            "connected": state.connected,
            "participants": sorted(state.participants),
        }


class _Events(TransportEvents):
    """What the transport calls, from any thread."""

    def __init__(self, room: Ref[RoomMessage]) -> None:
        self._room = room

    def _tell(self, message: RoomMessage) -> None:
        if self._room.is_alive():  # what crosses with its end is no dead letter
            tell_if_taken(self._room, message)

    def participant_joined(
        self,
        identity: str,
        audio: AudioSource | None,
        *,
        kind: ParticipantKind = "standard",
        attributes: Mapping[str, str] = NO_ATTRIBUTES,
    ) -> None:
        """Somebody is there."""
        self._tell(ParticipantJoined(identity, audio, kind, attributes))

    def participant_left(self, identity: str, reason: str) -> None:
        """Somebody is gone."""
        self._tell(ParticipantLeft(identity, reason))

    def video_published(self, identity: str, video: VideoSource | None) -> None:
        """Somebody shows something."""
        self._tell(ParticipantVideo(identity, video))

    def text_received(self, identity: str, text: str) -> None:
        """Somebody typed."""
        self._tell(TextReceived(identity, text))

    def key_pressed(self, identity: str, digit: str) -> None:
        """Somebody pressed a key."""
        self._tell(KeyPressed(identity, digit))

    def participant_changed(
        self, identity: str, *, attributes: Mapping[str, str] = NO_ATTRIBUTES, metadata: str | None = None
    ) -> None:
        """Somebody lets know something else."""
        self._tell(ParticipantChanged(identity, MappingProxyType(dict(attributes)), metadata))

    def closed(self, reason: str) -> None:
        """The link is gone."""
        self._tell(RoomClosed(reason))
