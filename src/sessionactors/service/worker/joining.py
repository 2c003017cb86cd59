"""Joining a LiveKit room as its agent."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit import rtc


@unique
class AutoSubscribe(StrEnum):
    """Which tracks of a room are subscribed to without being asked for."""

    SUBSCRIBE_ALL = "subscribe_all"
    SUBSCRIBE_NONE = "subscribe_none"
    AUDIO_ONLY = "audio_only"
    VIDEO_ONLY = "video_only"


async def join(
    room: rtc.Room,
    url: str,
    token: str,
    auto_subscribe: AutoSubscribe,
    *,
    encryption: rtc.E2EEOptions | None,
    rtc_config: rtc.RtcConfiguration | None,
    single_peer_connection: bool | None,
) -> None:
    """Connect the room, and subscribe to what is wanted of it."""
    from livekit import rtc

    options = rtc.RoomOptions(
        encryption=encryption,
        auto_subscribe=auto_subscribe == AutoSubscribe.SUBSCRIBE_ALL,
        rtc_config=rtc_config,
        single_peer_connection=single_peer_connection,
    )
    kinds = {AutoSubscribe.AUDIO_ONLY: rtc.TrackKind.KIND_AUDIO, AutoSubscribe.VIDEO_ONLY: rtc.TrackKind.KIND_VIDEO}
    wanted = kinds.get(auto_subscribe)

    def published(publication: rtc.RemoteTrackPublication, _: rtc.RemoteParticipant) -> None:
        if publication.kind == wanted:
            publication.set_subscribed(True)

    if wanted is not None:
        room.on("track_published", published)  # before the first may be told
    await room.connect(url, token, options=options)
    if wanted is not None:
        for participant in room.remote_participants.values():
            for publication in participant.track_publications.values():
                published(publication, participant)
