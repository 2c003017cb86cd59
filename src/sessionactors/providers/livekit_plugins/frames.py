"""Audio and video between plugins and sessions: the same samples and pixels in other values."""

from __future__ import annotations

from typing import Final

from livekit import rtc

from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import VideoFormatError
from sessionactors.model.video import VideoFrame

LAYOUTS: Final = {
    "rgb24": rtc.VideoBufferType.RGB24,
    "rgba": rtc.VideoBufferType.RGBA,
    "i420": rtc.VideoBufferType.I420,
}
"""Of raw pictures, as both sides name them."""


def to_plugin(frame: AudioFrame) -> rtc.AudioFrame:
    """The frame as plugins take it."""
    return rtc.AudioFrame(frame.data, frame.sample_rate, frame.num_channels, frame.samples_per_channel)


def from_plugin(frame: rtc.AudioFrame) -> AudioFrame:
    """The frame as sessions take it."""
    return AudioFrame(bytes(frame.data), frame.sample_rate, frame.num_channels)


def picture_to_plugin(frame: VideoFrame) -> rtc.VideoFrame:
    """The picture as plugins take it.

    Raises:
        VideoFormatError: it is compressed: plugins take pixels.
    """
    layout = LAYOUTS.get(frame.format)
    if layout is None:
        raise VideoFormatError(f"a plugin takes pictures as {', '.join(LAYOUTS)}, not as {frame.format}")
    return rtc.VideoFrame(frame.width, frame.height, layout, frame.data)
