"""A background sink without a device: it knows by the loop's clock when each sample is played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from sessionactors.interfaces.background_audio import BackgroundSink
from sessionactors.model.audio import AudioFrame

FrameAt: TypeAlias = Callable[[AudioFrame, float], None]
"""Takes audio and the loop time in seconds of its first sample."""


class TimedBackground(BackgroundSink):
    """Hands on what it is given, with the time at which it is heard. Lives on one loop.

    Args:
        sample_rate: Hertz of the frames, > 0.
        heard: given everything, when it comes.
    """

    label = "timed-background"

    def __init__(self, sample_rate: int, heard: FrameAt) -> None:
        self.sample_rate = sample_rate
        self._heard = heard
        self._began = 0.0
        self._samples = 0
        self._closed = False

    def play(self, frame: AudioFrame) -> None:
        if self._closed:
            return
        now = asyncio.get_running_loop().time()
        # Counted in samples from the beginning of what has no gap, so that times do not drift.
        if now > self._began + self._samples / self.sample_rate or not self._samples:
            self._began, self._samples = now, 0
        self._heard(frame, self._began + self._samples / self.sample_rate)
        self._samples += frame.samples_per_channel

    async def aclose(self) -> None:
        self._closed = True
