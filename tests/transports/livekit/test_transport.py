from __future__ import annotations

import asyncio

import pytest
from livekit import rtc

from sessionactors.interfaces.room_wants import AudioOutWants, RoomWants
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError, OptionError, SessionStateError
from sessionactors.transports.livekit import LiveKitTransport

from .loopback import Loopback, LoopbackRoom, Mic, house
from tests.transports.fakes import RoomLog
from tests.transports.virtual import in_virtual_time

__all__ = ["house"]

FRAME = AudioFrame(b"\x01\x00" * 1200, 24000)


def joined_here() -> LiveKitTransport:
    return LiveKitTransport(url="ws://server", token="t")


@in_virtual_time
async def test_who_is_there_and_who_comes_is_told_of_with_a_voice(house: Loopback) -> None:
    house.come("ann", Mic("TR_1"), kind=rtc.ParticipantKind.PARTICIPANT_KIND_SIP, attributes={"sip.ruleID": "x"})
    log, transport = RoomLog(), joined_here()
    await transport.connect(log)
    house.come("bob")
    assert log.told == [("joined", "ann"), ("joined", "bob")]
    assert house.joined_with == [("ws://server", "t")]
    assert transport.can_send_dtmf
    await transport.publish_dtmf(code=5, digit="5")
    assert house.room.pressed == [(5, "5")]
    await transport.aclose()
    assert not house.room.linked
    assert house.queue.closed


@in_virtual_time
async def test_an_avatar_that_publishes_for_the_agent_is_no_participant(house: Loopback) -> None:
    house.come("avatar", Mic("TR_1"), attributes={"lk.publish_on_behalf": "agent"})
    log, transport = RoomLog(), joined_here()
    await transport.connect(log)
    assert not log.told
    await transport.aclose()


@in_virtual_time
async def test_one_voice_lasts_as_long_as_its_participant_whatever_becomes_of_tracks(house: Loopback) -> None:
    first, second = Mic("TR_1"), Mic("TR_2")
    log, transport = RoomLog(), joined_here()
    await transport.connect(log)
    house.come("ann", first)
    heard: list[AudioFrame] = []
    ended: list[bool] = []
    voice = log.sources["ann"]
    assert voice is not None
    voice.start(heard.append, lambda: ended.append(True))
    first.say(FRAME)
    house.unpublish("ann", first)
    await asyncio.sleep(0)
    assert heard[0].duration == FRAME.duration
    assert [frame.data.strip(b"\0") for frame in heard[1:]] == [b""] * 10  # half a second: recognisers finish
    house.publish("ann", second)
    await asyncio.sleep(0)
    second.say(FRAME)
    first.say(FRAME)
    assert len(heard) == 12
    assert not ended
    house.go("ann")
    await asyncio.sleep(0)
    assert ended == [True]
    assert log.told[-1] == ("left", "ann", "client_initiated")
    await transport.aclose()


@in_virtual_time
async def test_what_is_no_microphone_is_not_listened_to(house: Loopback) -> None:
    music = Mic("TR_1", source=rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO)
    log, transport = RoomLog(), joined_here()
    await transport.connect(log)
    house.come("ann", music)
    voice = log.sources["ann"]
    assert voice is not None
    voice.start(lambda _: None, lambda: None)
    assert not music.opened
    await transport.aclose()


@in_virtual_time
async def test_a_room_of_the_users_is_left_as_it_was(house: Loopback) -> None:
    room = LoopbackRoom(house)
    await room.connect("ws://server", "t")
    transport = LiveKitTransport(room)
    await transport.connect(RoomLog())
    assert transport.room is room
    await transport.aclose()
    assert room.linked
    assert room.unpublished == ["TR_agent_1"]
    assert not any(room._events.values())


@in_virtual_time
async def test_a_room_of_the_users_may_be_connected_after_the_session_was_started(house: Loopback) -> None:
    room = LoopbackRoom(house)
    log, transport = RoomLog(), LiveKitTransport(room)
    linking = asyncio.ensure_future(transport.connect(log))
    await asyncio.sleep(1.0)
    assert not room.published
    await room.connect("ws://server", "t")
    room.emit("connection_state_changed", rtc.ConnectionState.CONN_CONNECTED)
    await linking
    assert len(room.published) == 1
    await transport.aclose()


@in_virtual_time
async def test_a_server_that_cannot_be_joined_is_named(house: Loopback) -> None:
    house.refusals.append(rtc.ConnectError("nobody there"))
    with pytest.raises(APIConnectionError, match="ws://server could not be joined: nobody there"):
        await joined_here().connect(RoomLog())


@in_virtual_time
async def test_the_voice_is_published_as_it_is_wanted(house: Loopback) -> None:
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_UNKNOWN, dtx=True)
    transport = joined_here()
    transport.configure(RoomWants(audio_output=AudioOutWants(track_publish_options=options)))
    await transport.connect(RoomLog())
    ((_, published),) = house.room.published
    assert published is options
    await transport.aclose()
    wrong = joined_here()
    wrong.configure(RoomWants(audio_output=AudioOutWants(track_publish_options="loud")))
    with pytest.raises(OptionError, match=r"track_publish_options='loud': give rtc.TrackPublishOptions"):
        await wrong.connect(RoomLog())


@in_virtual_time
async def test_a_track_that_cannot_be_published_is_named_and_nothing_is_left_behind(house: Loopback) -> None:
    house.publish_fails = RuntimeError("no permission")
    with pytest.raises(APIConnectionError, match=r"'roomio_audio' could not be published .* no permission"):
        await joined_here().connect(RoomLog())
    assert not house.room.linked
    assert house.queue.closed


@in_virtual_time
async def test_it_is_connected_once(house: Loopback) -> None:
    transport = joined_here()
    await transport.connect(RoomLog())
    with pytest.raises(SessionStateError, match="connected once"):
        await transport.connect(RoomLog())
    await transport.aclose()
    await transport.aclose()


@in_virtual_time
async def test_a_lost_room_is_joined_again_and_the_voices_go_on(house: Loopback) -> None:
    before, after = Mic("TR_1"), Mic("TR_2")
    log, transport = RoomLog(), joined_here()
    house.come("ann", before)
    house.come("bob")
    await transport.connect(log)
    heard: list[AudioFrame] = []
    voice = log.sources["ann"]
    assert voice is not None
    voice.start(heard.append, lambda: None)
    house.refusals = [rtc.ConnectError("down"), rtc.ConnectError("down")]
    house.fail()
    house.people.clear()
    house.come("ann", after)
    await asyncio.sleep(5.0)
    assert log.told == [("joined", "ann"), ("joined", "bob")]
    assert len(house.room.published) == 1
    await asyncio.sleep(15.0)
    assert log.told[2:] == [("left", "bob", "connection_lost")]
    heard.clear()
    after.say(FRAME)
    assert len(heard) == 1
    assert transport.link_losses == 1
    await transport.aclose()


@in_virtual_time
async def test_who_leaves_and_comes_while_the_sdk_links_anew_was_never_gone(house: Loopback) -> None:
    before, after = Mic("TR_1"), Mic("TR_2")
    log, transport = RoomLog(), joined_here()
    await transport.connect(log)
    house.come("ann", before)
    house.come("bob", Mic("TR_3"))
    house.come("eve")
    ended: list[bool] = []
    heard: list[AudioFrame] = []
    voice = log.sources["ann"]
    assert voice is not None
    voice.start(heard.append, lambda: ended.append(True))
    house.room.emit("reconnecting")
    house.unpublish("ann", before)
    house.go("ann", rtc.DisconnectReason.UNKNOWN_REASON)
    house.go("bob", rtc.DisconnectReason.UNKNOWN_REASON)
    house.go("eve")
    house.come("ann", after)
    house.room.emit("reconnected")
    await asyncio.sleep(14.0)
    assert log.told[3:] == [("left", "eve", "client_initiated")]
    heard.clear()
    after.say(FRAME)
    assert len(heard) == 1
    await asyncio.sleep(2.0)
    assert log.told[4:] == [("left", "bob", "connection_lost")]
    assert not ended
    house.go("ann", rtc.DisconnectReason.UNKNOWN_REASON)
    assert log.told[5:] == [("left", "ann", "unknown_reason")]
    await transport.aclose()


@in_virtual_time
async def test_a_server_that_stays_away_ends_the_link(house: Loopback) -> None:
    log, transport = RoomLog(), joined_here()
    await transport.connect(log)
    house.refusals = [rtc.ConnectError("down")] * 100
    house.fail(rtc.DisconnectReason.SERVER_SHUTDOWN)
    await asyncio.sleep(61.0)
    assert log.told == [("closed", "server_shutdown")]
    assert len(house.joined_with) < 25
    await transport.aclose()


@pytest.mark.parametrize(
    "reason",
    [
        rtc.DisconnectReason.DUPLICATE_IDENTITY,
        rtc.DisconnectReason.PARTICIPANT_REMOVED,
        rtc.DisconnectReason.ROOM_DELETED,
    ],
)
@in_virtual_time
async def test_who_was_sent_away_does_not_come_back(house: Loopback, reason: int) -> None:
    log, transport = RoomLog(), joined_here()
    await transport.connect(log)
    house.fail(reason)
    await asyncio.sleep(10.0)
    assert log.told == [("closed", rtc.DisconnectReason.Name(reason).lower())]  # type: ignore[arg-type]
    assert len(house.rooms) == 1
    await transport.aclose()


@in_virtual_time
async def test_closing_ends_the_wait_for_a_server(house: Loopback) -> None:
    log, transport = RoomLog(), joined_here()
    await transport.connect(log)
    house.refusals = [rtc.ConnectError("down")] * 100
    house.fail()
    await asyncio.sleep(1.0)
    await transport.aclose()
    await asyncio.sleep(100.0)
    assert not log.told
    assert len(house.refusals) > 95


def test_a_transport_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(OptionError, match="needs a room that you connected"):
        LiveKitTransport(url="ws://server")
    with pytest.raises(OptionError, match="no url"):
        LiveKitTransport(token="t")
    with pytest.raises(OptionError, match="api_key and api_secret"):
        LiveKitTransport(url="ws://server", room_name="lobby")
