"""A user's own input as a port: frames are read on the user's loop and told to the ear, from there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from sessionactors.interfaces.audio_io import AudioSource, FrameCallback
from sessionactors.interfaces.video_io import VideoCallback, VideoSource
from sessionactors.runtime.containment import escapes

from .endpoints import AudioInput, VideoInput

log = structlog.get_logger("sessionactors.session")


class _Reading:
    """One task that reads an input to its end, and can be ended from any thread."""

    def __init__(self, endpoint: AudioInput | VideoInput, loop: asyncio.AbstractEventLoop) -> None:
        self._endpoint = endpoint
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def start(self, on_frame: Callable[..., None], on_end: Callable[[], None]) -> None:
        """Read, beginning on the user's loop."""
        self._loop.call_soon_threadsafe(self._begin, on_frame, on_end)

    def stop(self) -> None:
        """Read nothing more; the input is detached when the task has really ended."""
        self._stopped = True
        try:
            self._loop.call_soon_threadsafe(self._cancel)
        except RuntimeError:  # the user's loop is closed: nothing runs there any more
            return

    def _begin(self, on_frame: Callable[..., None], on_end: Callable[[], None]) -> None:
        if not self._stopped:
            self._task = self._loop.create_task(self._read(on_frame, on_end), name=f"read {self._endpoint.label}")

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _read(self, on_frame: Callable[..., None], on_end: Callable[[], None]) -> None:
        endpoint = self._endpoint
        try:
            endpoint.on_attached()
            async for frame in endpoint:
                if self._stopped:
                    return
                on_frame(frame)
        except asyncio.CancelledError:
            if not self._stopped:
                raise
        except BaseException as error:
            if escapes(error):
                raise
            log.exception("input_failed", input=endpoint.label, error=repr(error))
        finally:
            self._detach()
            on_end()

    def _detach(self) -> None:
        try:
            self._endpoint.on_detached()
        except Exception as error:
            log.exception("input_failed", input=self._endpoint.label, error=repr(error))


class InputSource(AudioSource):
    """An :class:`.AudioInput` as a source of audio."""

    def __init__(self, endpoint: AudioInput, loop: asyncio.AbstractEventLoop) -> None:
        self.label = endpoint.label
        self._reading = _Reading(endpoint, loop)

    def start(self, on_frame: FrameCallback, on_end: Callable[[], None]) -> None:
        """Read the input."""
        self._reading.start(on_frame, on_end)

    def stop(self) -> None:
        """Read it no more."""
        self._reading.stop()


class InputVideoSource(VideoSource):
    """A :class:`.VideoInput` as a source of video."""

    def __init__(self, endpoint: VideoInput, loop: asyncio.AbstractEventLoop) -> None:
        self.label = endpoint.label
        self._reading = _Reading(endpoint, loop)

    def start(self, on_frame: VideoCallback, on_end: Callable[[], None]) -> None:
        """Read the input."""
        self._reading.start(on_frame, on_end)

    def stop(self) -> None:
        """Read it no more."""
        self._reading.stop()
