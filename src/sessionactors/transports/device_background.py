"""What is heard beside the agent on speakers: added to each block that the device takes."""

from __future__ import annotations

import threading

import numpy as np

from sessionactors.interfaces.background_audio import BackgroundSink
from sessionactors.model.audio import AudioFrame


class DeviceBackground(BackgroundSink):
    """Waits for the device's blocks. :meth:`play` and :meth:`added` are called from different threads.

    Args:
        sample_rate: Hertz of the device.
    """

    label = "speakers-background"

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._lock = threading.Lock()
        self._waiting = bytearray()
        self._closed = False

    def play(self, frame: AudioFrame) -> None:
        with self._lock:
            if not self._closed:
                self._waiting += frame.data

    def added(self, block: bytes) -> bytes:
        """A block of int16 with what waits, as far as there is any; what is too loud then is cut off."""
        with self._lock:
            beside = bytes(self._waiting[: len(block)])
            del self._waiting[: len(block)]
        if not beside:
            return block
        together = np.frombuffer(block, "<i2").astype(np.int32)
        together[: len(beside) // 2] += np.frombuffer(beside, "<i2")
        return np.clip(together, -32768, 32767).astype("<i2").tobytes()

    async def aclose(self) -> None:
        with self._lock:
            self._closed = True
            self._waiting.clear()
