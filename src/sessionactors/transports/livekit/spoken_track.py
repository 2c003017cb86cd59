"""Which track in the room carries somebody's voice."""

from __future__ import annotations

from collections.abc import Iterable

from livekit import rtc

from .participants import PUBLISH_ON_BEHALF


def microphone_of(room: rtc.Room, identity: str) -> str | None:
    """The id of the track on which a participant, or who publishes for them, is heard; None: there is none."""
    local = room.local_participant
    if identity == local.identity:
        own = _microphone(local.track_publications.values())
        if own is not None:
            return own
    for participant in room.remote_participants.values():
        if identity in (participant.identity, participant.attributes.get(PUBLISH_ON_BEHALF)):
            track = _microphone(participant.track_publications.values())
            if track is not None:
                return track
    return None


def _microphone(publications: Iterable[rtc.TrackPublication]) -> str | None:
    for publication in publications:
        if publication.source == rtc.TrackSource.SOURCE_MICROPHONE:
            return publication.sid
    return None
