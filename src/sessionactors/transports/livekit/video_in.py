"""What participants show: a source for each, of the camera or screen that came last. On the room's loop.

Frames are read on the actor loop, and only while the session looks. The newest wins: of what comes while the loop is
late, one frame is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from livekit import rtc
from livekit.rtc.room import EventTypes

from sessionactors.interfaces.transport import TransportEvents
from sessionactors.interfaces.video_io import VideoCallback, VideoSource
from sessionactors.model.video import VideoFrame

from .part import RoomPart
from .participants import PUBLISH_ON_BEHALF

log = structlog.get_logger("sessionactors.livekit")

SHOWN: Final = frozenset({rtc.TrackSource.SOURCE_CAMERA, rtc.TrackSource.SOURCE_SCREENSHARE})
"""Sources of tracks that are looked at."""


def open_stream(track: rtc.RemoteTrack) -> rtc.VideoStream:
    """The frames of a track, for the running loop: as RGBA, which can be put into a message."""
    return rtc.VideoStream(track, capacity=1, format=rtc.VideoBufferType.RGBA)


class TrackVideo(VideoSource):
    """A track's frames. Started and stopped on the actor loop; it may be started again.

    Args:
        track: of video.
    """

    label = "livekit-video"

    def __init__(self, track: rtc.RemoteTrack) -> None:
        self._track = track
        self._reading: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def start(self, on_frame: VideoCallback, on_end: Callable[[], None]) -> None:
        self.stop()
        reading = asyncio.get_running_loop().create_task(self._read(on_frame, on_end), name="livekit-track-video")
        self._reading = reading
        self._closing.add(reading)  # a loop holds its tasks weakly, and one that was stopped gives its stream back
        reading.add_done_callback(self._closing.discard)

    def stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    async def _read(self, on_frame: VideoCallback, on_end: Callable[[], None]) -> None:
        try:
            stream = open_stream(self._track)
        except Exception as error:  # noqa: BLE001  the track went while we were about to look: the room tells of its end
            log.info("livekit_video_gone", room="", actor="", message_id=0, error=repr(error))
            return
        try:
            async for event in stream:
                frame = event.frame
                shown = VideoFrame(bytes(frame.data), frame.width, frame.height, "rgba", event.timestamp_us / 1e6)
                on_frame(shown)
        finally:
            await stream.aclose()
        on_end()


class VideoTracks(RoomPart):
    """Tells the session what participants show.

    Args:
        events: the session.
    """

    def __init__(self, events: TransportEvents) -> None:
        self._events = events
        self._room: rtc.Room | None = None
        self._shown: dict[str, dict[str, TrackVideo]] = {}
        """By participant and track, the oldest first."""
        self._handlers: dict[EventTypes, Callable[..., None]] = {
            "participant_disconnected": self._left,
            "track_subscribed": self._subscribed,
            "track_unsubscribed": self._unsubscribed,
            "track_unpublished": self._unpublished,
        }

    def attach(self, room: rtc.Room) -> None:
        self._room = room
        for event, handler in self._handlers.items():
            room.on(event, handler)

    async def joined(self, room: rtc.Room) -> None:
        for participant in list(room.remote_participants.values()):
            for publication in list(participant.track_publications.values()):
                if publication.track is not None:
                    self._subscribed(publication.track, publication, participant)

    def detach(self, room: rtc.Room) -> None:
        self._room = None
        for event, handler in self._handlers.items():
            room.off(event, handler)
        for identity in list(self._shown):
            del self._shown[identity]
            self._events.video_published(identity, None)

    def _subscribed(
        self, track: rtc.RemoteTrack, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        is_shown = publication.kind == rtc.TrackKind.KIND_VIDEO and publication.source in SHOWN
        if not is_shown or self._is_ours(participant):
            return
        shown = self._shown.setdefault(participant.identity, {})
        if publication.sid in shown:
            return
        shown[publication.sid] = video = TrackVideo(track)
        self._events.video_published(participant.identity, video)

    def _unsubscribed(
        self, _track: rtc.RemoteTrack, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        self._ended(publication, participant)

    def _unpublished(self, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant) -> None:
        self._ended(publication, participant)

    def _ended(self, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant) -> None:
        shown = self._shown.get(participant.identity, {})
        if publication.sid not in shown:
            return
        newest = next(reversed(shown))
        del shown[publication.sid]
        if newest == publication.sid:
            self._events.video_published(participant.identity, next(reversed(shown.values()), None))

    def _left(self, participant: rtc.RemoteParticipant) -> None:
        """The session knows that they show nothing any more: it is told that they left."""
        self._shown.pop(participant.identity, None)

    def _is_ours(self, participant: rtc.RemoteParticipant) -> bool:
        """An avatar that shows what the agent looks like."""
        room = self._room
        behalf = participant.attributes.get(PUBLISH_ON_BEHALF, "")
        return room is not None and behalf == room.local_participant.identity
