"""Audio between plugins and sessions: the same samples in other values."""

from __future__ import annotations

from livekit import rtc

from sessionactors.model.audio import AudioFrame


def to_plugin(frame: AudioFrame) -> rtc.AudioFrame:
    """The frame as plugins take it."""
    return rtc.AudioFrame(frame.data, frame.sample_rate, frame.num_channels, frame.samples_per_channel)


def from_plugin(frame: rtc.AudioFrame) -> AudioFrame:
    """The frame as sessions take it."""
    return AudioFrame(bytes(frame.data), frame.sample_rate, frame.num_channels)
