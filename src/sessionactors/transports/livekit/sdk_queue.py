"""The SDK's own ``capture_frame``, for an SDK without the names that :mod:`.ffi_events` uses. It costs more."""

from __future__ import annotations

import asyncio

import structlog
from livekit import rtc

from sessionactors.model.audio import BYTES_PER_SAMPLE

from .native_queue import LANDS_WITHIN, Landed, NativeQueue, spread

log = structlog.get_logger("sessionactors.livekit")


class SdkQueue(NativeQueue):
    """The queue of an ``rtc.AudioSource``, used as the SDK's documentation says.

    Args:
        source: whose queue; it is closed with this.
    """

    def __init__(self, source: rtc.AudioSource) -> None:
        super().__init__(source)
        self._capturing: asyncio.Task[None] | None = None

    def capture(self, pcm: bytes, landed: Landed) -> None:
        if self._closed:
            return
        self._take_back = False
        self._idle.clear()
        self._capturing = asyncio.get_running_loop().create_task(self._capture(spread(pcm, self.num_channels), landed))

    async def _capture(self, pcm: bytes, landed: Landed) -> None:
        samples = len(pcm) // BYTES_PER_SAMPLE // self.num_channels
        try:
            await self._source.capture_frame(rtc.AudioFrame(pcm, self.sample_rate, self.num_channels, samples))
        except Exception as error:  # noqa: BLE001  # the SDK raises nothing narrower
            log.warning("livekit_capture_failed", room="", actor="", message_id=0, error=repr(error))
        finally:
            if self._take_back and not self._closed:
                self._source.clear_queue()
            self._idle.set()
            landed()

    def clear(self) -> None:
        if not self._closed:
            self._take_back = self.busy
            self._source.clear_queue()

    def silence(self) -> None:
        self.clear()
        if self._idle.wait(LANDS_WITHIN):
            self.clear()
