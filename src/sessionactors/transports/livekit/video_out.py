"""What the agent shows in a LiveKit room: a track of video that an avatar, or the user's own code, draws."""

from __future__ import annotations

import contextlib
from typing import Final

from livekit import rtc

from sessionactors.interfaces.video_io import VideoSink
from sessionactors.model.errors import APIConnectionError, OptionError, VideoFormatError
from sessionactors.model.video import VideoFrame

from .part import RoomPart

TRACK_NAME: Final = "agent_video"
LAYOUTS: Final = {
    "rgb24": rtc.VideoBufferType.RGB24,
    "rgba": rtc.VideoBufferType.RGBA,
    "i420": rtc.VideoBufferType.I420,
}
"""Of raw pictures, as both sides name them."""


def open_source(width: int, height: int) -> rtc.VideoSource:
    """A native source of video."""
    return rtc.VideoSource(width, height)


def track_of(source: rtc.VideoSource) -> rtc.LocalVideoTrack:
    """The track that shows it."""
    return rtc.LocalVideoTrack.create_video_track(TRACK_NAME, source)


class VideoTrack(RoomPart, VideoSink):
    """Publishes the track in each room that the link makes.

    Args:
        width: pixels, > 0.
        height: pixels, > 0.
        options: ``rtc.TrackPublishOptions``, or None for those of a camera.

    Raises:
        OptionError: they are something else.
    """

    label = "livekit-video-track"

    def __init__(self, width: int, height: int, options: object | None) -> None:
        given = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA) if options is None else options
        if not isinstance(given, rtc.TrackPublishOptions):
            raise OptionError(f"options={options!r}: give rtc.TrackPublishOptions(...)")
        self._options = given
        self._source = open_source(width, height)
        self._room: rtc.Room | None = None
        self._publication: rtc.LocalTrackPublication | None = None
        self._closed = False

    async def joined(self, room: rtc.Room) -> None:
        if self._closed:
            return
        try:
            self._publication = await room.local_participant.publish_track(track_of(self._source), self._options)
        except Exception as error:  # the SDK raises several kinds, and plain ones
            raise APIConnectionError(
                f"the track {TRACK_NAME!r} could not be published in room {room.name!r}: {error}"
            ) from error
        self._room = room

    def detach(self, room: rtc.Room) -> None:
        self._room, self._publication = None, None

    def show(self, frame: VideoFrame) -> None:
        if self._closed:
            return
        layout = LAYOUTS.get(frame.format)
        if layout is None:
            raise VideoFormatError(f"a LiveKit room is shown pixels ({', '.join(LAYOUTS)}), not {frame.format}")
        self._source.capture_frame(rtc.VideoFrame(frame.width, frame.height, layout, frame.data))

    async def aclose(self) -> None:
        """Called by who opened it, and by the link when it leaves. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        room, publication = self._room, self._publication
        self._room, self._publication = None, None
        if room is not None and publication is not None and room.isconnected():
            with contextlib.suppress(Exception):  # it goes with the room, or the user took it out
                await room.local_participant.unpublish_track(publication.sid)
        await self._source.aclose()
