"""What one event of LiveKit's native library costs in Python, by the number of rooms in the process.

    python benchmarks/livekit_seam.py

No server and no audio: events are put where the library puts them, to as many rooms and streams as there would be.
*frame*: 50 ms of a participant's audio until the session has it. *landed*: the acknowledgement of one capture of the
agent's audio. CPU of the whole process, in microseconds an event.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
import time
from types import SimpleNamespace
from typing import Any
from unittest import mock

from livekit import rtc
from livekit.rtc._ffi_client import FfiClient, FfiHandle
from livekit.rtc._proto import ffi_pb2

from sessionactors.transports.livekit import room_events, track_audio
from sessionactors.transports.livekit.ffi_events import FfiEvents

SHAPE = track_audio.AudioShape(24000, 1, 50)
PCM = ctypes.create_string_buffer(2400)
EVENTS = 2000


def frame_event(handle: int) -> ffi_pb2.FfiEvent:
    event = ffi_pb2.FfiEvent()
    told = event.audio_stream_event
    told.stream_handle = handle
    owned = told.frame_received.frame
    owned.handle.id = 0
    owned.info.data_ptr = ctypes.addressof(PCM)
    owned.info.sample_rate, owned.info.num_channels, owned.info.samples_per_channel = 24000, 1, 1200
    return event


def landed_event(number: int) -> ffi_pb2.FfiEvent:
    event = ffi_pb2.FfiEvent()
    event.capture_audio_frame.async_id = number
    return event


class Library:
    """The SDK's queue of subscribers, and handles without a native library behind them."""

    def __init__(self) -> None:
        self.queue = FfiClient.instance.queue
        self.handles = 0

    def request(self, _request: ffi_pb2.FfiRequest) -> ffi_pb2.FfiResponse:
        self.handles += 1
        response = ffi_pb2.FfiResponse()
        response.new_audio_stream.stream.handle.id = self.handles
        return response


def rooms_of_the_sdk(count: int, *, narrowed: bool) -> list[rtc.Room]:
    """Connected rooms, as far as their subscription goes."""
    made = []
    for number in range(count):
        room = rtc.Room()
        room._ffi_handle = FfiHandle(0)
        room._ffi_handle.handle = 10**6 + number
        room._ffi_handle.mark_consumed()
        room._ffi_queue = FfiClient.instance.queue.subscribe(
            room._loop,
            filter_fn=lambda e: e.WhichOneof("message") not in ("audio_stream_event", "video_stream_event"),
        )
        room._task = room._loop.create_task(room._listen_task())
        if narrowed:
            assert room_events.only_its_own(room)
        made.append(room)
    return made


async def cost(events: list[ffi_pb2.FfiEvent], done: asyncio.Event) -> float:
    """Microseconds of CPU an event."""
    queue = FfiClient.instance.queue

    def put() -> None:
        for number, event in enumerate(events):
            queue.put(event)
            if number % 20 == 0:
                time.sleep(0.001)  # as they come: not all at once

    began = time.process_time()
    thread = threading.Thread(target=put)
    thread.start()
    await asyncio.to_thread(thread.join)
    await asyncio.wait_for(done.wait(), 60)
    return (time.process_time() - began) / len(events) * 1e6


async def measured(rooms: int, *, ours: bool) -> tuple[float, float]:
    """(frame, landed)."""
    library, done, seen = Library(), asyncio.Event(), 0
    made = rooms_of_the_sdk(rooms, narrowed=ours)
    track: Any = SimpleNamespace(_ffi_handle=SimpleNamespace(handle=1))

    def on_frame(_frame: object) -> None:
        nonlocal seen
        seen += 1
        if seen == EVENTS:
            done.set()

    streams: list[Any] = []
    if ours:
        events = FfiEvents(library, lambda _handle: None)
        streams = [
            track_audio.RoutedTrackAudio(track, SHAPE, None, on_frame, lambda: None, events) for _ in range(rooms)
        ]
        handles = [stream._handle for stream in streams]
    else:
        track._register_audio_stream = lambda _stream: None
        sdk = []
        for _ in range(rooms):
            opened = library.request(ffi_pb2.FfiRequest()).new_audio_stream.stream
            with mock.patch.object(rtc.AudioStream, "_create_owned_stream", return_value=opened):
                sdk.append(rtc.AudioStream(track, frame_size_ms=50, sample_rate=24000))

        async def read(stream: rtc.AudioStream) -> None:
            async for event in stream:
                on_frame(event.frame)

        handles = [stream._ffi_handle.handle for stream in sdk]
        for stream in sdk:
            stream._ffi_handle.mark_consumed()
        streams = [asyncio.ensure_future(read(stream)) for stream in sdk]
    await asyncio.sleep(0.01)
    frame = await cost([frame_event(handles[number % rooms]) for number in range(EVENTS)], done)
    landed = asyncio.Event()
    landed.set()
    acknowledged = await cost([landed_event(10**9 + number) for number in range(EVENTS // 4)], landed)
    for room in made:
        room._task.cancel()
        FfiClient.instance.queue.unsubscribe(room._ffi_queue)
        room._ffi_handle = None
    for stream in streams:
        if isinstance(stream, asyncio.Future):
            stream.cancel()
    FfiClient.instance.queue._subscribers.clear()
    return frame, acknowledged


def main() -> None:
    FfiHandle.dispose = lambda self: None  # type: ignore[method-assign]  # there is nothing behind these handles
    print(f"{'rooms':>6} {'frame, SDK':>12} {'frame, ours':>12} {'landed, SDK':>12} {'landed, ours':>13}")
    for rooms in (1, 10, 25, 50, 100):
        sdk = asyncio.run(measured(rooms, ours=False))
        ours = asyncio.run(measured(rooms, ours=True))
        print(f"{rooms:>6} {sdk[0]:>12.0f} {ours[0]:>12.0f} {sdk[1]:>12.0f} {ours[1]:>13.0f}", flush=True)


if __name__ == "__main__":
    main()
