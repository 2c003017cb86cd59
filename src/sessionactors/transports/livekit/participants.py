"""Who is in the room, and which of their tracks is listened to. On the room's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import structlog
from livekit import rtc
from livekit.rtc._proto.track_pb2 import AudioTrackFeature
from livekit.rtc.room import EventTypes

from sessionactors.interfaces.room_wants import AudioInWants
from sessionactors.interfaces.transport import ParticipantKind, TransportEvents
from sessionactors.model.audio import AudioFrame

from .audio_in import ParticipantVoice, PluggedTrack
from .disconnects import CONNECTION_LOST, LINK_AGAIN, reason_name
from .noise import chosen
from .part import RoomPart
from .pre_connect import PreConnectAudio
from .track_audio import AudioShape

log = structlog.get_logger("sessionactors.livekit")

PUBLISH_ON_BEHALF: Final = "lk.publish_on_behalf"
"""Attribute of a participant that publishes for another, such as the avatar of an agent."""

COMES_BACK_WITHIN: Final = 15.0
"""Seconds that a participant has to come back after the agent's own link was broken; then they are gone."""

KINDS: Final[dict[int, ParticipantKind]] = {
    rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD: "standard",
    rtc.ParticipantKind.PARTICIPANT_KIND_INGRESS: "ingress",
    rtc.ParticipantKind.PARTICIPANT_KIND_EGRESS: "egress",
    rtc.ParticipantKind.PARTICIPANT_KIND_SIP: "sip",
    rtc.ParticipantKind.PARTICIPANT_KIND_AGENT: "agent",
    rtc.ParticipantKind.PARTICIPANT_KIND_CONNECTOR: "connector",
    rtc.ParticipantKind.PARTICIPANT_KIND_BRIDGE: "bridge",
}


class Participants(RoomPart):
    """Tells the session who is there, with a voice for each.

    Args:
        events: the session.
        wants: how their audio is wanted; None: it is not.
        recordings: what they recorded before the agent was there; None: that is not wanted.
    """

    def __init__(
        self, events: TransportEvents, wants: AudioInWants | None, recordings: PreConnectAudio | None = None
    ) -> None:
        self._events = events
        self._wants = wants
        self._recordings = recordings
        self._room: rtc.Room | None = None
        self._voices: dict[str, ParticipantVoice | None] = {}
        """Who was told of; None: without audio."""
        self._telephones: set[str] = set()
        self._awaited: dict[str, asyncio.Task[None]] = {}
        """Recordings that are awaited, by the sid of their track."""
        self._reconnecting = False
        self._absent: dict[str, asyncio.TimerHandle | None] = {}
        """Who went with the link, and until when they are expected back; None: the link is not there itself."""
        self._handlers: dict[EventTypes, Callable[..., None]] = {
            "participant_connected": self._came,
            "participant_disconnected": self._left,
            "reconnecting": self._link_broke,
            "reconnected": self._link_stands,
            "track_subscribed": self._subscribed,
            "track_unsubscribed": self._unsubscribed,
            "track_unpublished": self._unpublished,
        }

    @property
    def on_the_phone(self) -> bool:
        """Whether somebody in the room is on the phone."""
        return bool(self._telephones)

    def attach(self, room: rtc.Room) -> None:
        self._room = room
        for event, handler in self._handlers.items():
            room.on(event, handler)

    async def joined(self, room: rtc.Room) -> None:
        for identity in self._voices:
            if identity not in room.remote_participants:
                self._absent.setdefault(identity, None)
        self._link_stands()
        for participant in list(room.remote_participants.values()):
            self._came(participant)

    def detach(self, room: rtc.Room) -> None:
        self._room = None
        for event, handler in self._handlers.items():
            room.off(event, handler)
        for identity, voice in self._voices.items():
            if voice is not None and voice.plugged is not None:
                self._unplug(identity, voice.plugged.sid)

    async def aclose(self) -> None:
        for expected in self._absent.values():
            if expected is not None:
                expected.cancel()
        waiting = list(self._awaited.values())
        for awaited in waiting:
            awaited.cancel()
        if waiting:
            await asyncio.wait(waiting)
        for voice in self._voices.values():
            if voice is not None:
                voice.leave()

    # -- what the room tells -----------------------------------------------------------------------------------------

    def _came(self, participant: rtc.RemoteParticipant) -> None:
        if self._room is None or self._speaks_for_us(participant):
            return
        identity = participant.identity
        expected = self._absent.pop(identity, None)
        if expected is not None:
            expected.cancel()
        if identity not in self._voices:
            kind = KINDS.get(participant.kind, "standard")
            voice = self._voice(identity)
            self._voices[identity] = voice
            if kind == "sip":
                self._telephones.add(identity)
            attributes = MappingProxyType(dict(participant.attributes))
            self._events.participant_joined(identity, voice, kind=kind, attributes=attributes)
        self._listen_to_one(participant)

    def _voice(self, identity: str) -> ParticipantVoice | None:
        wants = self._wants
        if wants is None:
            return None
        shape = AudioShape(wants.sample_rate, wants.num_channels, wants.frame_size_ms)
        return ParticipantVoice(identity, shape, gain_control=wants.auto_gain_control)

    def _left(self, participant: rtc.RemoteParticipant) -> None:
        identity, reason = participant.identity, reason_name(participant.disconnect_reason)
        if not self._reconnecting or reason not in LINK_AGAIN:
            self._gone(identity, reason)
        elif identity in self._voices:
            voice = self._voices[identity]
            if voice is not None and voice.plugged is not None:
                self._unplug(identity, voice.plugged.sid)
            self._absent[identity] = None

    def _link_broke(self) -> None:
        """The SDK links anew: for it everybody leaves then, and comes again."""
        self._reconnecting = True

    def _link_stands(self) -> None:
        """Who went with the link mends their own; it may take them longer."""
        self._reconnecting = False
        loop = asyncio.get_running_loop()
        for identity in self._absent:
            self._absent[identity] = loop.call_later(COMES_BACK_WITHIN, self._stays_away, identity)

    def _stays_away(self, identity: str) -> None:
        if self._absent.pop(identity, None) is not None:
            self._gone(identity, CONNECTION_LOST)

    def _gone(self, identity: str, reason: str) -> None:
        if identity not in self._voices:
            return
        self._absent.pop(identity, None)
        voice = self._voices.pop(identity)
        self._telephones.discard(identity)
        if voice is not None:
            voice.leave()
        self._events.participant_left(identity, reason)

    def _subscribed(
        self, track: rtc.RemoteTrack, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        if participant.identity not in self._voices:
            self._came(participant)
        voice = self._voices.get(participant.identity)
        wants = self._wants
        if voice is None or wants is None or not _is_voice(publication):
            return
        plugged = voice.plugged
        if plugged is not None and plugged.sid == publication.sid and plugged.track is track:
            return
        noise = chosen(wants.noise_cancellation, participant, track, publication)
        recorded = self._recordings is not None and AudioTrackFeature.TF_PRECONNECT_BUFFER in publication.audio_features
        voice.plug(PluggedTrack(publication.sid, track, noise, recorded))
        if recorded:
            self._await_recording(voice, publication.sid)

    def _unsubscribed(
        self, _track: rtc.RemoteTrack, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        self._ended(publication, participant)

    def _unpublished(self, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant) -> None:
        self._ended(publication, participant)

    def _ended(self, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant) -> None:
        voice = self._voices.get(participant.identity)
        if voice is None or voice.plugged is None or voice.plugged.sid != publication.sid:
            return
        self._unplug(participant.identity, publication.sid)
        self._listen_to_one(participant, but=publication.sid)

    # -- tracks ------------------------------------------------------------------------------------------------------

    def _listen_to_one(self, participant: rtc.RemoteParticipant, *, but: str = "") -> None:
        """To the first track that is there."""
        for publication in list(participant.track_publications.values()):
            track = publication.track
            if track is not None and publication.sid != but and _is_voice(publication):
                self._subscribed(track, publication, participant)
                return

    def _unplug(self, identity: str, sid: str) -> None:
        voice = self._voices.get(identity)
        if voice is not None:
            voice.unplug(sid)
        awaited = self._awaited.pop(sid, None)
        if awaited is not None:
            awaited.cancel()

    def _await_recording(self, voice: ParticipantVoice, sid: str) -> None:
        recordings = self._recordings
        if recordings is None:
            return

        async def hand_over() -> None:
            frames: tuple[AudioFrame, ...] = ()
            try:
                frames = await recordings.of_track(sid)
            finally:
                if self._awaited.get(sid) is asyncio.current_task():
                    del self._awaited[sid]
                voice.recorded(sid, frames)

        self._awaited[sid] = asyncio.get_running_loop().create_task(hand_over(), name=f"livekit-recording-{sid}")

    def _speaks_for_us(self, participant: rtc.RemoteParticipant) -> bool:
        room = self._room
        return room is not None and participant.attributes.get(PUBLISH_ON_BEHALF, "") == room.local_participant.identity


def _is_voice(publication: rtc.RemoteTrackPublication) -> bool:
    return publication.source == rtc.TrackSource.SOURCE_MICROPHONE and publication.kind == rtc.TrackKind.KIND_AUDIO
