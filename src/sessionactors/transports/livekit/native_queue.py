"""The queue from which LiveKit's native library plays the agent's voice, ten milliseconds at a time.

What is in it can be taken back, from any thread. What is on its way into it (a capture is another thread's work) is
taken back as soon as it has landed.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, TypeAlias

import structlog
from livekit import rtc
from livekit.rtc._proto import ffi_pb2

from sessionactors.model.audio import BYTES_PER_SAMPLE

from .ffi_events import FfiEvents

log = structlog.get_logger("sessionactors.livekit")

Landed: TypeAlias = Callable[[], None]

BLOCK: Final = 0.01
"""Seconds that the library takes at a time; it waits for a block to be full."""
QUEUE_MS: Final = 1000
"""What the native queue may hold. More than is ever in it: what waits there has been counted as sent."""
LANDS_WITHIN: Final = 0.05
"""Seconds that :meth:`NativeQueue.silence` waits for audio on its way. Usually it takes a tenth of a millisecond."""


class NativeQueue(ABC):
    """Where audio goes that will be played by the library's own clock. One capture at a time.

    Args:
        source: whose queue; it is closed with this.
    """

    def __init__(self, source: rtc.AudioSource) -> None:
        self._source = source
        self.sample_rate = source.sample_rate
        self.num_channels = source.num_channels
        self._idle = threading.Event()
        self._idle.set()
        self._take_back = False
        """What is on its way is not wanted any more."""
        self._closed = False

    def track(self, name: str) -> rtc.LocalAudioTrack:
        """A track, to be published, that plays what is queued."""
        return rtc.LocalAudioTrack.create_audio_track(name, self._source)

    @property
    def busy(self) -> bool:
        """Whether a capture is on its way."""
        return not self._idle.is_set()

    @abstractmethod
    def capture(self, pcm: bytes, landed: Landed) -> None:
        """Queue mono audio; ``landed`` is told when it is there, from any thread. Only if not :attr:`busy`."""

    @abstractmethod
    def clear(self) -> None:
        """Take back what was not played, also what is on its way. Thread-safe; returns at once."""

    @abstractmethod
    def silence(self) -> None:
        """The same, and return when it is so: for a thread that stands in for a loop that hangs."""

    def close(self) -> None:
        """Give the queue back. Safe to call twice."""
        if self._closed:
            return
        self.clear()
        self._closed = True
        self._source._ffi_handle.dispose()  # noqa: SLF001  # what aclose() does, without being a coroutine
        self._let_go()

    def _let_go(self) -> None:
        """Called once, behind the end of the source."""


class LiveKitQueue(NativeQueue):
    """The queue of an ``rtc.AudioSource``.

    Args:
        source: whose queue; it is closed with this.
        events: the process's subscriber.
    """

    def __init__(self, source: rtc.AudioSource, events: FfiEvents) -> None:
        super().__init__(source)
        self._events = events
        self._handle = source._ffi_handle.handle  # noqa: SLF001  # the SDK has no other way to name it
        events.acquire()

    def capture(self, pcm: bytes, landed: Landed) -> None:
        if self._closed:
            return
        pcm = spread(pcm, self.num_channels)
        self._take_back = False
        self._idle.clear()
        request = ffi_pb2.FfiRequest()
        request.capture_audio_frame.source_handle = self._handle
        frame = rtc.AudioFrame(
            pcm, self.sample_rate, self.num_channels, len(pcm) // BYTES_PER_SAMPLE // self.num_channels
        )
        request.capture_audio_frame.buffer.CopyFrom(frame._proto_info())  # noqa: SLF001

        def on_landed(error: str) -> None:
            if error:
                log.warning("livekit_capture_failed", room="", actor="", message_id=0, error=error)
            if self._take_back:
                self._clear_native()
            self._idle.set()
            landed()

        try:
            self._events.capture(request, on_landed)
        except BaseException:
            self._idle.set()
            raise

    def clear(self) -> None:
        if self._closed:
            return
        if self.busy:
            self._take_back = True
        self._clear_native()

    def silence(self) -> None:
        self.clear()
        if not self._idle.wait(LANDS_WITHIN):
            return  # the library hangs: what is on its way is taken back if it ever lands
        if not self._closed:
            self._clear_native()

    def _let_go(self) -> None:
        self._events.let_go()

    def _clear_native(self) -> None:
        request = ffi_pb2.FfiRequest()
        request.clear_audio_buffer.source_handle = self._handle
        self._events.request(request)


def spread(pcm: bytes, channels: int) -> bytes:
    """Mono audio with the same sample for each channel."""
    if channels == 1:
        return pcm
    samples = memoryview(pcm).cast("H")
    spread = bytearray(len(pcm) * channels)
    view = memoryview(spread).cast("H")
    for channel in range(channels):
        view[channel::channels] = samples
    return bytes(spread)
