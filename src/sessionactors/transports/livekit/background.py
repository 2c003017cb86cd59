"""What is heard beside the agent in a LiveKit room: a track of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from livekit import rtc

from sessionactors.interfaces.background_audio import BackgroundSink
from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.model.errors import APIConnectionError, OptionError, SessionStateError

from . import voice_track
from .native_queue import BLOCK, NativeQueue
from .part import RoomPart

TRACK_NAME: Final = "background_audio"
SAMPLE_RATE: Final = 48000
"""Hertz."""


class RoomBackground(BackgroundSink):
    """Plays into a native queue, one capture at a time. :meth:`play` is called on one loop.

    Args:
        native: the library's queue.
        leave: takes the track out of the room.
    """

    label = "livekit-background"

    def __init__(self, native: NativeQueue, leave: Callable[[], Awaitable[None]]) -> None:
        self.sample_rate = native.sample_rate
        self._native = native
        self._leave = leave
        self._waiting: deque[bytes] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._block = round(native.sample_rate * BLOCK) * BYTES_PER_SAMPLE

    def play(self, frame: AudioFrame) -> None:
        if self._closed:
            return
        self._loop = asyncio.get_running_loop()
        self._waiting.append(frame.data + bytes(-len(frame.data) % self._block))
        self._feed()

    def _feed(self) -> None:
        if self._waiting and not self._native.busy and not self._closed:
            self._native.capture(self._waiting.popleft(), self._landed)

    def _landed(self) -> None:
        """From the library's thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it is closed: nothing plays any more
                self._loop.call_soon_threadsafe(self._feed)

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._leave()
        self._native.close()


class BackgroundTrack(RoomPart):
    """Publishes the track in each room that the link makes.

    Args:
        options: ``rtc.TrackPublishOptions``, or None for the SDK's own: it is no microphone.

    Raises:
        OptionError: they are something else.
    """

    def __init__(self, options: object | None) -> None:
        given = rtc.TrackPublishOptions() if options is None else options
        if not isinstance(given, rtc.TrackPublishOptions):
            raise OptionError(f"track_publish_options={options!r}: give rtc.TrackPublishOptions(...)")
        self._options = given
        self._queue = voice_track.open_queue(SAMPLE_RATE, 1)
        self._room: rtc.Room | None = None
        self._publication: rtc.LocalTrackPublication | None = None
        self.sink = RoomBackground(self._queue, self._unpublish)

    async def joined(self, room: rtc.Room) -> None:
        try:
            track = self._queue.track(TRACK_NAME)
            self._publication = await room.local_participant.publish_track(track, self._options)
        except Exception as error:  # the SDK raises several kinds, and plain ones
            raise APIConnectionError(
                f"the track {TRACK_NAME!r} could not be published in room {room.name!r}: {error}"
            ) from error
        self._room = room

    def detach(self, room: rtc.Room) -> None:
        self._room, self._publication = None, None

    async def _unpublish(self) -> None:
        room, publication = self._room, self._publication
        self._room, self._publication = None, None
        if room is not None and publication is not None and room.isconnected():
            with contextlib.suppress(Exception):  # it went with the room, or the user took it out
                await room.local_participant.unpublish_track(publication.sid)


async def background_on(room: rtc.Room, options: object | None) -> BackgroundSink:
    """A track in a room of the user's own, on the room's loop.

    Raises:
        APIConnectionError: it could not be published.
        OptionError: ``options`` are not the SDK's.
        SessionStateError: the room is not connected.
    """
    if not room.isconnected():
        raise SessionStateError(f"room {room.name!r} is not connected: connect it before its background audio")
    part = BackgroundTrack(options)
    try:
        await part.joined(room)
    except BaseException:
        await part.sink.aclose()
        raise
    return part.sink
