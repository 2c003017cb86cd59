"""The link to the room: between the transport, ``room`` and ``supervisor``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from sessionactors.interfaces.audio_io import AudioSink, AudioSource
from sessionactors.interfaces.transport import ParticipantKind, TranscriptSegment
from sessionactors.interfaces.video_io import VideoSource
from sessionactors.model.events import AgentState
from sessionactors.runtime import Lane, Overflow, message


@message()
class RoomConnected:
    """The transport is linked."""

    sink: AudioSink | None


@message()
class LinkAgain:
    """``room``, to itself after a restart: link, unless the outcome of the attempt before came first."""


@message()
class RoomConnectFailed:
    """The transport could not be linked."""

    error: BaseException


@message()
class RoomClosed:
    """The link is gone for good."""

    reason: str


@message()
class ParticipantJoined:
    """Somebody is there."""

    identity: str
    source: AudioSource | None
    kind: ParticipantKind = "standard"
    attributes: Mapping[str, str] = field(default_factory=dict)


@message()
class ParticipantLeft:
    """Somebody is gone."""

    identity: str
    reason: str


@message()
class ParticipantVideo:
    """A participant shows something, or (None) nothing any more."""

    identity: str
    source: VideoSource | None


@message()
class LinkParticipant:
    """Listen to this participant only (None: to all). Session to ``supervisor`` and ``room``."""

    identity: str | None


@message()
class TextReceived:
    """A participant typed something."""

    identity: str
    text: str


@message()
class KeyPressed:
    """A participant pressed a key of their telephone."""

    identity: str
    digit: str


@message()
class ParticipantChanged:
    """What a participant lets the others know has changed."""

    identity: str
    attributes: Mapping[str, str]
    metadata: str | None


@message(overflow=Overflow.DROP_OLDEST, limit=256)
class PublishTranscript:
    """Show a transcript in the room."""

    segment: TranscriptSegment


@message()
class UserTranscribed:
    """What a participant says, as far as it is understood: the whole of it. ``stt`` and ``realtime`` to ``room``."""

    participant: str
    text: str
    final: bool


@message(overflow=Overflow.CONFLATE)
class ShowAgentState:
    """Let the participants read what the agent does; only the newest counts. ``supervisor`` to ``room``."""

    state: AgentState


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class LeaveRoom:
    """Close the link. ``supervisor`` to ``room``."""


@message()
class RoomLeft:
    """The link is closed. ``room`` to ``supervisor``."""


@message()
class TransportLeft:
    """``room``, to itself: the transport has been closed, well or not."""

    error: BaseException | None = None
