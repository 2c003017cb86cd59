"""An SDK without the names that are relied on: its own streams and sources serve."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import rtc

from sessionactors.model.audio import AudioFrame
from sessionactors.transports.livekit import track_audio, voice_track
from sessionactors.transports.livekit.audio_out import RoomVoice
from sessionactors.transports.livekit.sdk_queue import SdkQueue

from tests.transports.fakes import SinkLog, ramp
from tests.transports.virtual import in_virtual_time

SHAPE = track_audio.AudioShape(24000, 1, 50)


class Source:
    """An `rtc.AudioSource` that takes its time."""

    def __init__(self, channels: int = 1) -> None:
        self.sample_rate, self.num_channels = 24000, channels
        self.heard = bytearray()
        self.clears = 0
        self.fails = False
        self.disposed = False
        self._ffi_handle = SimpleNamespace(dispose=self._dispose)

    def _dispose(self) -> None:
        self.disposed = True

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await asyncio.sleep(0.001)
        if self.fails:
            raise RuntimeError("the queue is gone")
        self.heard += bytes(frame.data)

    def clear_queue(self) -> None:
        self.clears += 1
        self.heard.clear()


def queue_of(source: Any) -> SdkQueue:
    return SdkQueue(source)


@in_virtual_time
async def test_a_voice_plays_through_the_sdks_own_source() -> None:
    source = Source()
    sink, log = RoomVoice(queue_of(source)), SinkLog()
    sink.attach(log)
    sink.subscribed()
    sink.begin("a")
    sink.write("a", ramp(12000))
    sink.end("a")
    await asyncio.sleep(0.6)
    assert bytes(source.heard) == ramp(12000).data
    assert log.finished()[0].position == 0.5
    sink.close()
    assert source.disposed


@in_virtual_time
async def test_what_is_on_its_way_is_taken_back_when_it_lands() -> None:
    source = Source()
    queue = queue_of(source)
    told: list[bool] = []
    queue.capture(bytes(480), lambda: told.append(True))
    assert queue.busy
    queue.clear()
    await asyncio.sleep(0.01)
    assert (source.clears, bytes(source.heard), told) == (2, b"", [True])
    queue.silence()
    queue.close()
    queue.close()
    queue.clear()
    queue.capture(bytes(480), lambda: None)
    assert not queue.busy


@in_virtual_time
async def test_a_capture_that_fails_is_over() -> None:
    source = Source(channels=2)
    source.fails = True
    queue = queue_of(source)
    told: list[bool] = []
    queue.capture(bytes(480), lambda: told.append(True))
    await asyncio.sleep(0.01)
    assert told == [True]
    queue.close()


class Stream:
    """An `rtc.AudioStream`."""

    def __init__(self, frames: int, *, ends: bool = True) -> None:
        self.frames, self.ends, self.closed = frames, ends, False

    async def __aiter__(self) -> Any:
        for _ in range(self.frames):
            yield SimpleNamespace(frame=rtc.AudioFrame(b"\x07\x00" * 1200, 24000, 1, 1200))
        if not self.ends:
            await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("ends", [True, False])
@in_virtual_time
async def test_frames_of_the_sdks_own_stream_are_heard(ends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(3, ends=ends)
    asked: list[Any] = []

    def from_track(**options: Any) -> Stream:
        asked.append(options)
        return stream

    monkeypatch.setattr(rtc.AudioStream, "from_track", from_track)
    monkeypatch.setattr(track_audio, "is_supported", lambda: False)
    heard: list[AudioFrame] = []
    ended: list[bool] = []
    track: Any = SimpleNamespace()
    opened = track_audio.open_track(track, SHAPE, None, heard.append, lambda: ended.append(True))
    await asyncio.sleep(0.01)
    assert heard == [AudioFrame(b"\x07\x00" * 1200, 24000)] * 3
    assert asked[0]["frame_size_ms"] == 50
    assert opened.dropped == 0
    opened.close()
    opened.close()
    await asyncio.sleep(0.01)
    assert stream.closed
    assert ended == ([True] if ends else [])


class Processor(rtc.FrameProcessor[rtc.AudioFrame]):
    enabled = True

    def _process(self, frame: rtc.AudioFrame) -> rtc.AudioFrame:
        return frame

    def _close(self) -> None: ...


@in_virtual_time
async def test_a_processor_of_frames_is_given_to_the_sdk_which_tells_it_of_its_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def from_track(**options: Any) -> Stream:
        asked.append(options)
        return Stream(0)

    monkeypatch.setattr(rtc.AudioStream, "from_track", from_track)
    processor, track = Processor(), SimpleNamespace()
    opened = track_audio.open_track(track, SHAPE, processor, lambda _: None, lambda: None)  # type: ignore[arg-type]
    assert asked[0]["noise_cancellation"] is processor
    await asyncio.sleep(0.01)
    opened.close()


@in_virtual_time
async def test_the_voice_is_the_sdks_where_the_seam_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_track, "is_supported", lambda: False)
    monkeypatch.setattr(rtc, "AudioSource", lambda *_args, **_options: Source())
    queue = voice_track.open_queue(24000, 1)
    assert isinstance(queue, SdkQueue)
    queue.close()
