"""The track on which the agent is heard: published in each room that the link makes, with the same native source."""

from __future__ import annotations

import asyncio
import contextlib

import structlog
from livekit import rtc

from sessionactors.interfaces.room_wants import AudioOutWants
from sessionactors.model.errors import APIConnectionError, OptionError

from .audio_out import RoomVoice
from .ffi_events import is_supported, process_events
from .native_queue import QUEUE_MS, LiveKitQueue, NativeQueue
from .part import RoomPart
from .sdk_queue import SdkQueue

log = structlog.get_logger("sessionactors.livekit")


class VoiceTrack(RoomPart):
    """Publishes the agent's voice and opens the sink when the first participant has subscribed.

    Args:
        wants: how it is published.

    Raises:
        OptionError: ``track_publish_options`` are not those of the SDK.
    """

    def __init__(self, wants: AudioOutWants) -> None:
        options = wants.track_publish_options
        if options is None:
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        if not isinstance(options, rtc.TrackPublishOptions):
            raise OptionError(f"track_publish_options={options!r}: give rtc.TrackPublishOptions(...)")
        self._options = options
        self._name = wants.track_name
        self._queue = open_queue(wants.sample_rate, wants.num_channels)
        self.sink = RoomVoice(self._queue)
        """Where the session's audio goes."""
        self._publication: rtc.LocalTrackPublication | None = None
        self._waiting: asyncio.Task[None] | None = None
        self.heard = asyncio.Event()
        """Somebody has subscribed."""

    @property
    def sid(self) -> str | None:
        """The id of the published track; None while there is none."""
        return None if self._publication is None else self._publication.sid

    async def joined(self, room: rtc.Room) -> None:
        track = self._queue.track(self._name)
        try:
            publication = await room.local_participant.publish_track(track, self._options)
        except Exception as error:  # the SDK raises several kinds, and plain ones
            raise APIConnectionError(
                f"the agent's track {self._name!r} could not be published in room {room.name!r}: {error}"
            ) from error
        self._publication = publication
        self._waiting = asyncio.get_running_loop().create_task(
            self._open_when_heard(publication), name="livekit-first-subscriber"
        )

    async def _open_when_heard(self, publication: rtc.LocalTrackPublication) -> None:
        await publication.wait_for_subscription()
        self.sink.subscribed()
        self.heard.set()

    def detach(self, room: rtc.Room) -> None:
        self._publication = None
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        self.sink.unsubscribed()
        self.heard.clear()

    async def unpublish(self, room: rtc.Room) -> None:
        """Take the track out of a room that stays."""
        if self._publication is not None and room.isconnected():
            with contextlib.suppress(Exception):  # it goes with the room, or the user took it out
                await room.local_participant.unpublish_track(self._publication.sid)


def open_queue(sample_rate: int, num_channels: int) -> NativeQueue:
    """A native source of audio and its queue: at the SDK's seam where that is there."""
    source = rtc.AudioSource(sample_rate, num_channels, queue_size_ms=QUEUE_MS, loop=asyncio.get_running_loop())
    return LiveKitQueue(source, process_events()) if is_supported() else SdkQueue(source)
