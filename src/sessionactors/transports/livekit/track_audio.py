"""The frames of one audio track, on the actor loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from livekit import rtc
from livekit.rtc._proto import audio_frame_pb2, ffi_pb2

from sessionactors.interfaces.audio_io import FrameCallback
from sessionactors.model.audio import AudioFrame

from .ffi_events import FfiEvents, is_supported, process_events
from .noise import NoiseCancellation

WAITING_SECONDS: Final = 1.0
"""What may wait for a loop that is late, before the oldest gives way."""
SINK_BLOCKS: Final = 50
"""Blocks of 10 ms that the native library keeps for a process that does not take them."""


@dataclass(frozen=True, slots=True)
class AudioShape:
    """How frames are wanted."""

    sample_rate: int
    num_channels: int
    frame_size_ms: int

    def silence(self) -> AudioFrame:
        """A silent frame."""
        samples = self.sample_rate * self.frame_size_ms // 1000
        return AudioFrame(bytes(2 * samples * self.num_channels), self.sample_rate, self.num_channels)


class TrackAudio(ABC):
    """Frames of a track until it ends or is closed. Made and closed on the actor loop."""

    @property
    @abstractmethod
    def dropped(self) -> int:
        """Frames that gave way because the loop was late."""

    @abstractmethod
    def close(self) -> None:
        """Deliver nothing more. Safe to call twice."""


def open_track(
    track: rtc.RemoteTrack,
    shape: AudioShape,
    noise_cancellation: NoiseCancellation | None,
    on_frame: FrameCallback,
    on_end: Callable[[], None],
) -> TrackAudio:
    """Listen to a track, on the running loop.

    Args:
        track: of audio.
        shape: how frames are wanted.
        noise_cancellation: see :mod:`.noise`. A processor of frames needs to be told of the room it serves, which only
            the SDK's own stream does.
        on_frame: gets the frames.
        on_end: told when the track has ended by itself.

    Raises:
        APIConnectionError: the track is gone.
    """
    if isinstance(noise_cancellation, rtc.FrameProcessor) or not is_supported():
        return SdkTrackAudio(track, shape, noise_cancellation, on_frame, on_end)
    return RoutedTrackAudio(track, shape, noise_cancellation, on_frame, on_end, process_events())


class RoutedTrackAudio(TrackAudio):
    """Frames by way of the process's one subscriber. See :func:`open_track`."""

    def __init__(
        self,
        track: rtc.RemoteTrack,
        shape: AudioShape,
        noise_cancellation: rtc.NoiseCancellationOptions | None,
        on_frame: FrameCallback,
        on_end: Callable[[], None],
        events: FfiEvents,
    ) -> None:
        self._on_frame = on_frame
        self._on_end = on_end
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[AudioFrame | None] = deque()
        self._bound = max(1, round(WAITING_SECONDS * 1000 / shape.frame_size_ms))
        self._dropped = 0
        self._woken = False
        self._closed = False
        request = ffi_pb2.FfiRequest()
        wanted = request.new_audio_stream
        wanted.track_handle = track._ffi_handle.handle  # noqa: SLF001  # the SDK has no other way to name it
        wanted.type = audio_frame_pb2.AudioStreamType.AUDIO_STREAM_NATIVE
        wanted.sample_rate, wanted.num_channels = shape.sample_rate, shape.num_channels
        wanted.frame_size_ms = shape.frame_size_ms
        wanted.queue_size_frames = SINK_BLOCKS
        if noise_cancellation is not None:
            wanted.audio_filter_module_id = noise_cancellation.module_id
            wanted.audio_filter_options = json.dumps(noise_cancellation.options)
        self._handle = events.open_stream(request, self._arrived)

    @property
    def dropped(self) -> int:
        return self._dropped

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._events.close_stream(self._handle)

    def _arrived(self, frame: AudioFrame | None) -> None:
        """On the native library's thread."""
        if len(self._waiting) >= self._bound and frame is not None:
            with contextlib.suppress(IndexError):  # the loop has taken it meanwhile
                self._waiting.popleft()
                self._dropped += 1
        self._waiting.append(frame)
        if not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        self._woken = False  # first: what arrives from here on wakes the loop again
        while self._waiting:
            frame = self._waiting.popleft()
            if self._closed:
                continue
            if frame is None:
                self._closed = True
                self._on_end()
            else:
                self._on_frame(frame)


class SdkTrackAudio(TrackAudio):
    """Frames of the SDK's own stream. See :func:`open_track`."""

    def __init__(
        self,
        track: rtc.RemoteTrack,
        shape: AudioShape,
        noise_cancellation: NoiseCancellation | None,
        on_frame: FrameCallback,
        on_end: Callable[[], None],
    ) -> None:
        self._on_frame = on_frame
        self._on_end = on_end
        self._stream = rtc.AudioStream.from_track(
            track=track,
            capacity=max(1, round(WAITING_SECONDS * 1000 / shape.frame_size_ms)),
            sample_rate=shape.sample_rate,
            num_channels=shape.num_channels,
            frame_size_ms=shape.frame_size_ms,
            noise_cancellation=noise_cancellation,
            auto_close_noise_cancellation=False,  # the user's: it may serve the next track
        )
        self._closed = False
        self._reading = asyncio.get_running_loop().create_task(self._read(), name="livekit-track-audio")

    @property
    def dropped(self) -> int:
        return 0  # the SDK's queue does not say

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._reading.cancel()

    async def _read(self) -> None:
        try:
            async for event in self._stream:
                frame = event.frame
                self._on_frame(AudioFrame(bytes(frame.data), frame.sample_rate, frame.num_channels))
        finally:
            await self._stream.aclose()
        self._closed = True
        self._on_end()
