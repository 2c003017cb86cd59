"""Transcripts for clients that know no text streams: a packet each time, with all of a stretch so far."""

from __future__ import annotations

from typing import Final

from livekit import rtc

from .participants import PUBLISH_ON_BEHALF

STREAMS_SINCE: Final = 3
"""Version of a client's protocol from which it makes transcripts of text streams by itself."""


async def publish_to_old_clients(
    room: rtc.Room, identity: str, track: str | None, segment: str, text: str, *, final: bool
) -> None:
    """Publish a stretch as a packet, if somebody in the room may need that and it has a track."""
    if track is None or not needed(room):
        return
    piece = rtc.TranscriptionSegment(id=segment, text=text, start_time=0, end_time=0, final=final, language="")
    await room.local_participant.publish_transcription(
        rtc.Transcription(participant_identity=identity, track_sid=track, segments=[piece])
    )


def needed(room: rtc.Room) -> bool:
    """Whether an app that may be too old is in the room; telephones, agents and other services read nothing."""
    agent = room.local_participant.identity
    return any(
        participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
        and participant.attributes.get(PUBLISH_ON_BEHALF) != agent
        and _protocol_of(participant) < STREAMS_SINCE
        for participant in room.remote_participants.values()
    )


def _protocol_of(participant: rtc.RemoteParticipant) -> int:
    """The SDK does not say it in public; from one that does not say it at all, every client counts as old."""
    info = getattr(participant, "_info", None)
    return int(getattr(info, "client_protocol", 0))
