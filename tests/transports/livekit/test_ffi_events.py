from __future__ import annotations

import asyncio
import ctypes
import gc
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import rtc
from livekit.rtc._ffi_client import FfiClient, FfiQueue
from livekit.rtc._proto import ffi_pb2

from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError
from sessionactors.transports.livekit import ffi_events, room_events, track_audio
from sessionactors.transports.livekit.ffi_events import FfiEvents
from sessionactors.transports.livekit.native_queue import LiveKitQueue

from tests.transports.virtual import in_virtual_time

SHAPE = track_audio.AudioShape(24000, 1, 50)
PCM = ctypes.create_string_buffer(b"\x07\x00" * 1200, 2400)


def frame_of(stream: int, buffer: int = 900) -> ffi_pb2.FfiEvent:
    event = ffi_pb2.FfiEvent()
    told = event.audio_stream_event
    told.stream_handle = stream
    told.frame_received.frame.handle.id = buffer
    info = told.frame_received.frame.info
    info.data_ptr = ctypes.addressof(PCM)
    info.sample_rate, info.num_channels, info.samples_per_channel = 24000, 1, 1200
    return event


def end_of(stream: int) -> ffi_pb2.FfiEvent:
    event = ffi_pb2.FfiEvent()
    event.audio_stream_event.stream_handle = stream
    event.audio_stream_event.eos.SetInParent()
    return event


def refuses(error: Exception) -> Callable[[ffi_pb2.FfiRequest], None]:
    def refuse(_request: ffi_pb2.FfiRequest) -> None:
        raise error

    return refuse


class Library:
    """The native library, as the SDK speaks to it."""

    def __init__(self) -> None:
        self.queue: FfiQueue[ffi_pb2.FfiEvent] = FfiQueue()
        self.requests: list[ffi_pb2.FfiRequest] = []
        self.released: list[int] = []
        self.next_handle = 7
        self.on_request: Callable[[ffi_pb2.FfiRequest], None] = lambda _request: None
        self.events = FfiEvents(self, self.released.append)

    def request(self, req: ffi_pb2.FfiRequest) -> ffi_pb2.FfiResponse:
        kept = ffi_pb2.FfiRequest()
        kept.CopyFrom(req)
        self.requests.append(kept)
        self.on_request(kept)
        response = ffi_pb2.FfiResponse()
        if kept.HasField("new_audio_stream"):
            response.new_audio_stream.stream.handle.id = self.next_handle
        return response

    def tell(self, event: ffi_pb2.FfiEvent) -> None:
        """On a thread of the library's."""
        thread = threading.Thread(target=self.queue.put, args=(event,))
        thread.start()
        thread.join()

    def open(self, route: Callable[[AudioFrame | None], None]) -> int:
        request = ffi_pb2.FfiRequest()
        request.new_audio_stream.track_handle = 1
        return self.events.open_stream(request, route)


def test_the_installed_sdk_has_the_names_that_are_relied_on() -> None:
    assert ffi_events.is_supported()
    queue: FfiQueue[Any] = FfiQueue()
    assert queue._subscribers == []
    with queue._lock:
        pass
    assert {"_ffi_queue", "_ffi_handle"} <= set(rtc.Room.connect.__code__.co_names) | {"_ffi_handle"}


def test_a_stream_gets_its_own_frames_and_gives_each_buffer_back() -> None:
    async def main() -> None:
        library = Library()
        ours: list[AudioFrame | None] = []
        library.open(ours.append)
        library.tell(frame_of(7, 901))
        library.tell(frame_of(8, 902))  # the user's own stream: not ours to give back
        library.tell(end_of(7))
        assert ours == [AudioFrame(PCM.raw, 24000), None]
        assert library.released == [901, 7]
        assert library.events.users == 0
        assert library.queue._subscribers == []

    asyncio.run(main())


def test_nothing_is_put_into_a_queue_that_nobody_reads() -> None:
    async def main() -> None:
        library = Library()

        def broken(_frame: AudioFrame | None) -> None:
            raise RuntimeError("a listener's bug")

        library.open(broken)
        (queue, _, _) = library.queue._subscribers[0]
        library.tell(frame_of(7))
        library.tell(landed(5))
        await asyncio.sleep(0)
        assert queue.empty()
        assert library.released == [900]

    asyncio.run(main())


def test_a_frame_that_comes_before_its_streams_handle_is_known_is_heard() -> None:
    async def main() -> None:
        library = Library()
        ours: list[AudioFrame | None] = []

        def early(_request: ffi_pb2.FfiRequest) -> None:
            library.tell(frame_of(7))
            library.tell(frame_of(99))

        library.on_request = early
        library.open(ours.append)
        assert len(ours) == 1
        assert library.released == [900]

    asyncio.run(main())


def test_a_closed_stream_is_silent_and_its_frames_on_the_way_are_given_back() -> None:
    async def main() -> None:
        library = Library()
        ours: list[AudioFrame | None] = []
        handle = library.open(ours.append)
        library.events.close_stream(handle)
        library.events.close_stream(handle)
        library.tell(frame_of(7, 901))
        library.tell(end_of(7))
        assert not ours
        assert library.released == [7, 901]
        assert library.events.users == 0

    asyncio.run(main())


def test_a_track_that_is_gone_is_an_error_and_needs_no_subscription() -> None:
    async def main() -> None:
        library = Library()
        library.next_handle = 0
        with pytest.raises(APIConnectionError, match="the track is gone"):
            library.open(lambda _: None)
        library.on_request = refuses(AssertionError("no handle"))
        with pytest.raises(APIConnectionError, match="no handle"):
            library.open(lambda _: None)
        assert library.events.users == 0

    asyncio.run(main())


def test_frames_reach_the_loop_in_order_and_the_oldest_give_way_when_it_is_late() -> None:
    async def main() -> None:
        library = Library()
        heard: list[AudioFrame] = []
        ended: list[bool] = []
        track: Any = SimpleNamespace(_ffi_handle=SimpleNamespace(handle=1))
        stream = track_audio.RoutedTrackAudio(
            track, SHAPE, None, heard.append, lambda: ended.append(True), library.events
        )
        for _ in range(25):  # 1.25 s without a turn of the loop
            library.tell(frame_of(7))
        library.tell(end_of(7))
        assert not heard
        await asyncio.sleep(0)
        assert len(heard) == 20
        assert stream.dropped == 5
        assert ended == [True]
        wanted = library.requests[0].new_audio_stream
        assert (wanted.sample_rate, wanted.num_channels, wanted.frame_size_ms) == (24000, 1, 50)
        stream.close()

    asyncio.run(main())


def test_noise_cancellation_of_the_library_is_asked_for() -> None:
    async def main() -> None:
        library = Library()
        track: Any = SimpleNamespace(_ffi_handle=SimpleNamespace(handle=1))
        options = rtc.NoiseCancellationOptions("module", {"level": 2})
        stream = track_audio.RoutedTrackAudio(track, SHAPE, options, lambda _: None, lambda: None, library.events)
        wanted = library.requests[0].new_audio_stream
        assert (wanted.audio_filter_module_id, wanted.audio_filter_options) == ("module", '{"level": 2}')
        stream.close()

    asyncio.run(main())


def landed(number: int, error: str = "") -> ffi_pb2.FfiEvent:
    event = ffi_pb2.FfiEvent()
    event.capture_audio_frame.async_id = number
    event.capture_audio_frame.error = error
    return event


def queue_of(library: Library, channels: int = 1) -> LiveKitQueue:
    handle = SimpleNamespace(handle=42, dispose=lambda: library.released.append(42))
    source: Any = SimpleNamespace(sample_rate=24000, num_channels=channels, _ffi_handle=handle)
    return LiveKitQueue(source, library.events)


def kinds(library: Library) -> list[str | None]:
    return [request.WhichOneof("message") for request in library.requests]


@in_virtual_time
async def test_a_capture_is_over_when_it_has_landed() -> None:
    library = Library()
    queue = queue_of(library)
    told: list[bool] = []
    queue.capture(bytes(480), lambda: told.append(True))
    asked = library.requests[0].capture_audio_frame
    assert asked.buffer.samples_per_channel == 240
    library.tell(landed(asked.request_async_id + 1))  # another's
    on_its_way = queue.busy
    library.tell(landed(asked.request_async_id))
    assert (on_its_way, queue.busy, told) == (True, False, [True])
    queue.close()
    queue.close()
    queue.clear()
    queue.capture(bytes(480), lambda: None)
    assert library.released == [42]
    assert library.events.users == 0


@in_virtual_time
async def test_what_is_on_its_way_when_it_is_taken_back_is_taken_back_when_it_lands() -> None:
    library = Library()
    queue = queue_of(library)
    queue.capture(bytes(480), lambda: None)
    queue.clear()
    library.tell(landed(library.requests[0].capture_audio_frame.request_async_id))
    assert kinds(library) == ["capture_audio_frame", "clear_audio_buffer", "clear_audio_buffer"]
    queue.capture(bytes(480), lambda: None)
    library.tell(landed(library.requests[-1].capture_audio_frame.request_async_id, "the queue is full"))
    assert kinds(library)[3:] == ["capture_audio_frame"]
    queue.close()


@in_virtual_time
async def test_silence_waits_for_what_is_on_its_way() -> None:
    library = Library()
    queue = queue_of(library)
    queue.capture(bytes(480), lambda: None)
    number = library.requests[0].capture_audio_frame.request_async_id
    watchdog = threading.Thread(target=queue.silence)
    watchdog.start()
    library.tell(landed(number))
    watchdog.join()
    assert not queue.busy
    assert kinds(library)[-1] == "clear_audio_buffer"
    queue.close()


@in_virtual_time
async def test_a_capture_that_the_library_refuses_is_not_on_its_way() -> None:
    library = Library()
    queue = queue_of(library)
    library.on_request = refuses(RuntimeError("no"))
    with pytest.raises(RuntimeError):
        queue.capture(bytes(480), lambda: None)
    assert not queue.busy
    library.on_request = lambda _request: None
    queue.close()


@in_virtual_time
async def test_a_track_with_two_channels_has_the_same_voice_in_both() -> None:
    library = Library()
    queue = queue_of(library, channels=2)
    pcm: list[bytes] = []

    def look(request: ffi_pb2.FfiRequest) -> None:
        if request.HasField("capture_audio_frame"):
            pcm.append(ctypes.string_at(request.capture_audio_frame.buffer.data_ptr, 8))

    library.on_request = look
    queue.capture(b"\x01\x00\x02\x00", lambda: None)
    assert pcm == [b"\x01\x00\x01\x00\x02\x00\x02\x00"]
    queue.close()


@pytest.mark.may_block("the SDK's queue has a lock of its own")
async def test_a_room_gets_its_own_events_and_what_is_for_all_but_no_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(FfiClient.instance, "_queue", library.queue)
    room = rtc.Room()
    room._ffi_handle = SimpleNamespace(handle=5)  # type: ignore[assignment]
    room._ffi_queue = library.queue.subscribe(asyncio.get_running_loop(), lambda e: True)
    assert room_events.only_its_own(room)
    mine, other, ack, answer = ffi_pb2.FfiEvent(), ffi_pb2.FfiEvent(), landed(3), ffi_pb2.FfiEvent()
    mine.room_event.room_handle, other.room_event.room_handle = 5, 6
    answer.publish_track.async_id = 1
    for event in (mine, other, ack, answer, frame_of(7)):
        library.queue.put(event)
    await asyncio.sleep(0)
    got = [room._ffi_queue.get_nowait() for _ in range(room._ffi_queue.qsize())]
    assert got == [mine, answer]
    del room._ffi_queue
    assert not room_events.only_its_own(room)  # an SDK without these names: the room gets what it always got
    room._ffi_handle = None
    del room
    gc.collect()
