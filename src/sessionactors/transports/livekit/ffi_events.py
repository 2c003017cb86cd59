"""The one subscriber of this process to what LiveKit's native library reports.

The SDK gives each audio stream a queue of its own and offers it the events of all others, so a frame costs more with
every room. Here one subscription looks up whom an event is for. It works where the SDK decides who gets an event (the
filter of a subscription), on the native library's thread, and leaves all that is not ours to the SDK.

Relied on are names of the SDK that are not documented as public: see :func:`is_supported` and its test. Where they are
not there, :mod:`.track_audio` and :mod:`.native_queue` use the SDK's own streams and sources.
"""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import itertools
import threading
from collections.abc import Callable
from functools import cache
from typing import Protocol, TypeAlias

import structlog
from livekit.rtc._ffi_client import FfiClient, FfiHandle, FfiQueue
from livekit.rtc._proto import audio_frame_pb2, ffi_pb2
from livekit.rtc._utils import Queue

from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.model.errors import APIConnectionError

log = structlog.get_logger("sessionactors.livekit")

FrameRoute: TypeAlias = Callable[[AudioFrame | None], None]
"""Takes the frames of a stream, then None when it has ended. Called on the native library's thread; never blocks."""
LandedRoute: TypeAlias = Callable[[str], None]
"""Told that audio has reached the native queue: the error, or an empty text. On the native library's thread."""

_OUR_IDS = 1 << 60
"""Where the numbers of our requests begin; the library counts its own from 1."""


class NativeLibrary(Protocol):
    """What is used of the SDK's client of its native library."""

    @property
    def queue(self) -> FfiQueue[ffi_pb2.FfiEvent]:
        """Who is told of events."""

    def request(self, req: ffi_pb2.FfiRequest) -> ffi_pb2.FfiResponse:
        """Ask the library for something. Thread-safe; returns at once."""


class FfiEvents:
    """Routes frames to streams and acknowledgements to sources. Thread-safe.

    Args:
        library: the SDK's client.
        release: gives a handle back to the library.
    """

    def __init__(self, library: NativeLibrary, release: Callable[[int], None]) -> None:
        self._library = library
        self._release = release
        self._lock = threading.Lock()
        """Held for the subscription only, never where events come in: the SDK holds a lock of its own there."""
        self._users = 0
        self._queue: Queue[ffi_pb2.FfiEvent] | None = None
        self._streams: dict[int, FrameRoute | None] = {}
        """None: closed by us, and its end has not come yet."""
        self._landings: dict[int, LandedRoute] = {}
        self._ids = itertools.count(_OUR_IDS)
        self._opening = 0
        self._early: dict[int, ffi_pb2.FfiEvent] = {}
        """Frames that came before the library had told us the handle of their stream."""
        self._arrivals = itertools.count()

    @property
    def users(self) -> int:
        """Streams and sources that need the subscription."""
        return self._users

    def request(self, request: ffi_pb2.FfiRequest) -> ffi_pb2.FfiResponse:
        """Ask the library for something that it does at once."""
        return self._library.request(request)

    def acquire(self) -> None:
        """Be subscribed until :meth:`let_go` was called as often."""
        with self._lock:
            self._users += 1
            if self._queue is None:
                # The loop is never used: the filter below takes what is ours and lets nothing into the queue.
                self._queue = self._library.queue.subscribe(asyncio.get_running_loop(), self._take)

    def let_go(self) -> None:
        """Not needed any more by one who needed it."""
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._queue is not None:
                self._library.queue.unsubscribe(self._queue)
                self._queue = None

    def open_stream(self, request: ffi_pb2.FfiRequest, route: FrameRoute) -> int:
        """Open an audio stream and have its frames from the first one on.

        Args:
            request: with ``new_audio_stream`` filled in.
            route: takes the frames.

        Returns:
            The stream's handle, for :meth:`close_stream`.

        Raises:
            APIConnectionError: the library cannot open it, for instance because the track is gone.
        """
        self.acquire()
        with self._lock:
            self._opening += 1
        try:
            try:
                handle = self._library.request(request).new_audio_stream.stream.handle.id
            except Exception as error:
                self.let_go()
                raise APIConnectionError(f"LiveKit could not open an audio stream: {error!r}") from error
            if not handle:
                self.let_go()
                raise APIConnectionError("LiveKit could not open an audio stream: the track is gone")
            self._streams[handle] = route
            for arrival in list(self._early):
                event = self._early.get(arrival)
                if event is not None and event.audio_stream_event.stream_handle == handle:
                    self._route_early(arrival)
        finally:
            with self._lock:
                self._opening -= 1
                if self._opening == 0:
                    self._early.clear()  # of the user's own streams: the SDK has delivered those
        return handle

    def close_stream(self, handle: int) -> None:
        """Deliver nothing more of a stream and give it back. Does nothing for one that was closed."""
        if self._streams.get(handle) is None:
            return
        self._streams[handle] = None
        self._release(handle)

    def capture(self, request: ffi_pb2.FfiRequest, landed: LandedRoute) -> None:
        """Queue audio on a source; captures of one source are ordered only if each waits for the one before.

        Args:
            request: with ``capture_audio_frame`` filled in but for the number.
            landed: told when it is queued.
        """
        number = next(self._ids)
        self._landings[number] = landed
        request.capture_audio_frame.request_async_id = number
        try:
            self._library.request(request)
        except BaseException:
            self._landings.pop(number, None)
            raise

    # -- on the native library's thread ------------------------------------------------------------------------------

    def _take(self, event: ffi_pb2.FfiEvent) -> bool:
        """The filter of our subscription: takes what is ours. Nothing goes to the queue, so it is always False."""
        try:
            which = event.WhichOneof("message")
            if which == "audio_stream_event":
                self._on_stream_event(event)
            elif which == "capture_audio_frame":
                landed = self._landings.pop(event.capture_audio_frame.async_id, None)
                if landed is not None:
                    landed(event.capture_audio_frame.error)
        except Exception:  # the SDK would put the event into a queue that nobody reads
            log.exception("livekit_event_lost", room="", actor="", message_id=0)
        return False

    def _on_stream_event(self, event: ffi_pb2.FfiEvent) -> None:
        handle = event.audio_stream_event.stream_handle
        if handle in self._streams:
            self._deliver(event)
        elif self._opening:
            arrival = next(self._arrivals)
            self._early[arrival] = event
            if handle in self._streams:  # registered meanwhile: one of both threads takes it out
                self._route_early(arrival)

    def _route_early(self, arrival: int) -> None:
        event = self._early.pop(arrival, None)
        if event is not None:
            self._deliver(event)

    def _deliver(self, event: ffi_pb2.FfiEvent) -> None:
        told = event.audio_stream_event
        if told.HasField("frame_received"):
            owned = told.frame_received.frame
            route = self._streams.get(told.stream_handle)
            try:
                if route is not None:
                    info = owned.info
                    size = info.samples_per_channel * info.num_channels * BYTES_PER_SAMPLE
                    route(AudioFrame(ctypes.string_at(info.data_ptr, size), info.sample_rate, info.num_channels))
            finally:
                self._release(owned.handle.id)
        elif told.HasField("eos") and told.stream_handle in self._streams:
            route = self._streams.pop(told.stream_handle)
            if route is not None:
                self._release(told.stream_handle)
                route(None)
            self.let_go()


def _release(handle: int) -> None:
    FfiHandle(handle).dispose()


@cache
def process_events() -> FfiEvents:
    """The one of this process."""
    return FfiEvents(FfiClient.instance, _release)


@cache
def is_supported() -> bool:
    """Whether the installed SDK has the names that are used here."""
    queue = getattr(FfiClient.instance, "queue", None)
    subscribe = getattr(queue, "subscribe", None)
    if subscribe is None or "filter_fn" not in inspect.signature(subscribe).parameters:
        return False
    request, event = set(ffi_pb2.FfiRequest.DESCRIPTOR.fields_by_name), set(ffi_pb2.FfiEvent.DESCRIPTOR.fields_by_name)
    return (
        {"new_audio_stream", "capture_audio_frame", "clear_audio_buffer"} <= request
        and {"audio_stream_event", "capture_audio_frame"} <= event
        and "request_async_id" in audio_frame_pb2.CaptureAudioFrameRequest.DESCRIPTOR.fields_by_name
    )
