"""Background audio in a LiveKit room: a second track, in each room that the link makes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from livekit import rtc

from sessionactors import AudioFrame, BackgroundAudioPlayer
from sessionactors.model.errors import APIConnectionError, OptionError, SessionStateError
from sessionactors.transports.livekit import LiveKitTransport

from .loopback import Loopback, LoopbackRoom, house
from tests.transports.fakes import RoomLog
from tests.transports.virtual import in_virtual_time

__all__ = ["house"]


def beep(samples: int) -> AudioFrame:
    return AudioFrame(b"\x07\x00" * samples, 48000)


@in_virtual_time
async def test_it_is_a_track_of_its_own_and_goes_with_its_player(house: Loopback) -> None:
    transport = LiveKitTransport(url="ws://server", token="t")
    await transport.connect(RoomLog())
    sink = await transport.open_background()
    assert sink is not None
    (voice, _), (track, options) = house.room.published
    assert (voice.name, track.name) == ("roomio_audio", "background_audio")
    assert options.source == rtc.TrackSource.SOURCE_UNKNOWN
    queue = house.queue
    waiting: list[Callable[[], None]] = []
    queue.late = waiting.append  # the library takes its time
    sink.play(beep(4800))
    sink.play(beep(100))
    assert queue.captures == [4800]
    waiting.pop()()
    await asyncio.sleep(0)
    assert queue.captures == [4800, 480], "one capture at a time, in whole blocks"
    await sink.aclose()
    await sink.aclose()
    sink.play(beep(480))
    assert house.room.unpublished == ["TR_agent_2"]
    assert queue.closed
    assert queue.captures == [4800, 480]
    await transport.aclose()


@in_virtual_time
async def test_it_is_published_again_when_the_room_was_lost(house: Loopback) -> None:
    transport = LiveKitTransport(url="ws://server", token="t")
    await transport.connect(RoomLog())
    sink = await transport.open_background()
    assert sink is not None
    house.room.linked = False
    house.room.emit("disconnected", rtc.DisconnectReason.SERVER_SHUTDOWN)
    await asyncio.sleep(1.0)
    assert transport.link_losses == 1
    assert [track.name for track, _ in house.room.published] == ["roomio_audio", "background_audio"]
    await transport.aclose()
    await sink.aclose()


@in_virtual_time
async def test_what_cannot_be_published_is_told_and_left_out(house: Loopback) -> None:
    transport = LiveKitTransport(url="ws://server", token="t")
    with pytest.raises(SessionStateError, match="not connected"):
        await transport.open_background()
    await transport.connect(RoomLog())
    with pytest.raises(OptionError, match="TrackPublishOptions"):
        await transport.open_background("loud")
    house.publish_fails = RuntimeError("no permission")
    with pytest.raises(APIConnectionError, match="no permission"):
        await transport.open_background()
    assert house.queue.closed
    await transport.aclose()


async def test_a_room_of_ones_own_needs_no_session(house: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livekit.rtc.Room", LoopbackRoom.__base__)
    room = LoopbackRoom(house)
    player = BackgroundAudioPlayer()
    with pytest.raises(SessionStateError, match="not connected"):
        await player.start(room=room)
    await room.connect("ws://server", "t")
    house.publish_fails = RuntimeError("no permission")
    with pytest.raises(APIConnectionError, match="no permission"):
        await player.start(room=room)
    house.publish_fails = None
    await player.start(room=room)
    assert [track.name for track, _ in room.published] == ["background_audio"]
    await player.aclose()
    assert room.unpublished == ["TR_agent_1"]
