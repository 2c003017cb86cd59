"""What the agent shows in a LiveKit room."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import rtc

from sessionactors import VideoFrame
from sessionactors.model.errors import APIConnectionError, OptionError, SessionStateError, VideoFormatError
from sessionactors.transports.livekit import LiveKitTransport, video_out

from .loopback import Loopback, house
from tests.transports.fakes import RoomLog
from tests.transports.virtual import in_virtual_time

__all__ = ["house"]


class Source:
    """The SDK's source of video."""

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        self.shown: list[Any] = []
        self.closed = 0

    def capture_frame(self, frame: Any) -> None:
        self.shown.append(frame)

    async def aclose(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch) -> list[Source]:
    made: list[Source] = []

    def open_source(width: int, height: int) -> Source:
        made.append(Source(width, height))
        return made[-1]

    monkeypatch.setattr(video_out, "open_source", open_source)
    monkeypatch.setattr(video_out, "track_of", lambda source: SimpleNamespace(name="agent_video", source=source))
    return made


@in_virtual_time
async def test_frames_are_shown_on_a_track_that_is_published_in_each_room(
    house: Loopback, sources: list[Source]
) -> None:
    transport = LiveKitTransport(url="ws://server", token="t")
    await transport.connect(RoomLog())
    video = await transport.open_video(2, 1)
    assert video is not None
    _, (track, options) = house.room.published
    assert (track.name, options.source) == ("agent_video", rtc.TrackSource.SOURCE_CAMERA)
    video.show(VideoFrame(bytes(range(8)), 2, 1))
    (shown,) = sources[0].shown
    assert (shown.width, shown.height, shown.type) == (2, 1, rtc.VideoBufferType.RGBA)
    assert bytes(shown.data) == bytes(range(8))
    with pytest.raises(VideoFormatError, match="image/png"):
        video.show(VideoFrame(b"x", 2, 1, "image/png"))
    house.room.linked = False
    house.room.emit("disconnected", rtc.DisconnectReason.SERVER_SHUTDOWN)
    await asyncio.sleep(1.0)
    assert [track.name for track, _ in house.room.published] == ["roomio_audio", "agent_video"]
    await video.aclose()
    await video.aclose()
    video.show(VideoFrame(bytes(8), 2, 1))
    assert house.room.unpublished == ["TR_agent_2"]
    assert (len(sources[0].shown), sources[0].closed) == (1, 1)
    await transport.aclose()


@in_virtual_time
async def test_what_cannot_be_published_is_told_and_left_out(house: Loopback, sources: list[Source]) -> None:
    transport = LiveKitTransport(url="ws://server", token="t")
    with pytest.raises(SessionStateError, match="not connected"):
        await transport.open_video(2, 2)
    await transport.connect(RoomLog())
    with pytest.raises(OptionError, match="TrackPublishOptions"):
        await transport.open_video(2, 2, "big")
    house.publish_fails = RuntimeError("no permission")
    with pytest.raises(APIConnectionError, match="no permission"):
        await transport.open_video(2, 2)
    assert sources[-1].closed == 1
    await transport.aclose()
