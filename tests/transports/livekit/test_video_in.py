"""What participants of a LiveKit room show, as the session looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import rtc

from sessionactors import VideoFrame, VideoSource
from sessionactors.interfaces.room_wants import RoomWants
from sessionactors.transports.livekit import LiveKitTransport, video_in

from .loopback import Loopback, Mic, house
from tests.transports.fakes import RoomLog
from tests.transports.virtual import in_virtual_time

__all__ = ["house"]


class Camera(Mic):
    """A participant's published camera, or screen."""

    def __init__(self, sid: str, source: int = rtc.TrackSource.SOURCE_CAMERA) -> None:
        super().__init__(sid, source=source)
        self.publication.kind = rtc.TrackKind.KIND_VIDEO
        self.streams: list[Stream] = []

    def show(self, *widths: int) -> None:
        for stream in self.streams:
            for width in widths:
                stream.frames.put_nowait(width)


class Stream:
    """The frames of a track, as the SDK gives them."""

    def __init__(self, camera: Camera) -> None:
        self.frames: asyncio.Queue[int | None] = asyncio.Queue()
        self.closed = False
        camera.streams.append(self)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (width := await self.frames.get()) is not None:
            frame = SimpleNamespace(width=width, height=1, data=bytes(4 * width))
            yield SimpleNamespace(frame=frame, timestamp_us=2_500_000)

    async def aclose(self) -> None:
        self.closed = True


class Looking(RoomLog):
    """Keeps what is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[tuple[str, VideoSource | None]] = []

    def video_published(self, identity: str, video: VideoSource | None) -> None:
        super().video_published(identity, video)
        self.shown.append((identity, video))


@pytest.fixture(autouse=True)
def streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_in, "open_stream", lambda track: Stream(track.mic))


async def looking(video: bool = True) -> tuple[Looking, LiveKitTransport]:
    log, transport = Looking(), LiveKitTransport(url="ws://server", token="t")
    transport.configure(RoomWants(video_input=video))
    await transport.connect(log)
    return log, transport


@in_virtual_time
async def test_a_camera_is_looked_at_as_long_as_the_session_wants(house: Loopback) -> None:
    camera = Camera("TR_1")
    house.come("ann", camera)
    log, transport = await looking()
    assert log.told == [("joined", "ann"), ("video", "ann")]
    video = log.shown[0][1]
    assert video is not None
    assert camera.streams == [], "nothing is decoded before somebody looks"
    frames: list[VideoFrame] = []
    video.start(frames.append, lambda: None)
    await asyncio.sleep(0)
    camera.show(1, 2)
    await asyncio.sleep(0.1)
    assert [(frame.width, frame.format, frame.captured_at) for frame in frames] == [(1, "rgba", 2.5), (2, "rgba", 2.5)]
    video.stop()
    video.stop()
    await asyncio.sleep(0.1)
    assert camera.streams[0].closed
    video.start(frames.append, lambda: None)
    await asyncio.sleep(0.1)
    assert len(camera.streams) == 2
    video.stop()
    await transport.aclose()


@in_virtual_time
async def test_the_last_one_published_is_shown_and_then_the_one_before(house: Loopback) -> None:
    camera, screen = Camera("TR_1"), Camera("TR_2", rtc.TrackSource.SOURCE_SCREENSHARE)
    log, transport = await looking()
    house.come("ann", camera, Camera("TR_3", rtc.TrackSource.SOURCE_UNKNOWN), Mic("TR_4"))
    house.publish("ann", screen)
    house.unpublish("ann", screen)
    house.unpublish("ann", camera)
    sources = [video for _, video in log.shown]
    assert len(sources) == 4
    assert sources[0] is sources[2]
    assert sources[3] is None
    assert sources[1] not in (None, sources[0])
    await transport.aclose()


@in_virtual_time
async def test_an_avatar_of_the_agent_and_who_left_are_not_looked_at(house: Loopback) -> None:
    log, transport = await looking()
    house.come("avatar", Camera("TR_1"), attributes={"lk.publish_on_behalf": "agent"})
    house.come("ann", Camera("TR_2"))
    house.go("ann")
    assert [identity for identity, _ in log.shown] == ["ann"]
    await transport.aclose()
    assert len(log.shown) == 1


@in_virtual_time
async def test_a_session_that_does_not_look_is_not_told(house: Loopback) -> None:
    house.come("ann", Camera("TR_1"))
    log, transport = await looking(video=False)
    assert log.shown == []
    await transport.aclose()


@in_virtual_time
async def test_when_the_link_goes_nothing_is_shown_and_a_track_that_ends_says_so(house: Loopback) -> None:
    camera = Camera("TR_1")
    house.come("ann", camera)
    log, transport = await looking()
    video = log.shown[0][1]
    assert video is not None
    ended: list[bool] = []
    video.start(lambda _: None, lambda: ended.append(True))
    await asyncio.sleep(0)
    camera.streams[0].frames.put_nowait(None)
    await asyncio.sleep(0.1)
    assert ended == [True]
    await transport.aclose()
    assert log.shown[-1] == ("ann", None)


@in_virtual_time
async def test_a_track_that_is_gone_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: object) -> None:
        raise RuntimeError("no such handle")

    monkeypatch.setattr(video_in, "open_stream", gone)
    track: Any = SimpleNamespace()
    ended: list[bool] = []
    video_in.TrackVideo(track).start(lambda _: None, lambda: ended.append(True))
    await asyncio.sleep(0.1)
    assert ended == []
