"""What the agent lets people in a LiveKit room read, and what it reads of theirs: order, failures, rooms made anew."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import rtc
from structlog.testing import capture_logs

from sessionactors.interfaces.room_wants import RoomWants, TextOutWants
from sessionactors.interfaces.rpc import RpcError, RpcErrorCode, RpcInvocation
from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.transports.livekit import LiveKitTransport
from sessionactors.transports.livekit.transcripts import MAX_WAITING, Transcripts
from sessionactors.transports.livekit.typed_text import MAX_CHARACTERS

from .loopback import Loopback, Mic, house
from .loopback_text import Stream, Typed, data_packet, type_into
from tests.transports.fakes import RoomLog
from tests.transports.virtual import in_virtual_time

__all__ = ["house"]


def said(text: str, *, final: bool = False, segment: str = "s1", **more: Any) -> TranscriptSegment:
    return TranscriptSegment("agent", segment, text, final, **more)


def heard(text: str, *, final: bool = False, segment: str = "u1", who: str = "ann") -> TranscriptSegment:
    return TranscriptSegment(who, segment, text, final)


async def linked(wants: RoomWants | None = None) -> tuple[LiveKitTransport, RoomLog]:
    log, transport = RoomLog(), LiveKitTransport(url="ws://server", token="t")
    transport.configure(wants or RoomWants())
    await transport.connect(log)
    return transport, log


async def settled() -> None:
    await asyncio.sleep(0.001)


def facts(stream: Stream) -> tuple[str, str, str | None]:
    """Who, what, and whether it was final when it began."""
    return stream.sender, stream.text, stream.attributes.get("lk.transcription_final")


@in_virtual_time
async def test_the_agents_words_are_one_stream_for_each_stretch(house: Loopback) -> None:
    transport, _ = await linked()
    for text in ("Hello ", "there."):
        transport.publish_transcript(said(text))
        await settled()
    (stream,) = house.room.words.streams
    assert (stream.topic, stream.sender, stream.chunks) == ("lk.transcription", "agent", ["Hello ", "there."])
    open_attributes = {
        "lk.segment_id": "s1",
        "lk.transcribed_track_id": "TR_agent_1",
        "lk.transcription_final": "false",
    }
    assert stream.attributes == open_attributes
    assert not stream.closed
    transport.publish_transcript(said("", final=True))
    transport.publish_transcript(said("Next.", final=True, segment="s2"))
    transport.publish_transcript(said("", final=True, segment="s3"))  # nothing was said of it
    await settled()
    assert stream.closing == {**open_attributes, "lk.transcription_final": "true"}
    assert [(other.text, other.closed) for other in house.room.words.streams] == [
        ("Hello there.", True),
        ("Next.", True),
    ]
    await transport.aclose()


@in_virtual_time
async def test_a_users_words_are_a_stream_each_time_with_all_of_them(house: Loopback) -> None:
    house.come("ann", Mic("TR_ann"))
    transport, _ = await linked()
    for piece in (heard("How"), heard("How are"), heard("How are you", final=True), heard("Good", segment="u2")):
        transport.publish_transcript(piece)
        await settled()
    streams = house.room.words.streams
    assert [facts(stream) for stream in streams] == [
        ("ann", "How", "false"),
        ("ann", "How are", "false"),
        ("ann", "How are you", "true"),
        ("ann", "Good", "false"),
    ]
    assert [stream.attributes["lk.segment_id"] for stream in streams] == ["u1", "u1", "u1", "u2"]
    assert {stream.attributes["lk.transcribed_track_id"] for stream in streams} == {"TR_ann"}
    assert all(stream.closed for stream in streams)
    await transport.aclose()


@in_virtual_time
async def test_a_slow_room_gets_less_often_more_and_every_end(house: Loopback) -> None:
    transport, _ = await linked()
    words = house.room.words
    words.gate.clear()
    for piece in (
        *(said(f"{number} ") for number in range(20)),
        *(heard("x" * number) for number in range(1, 20)),
        heard("done", final=True),
        heard("again", segment="u2", final=True),
        said("end", final=True),
    ):
        transport.publish_transcript(piece)
        await settled()
    words.gate.set()
    await settled()
    agents, *users = words.streams
    assert agents.text == "".join(f"{number} " for number in range(20)) + "end"
    assert len(agents.chunks) == 2, "what was begun, and all the rest at once"
    assert [facts(stream) for stream in users] == [("ann", "done", "true"), ("ann", "again", "true")]
    await transport.aclose()


@in_virtual_time
@pytest.mark.parametrize("broken", ["stream_text", "write", "aclose"])
async def test_what_failed_is_made_good_with_the_next_piece_and_an_end_is_tried_twice(
    house: Loopback, broken: str
) -> None:
    transport, _ = await linked()
    words = house.room.words
    words.faults[broken] = [RuntimeError("no"), RuntimeError("no")]
    with capture_logs() as lines:
        for text in ("One ", "two ", "three."):
            transport.publish_transcript(said(text))
            await settled()
        transport.publish_transcript(said("", final=True))
        await settled()
    whole = [stream for stream in words.streams if stream.closed]
    if broken == "aclose":
        assert whole == [], "it was tried twice"
    else:
        assert [stream.text for stream in whole] == ["One two three."]
    transport.publish_transcript(heard("Fine", final=True))
    await settled()
    assert [facts(stream) for stream in words.streams if stream.closed][-1] == ("ann", "Fine", "true")
    failures = [line for line in lines if line["event"] == "livekit_transcript_failed"]
    assert [line["log_level"] for line in failures] == ["warning", "debug"]
    await transport.aclose()


@in_virtual_time
async def test_a_stream_that_hangs_costs_itself_only(house: Loopback) -> None:
    transport, _ = await linked()
    words = house.room.words
    words.gate.clear()
    transport.publish_transcript(heard("hangs"))
    await asyncio.sleep(5.1)
    words.gate.set()
    transport.publish_transcript(heard("goes", final=True))
    await settled()
    assert [stream.text for stream in words.streams] == ["goes"]
    await transport.aclose()


@in_virtual_time
async def test_a_room_made_anew_gets_the_whole_stretch_and_what_was_said_meanwhile(house: Loopback) -> None:
    transport, _ = await linked()
    transport.publish_transcript(said("Before. "))
    transport.set_attributes({"lk.agent.state": "speaking"})
    await settled()
    first = house.room
    house.fail()
    transport.publish_transcript(said("Meanwhile. "))
    transport.publish_transcript(heard("Hello?", final=True))
    transport.set_attributes({"lk.agent.state": "listening"})
    await asyncio.sleep(1.0)
    second = house.room
    assert second is not first
    assert [facts(stream) for stream in second.words.streams] == [
        ("agent", "Before. Meanwhile. ", "false"),
        ("ann", "Hello?", "true"),
    ]
    assert first.words.attributes == [{"lk.agent.state": "speaking"}]
    assert second.words.attributes == [{"lk.agent.state": "listening"}]
    await transport.aclose()


@in_virtual_time
async def test_words_that_the_end_of_the_session_cuts_off_have_an_end(house: Loopback) -> None:
    transport, _ = await linked()
    transport.publish_transcript(said("I was about to"))
    await settled()
    await transport.aclose()
    (stream,) = house.room.words.streams
    assert stream.closing is not None
    assert stream.closing["lk.transcription_final"] == "true"


@in_virtual_time
async def test_what_waits_for_a_room_is_bounded(house: Loopback) -> None:
    transcripts = Transcripts(TextOutWants())
    for number in range(MAX_WAITING + 2):
        transcripts.show(heard("x", final=True, segment=f"u{number}"))
    assert transcripts.dropped == 2


@in_virtual_time
async def test_lines_of_json_say_when_words_are_spoken_and_how(house: Loopback) -> None:
    transport, _ = await linked(RoomWants(text_output=TextOutWants(json_format=True)))
    transport.publish_transcript(said("Grüß ", start_time=0.0, end_time=0.3, expression="happy"))
    transport.publish_transcript(said("Gott."))
    transport.publish_transcript(said("", final=True))
    transport.publish_transcript(heard("Hello", final=True))
    await settled()
    agents, users = house.room.words.streams
    assert [json.loads(line) for line in agents.text.splitlines()] == [
        {"text": "Grüß ", "start_time": 0.0, "end_time": 0.3},
        {"text": "Gott."},
    ]
    assert json.loads(agents.attributes["lk.expression"]) == {"expression": "happy", "value": "happy"}
    assert users.text == "Hello"
    await transport.aclose()


def app(protocol: int, **more: Any) -> SimpleNamespace:
    """Somebody with an app that knows so much of the protocol."""
    whom = {"kind": rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD, "attributes": {}, "track_publications": {}, **more}
    return SimpleNamespace(identity="app", _info=SimpleNamespace(client_protocol=protocol), **whom)


@in_virtual_time
@pytest.mark.parametrize(
    "reader, packets",
    [
        (app(2), 3),
        (app(3), 0),
        (app(0, kind=rtc.ParticipantKind.PARTICIPANT_KIND_SIP), 0),
        (app(0, attributes={"lk.publish_on_behalf": "agent"}), 0),
    ],
)
async def test_old_apps_get_packets_with_all_of_a_stretch(house: Loopback, reader: Any, packets: int) -> None:
    house.people["app"] = reader
    transport, _ = await linked()
    for piece in (said("One "), said("two."), said("", final=True), heard("nobody has a track for this", who="zoe")):
        transport.publish_transcript(piece)
        await settled()
    sent = house.room.words.packets
    assert len(sent) == packets
    assert [(packet.segments[0].text, packet.segments[0].final) for packet in sent] == [
        ("One ", False),
        ("One two.", False),
        ("One two.", True),
    ][:packets]
    assert {(packet.participant_identity, packet.track_sid) for packet in sent} <= {("agent", "TR_agent_1")}
    await transport.aclose()


@in_virtual_time
async def test_an_avatars_track_is_the_one_that_is_transcribed(house: Loopback) -> None:
    transport, _ = await linked(RoomWants(audio_output=None))
    house.come("avatar", Mic("TR_avatar"), attributes={"lk.publish_on_behalf": "agent"})
    transport.publish_transcript(said("Hello", final=True))
    await settled()
    assert house.room.words.streams[0].attributes["lk.transcribed_track_id"] == "TR_avatar"
    await transport.aclose()


@in_virtual_time
async def test_the_newest_attribute_is_there_in_the_end_whatever_fails(house: Loopback) -> None:
    transport, _ = await linked()
    words = house.room.words
    words.faults["set_attributes"] = [RuntimeError("not now")]
    transport.set_attributes({"lk.agent.state": "thinking", "a": "1"})
    await settled()
    transport.set_attributes({"lk.agent.state": "speaking"})
    await asyncio.sleep(1.1)
    transport.set_attributes({"lk.agent.state": "speaking"})
    await settled()
    assert words.attributes == [{"lk.agent.state": "speaking", "a": "1"}]
    transport.set_attributes({"lk.agent.state": "listening"})
    await transport.aclose()
    assert words.attributes[1:] == [{"lk.agent.state": "listening"}], "also at the end"


@in_virtual_time
@pytest.mark.parametrize("allowed", [True, False])
async def test_a_token_that_forbids_attributes_is_named(house: Loopback, allowed: bool) -> None:
    house.permissions = SimpleNamespace(can_update_metadata=allowed)
    with capture_logs() as lines:
        transport, _ = await linked()
    missing = [line["missing_grant"] for line in lines if line["event"] == "livekit_attributes_not_allowed"]
    assert missing == ([] if allowed else ["can_update_own_metadata"])
    await transport.aclose()


@in_virtual_time
async def test_chat_is_read_in_order_and_half_a_message_is_none(house: Loopback) -> None:
    house.come("ann")
    house.come("avatar", attributes={"lk.publish_on_behalf": "agent"})
    transport, log = await linked()
    later = asyncio.Event()
    type_into(house.room, Typed("one ", "and ", "all", after=later))
    type_into(house.room, Typed("two"))
    readers = [Typed("half", error=ConnectionError("gone")), Typed("x" * MAX_CHARACTERS, "x"), Typed("three")]
    for reader in readers:
        type_into(house.room, reader)
    type_into(house.room, Typed("who?"), "stranger")
    type_into(house.room, Typed("I speak for the agent"), "avatar")
    await settled()
    assert log.texts() == []
    later.set()
    await settled()
    assert log.texts() == ["one and all", "two", "three"]
    assert all(reader.closed for reader in readers)
    await transport.aclose()
    assert "lk.chat" not in house.room._text_stream_handlers


@in_virtual_time
async def test_a_program_that_reads_the_chat_itself_keeps_it(house: Loopback) -> None:
    room = rtc.Room()
    own = lambda _reader, _identity: None  # noqa: E731
    room.register_text_stream_handler("lk.chat", own)
    transport = LiveKitTransport(room)
    room.linked = True  # type: ignore[attr-defined]
    with capture_logs() as lines:
        await transport.connect(RoomLog())
    assert [line["topic"] for line in lines if line["event"] == "livekit_chat_is_read_elsewhere"] == ["lk.chat"]
    await transport.aclose()
    assert room._text_stream_handlers["lk.chat"] is own


@in_virtual_time
async def test_packets_of_old_chats_are_read_once(house: Loopback) -> None:
    house.come("ann")
    transport, log = await linked()
    for packet in (
        data_packet(b'{"id": "1", "message": "hello"}'),
        data_packet(b'{"message": "it is a stream as well", "ignoreLegacy": true}'),
        data_packet(b'{"message": "another topic"}', topic="game"),
        data_packet(b'{"message": "of a server"}', identity=None),
        data_packet(b'{"message": 7}'),
        data_packet(b"\xff\x00"),
        data_packet(b"[]"),
        data_packet(b"{" * 100_000),
    ):
        house.room.emit("data_received", packet)
    assert log.texts() == ["hello"]
    await transport.aclose()


@in_virtual_time
async def test_keys_of_callers_are_told(house: Loopback) -> None:
    ann = house.come("ann")
    transport, log = await linked()
    house.room.emit("sip_dtmf_received", rtc.SipDTMF(code=11, digit="#", participant=ann))
    house.room.emit("sip_dtmf_received", rtc.SipDTMF(code=1, digit="1"))
    assert log.told[1:] == [("key", "ann", "#")]
    assert transport.may_have_telephones
    await transport.aclose()


@in_virtual_time
async def test_changes_of_participants_are_told_and_those_of_the_agent_are_not(house: Loopback) -> None:
    ann = house.come("ann")
    transport, log = await linked()
    agent = object.__new__(rtc.LocalParticipant)
    for who in (ann, agent):
        house.room.emit("participant_attributes_changed", {"hand": "up"}, who)
        house.room.emit("participant_metadata_changed", who, "", "calm")
    assert log.told[1:] == [("changed", "ann", "{'hand': 'up'}", "None"), ("changed", "ann", "{}", "calm")]
    await transport.aclose()


@in_virtual_time
async def test_methods_are_there_in_each_room_that_is_made(house: Loopback) -> None:
    transport = LiveKitTransport(url="ws://server", token="t")
    calls: list[RpcInvocation] = []

    async def start_turn(call: RpcInvocation) -> str:
        calls.append(call)
        return "started"

    def refuse(_call: RpcInvocation) -> None:
        raise RpcError(7, "not now", "data")

    transport.register_rpc_method("start_turn", start_turn)
    await transport.connect(RoomLog())
    transport.register_rpc_method("refuse", refuse)
    transport.register_rpc_method("gone", refuse)
    transport.unregister_rpc_method("gone")
    transport.unregister_rpc_method("never")
    data = rtc.RpcInvocationData("r1", "ann", "please", 3.0, "start_turn")
    assert await house.room.words.methods["start_turn"](data) == "started"
    assert calls == [RpcInvocation("r1", "ann", "please", 3.0, "start_turn")]
    with pytest.raises(rtc.RpcError) as refused:
        await house.room.words.methods["refuse"](data)
    assert (refused.value.code, refused.value.message, refused.value.data) == (7, "not now", "data")
    house.fail()
    await asyncio.sleep(1.0)
    assert sorted(house.room.words.methods) == ["refuse", "start_turn"]
    await transport.aclose()


@in_virtual_time
async def test_methods_of_participants_are_called(house: Loopback) -> None:
    transport, _ = await linked()
    room = house.room
    room.words.answers = {"show": "shown", "no": rtc.RpcError(1400, "no such method")}
    call: dict[str, Any] = {"destination_identity": "ann", "payload": "map"}
    assert await transport.perform_rpc(method="show", response_timeout=2.0, **call) == "shown"
    assert room.words.called == [("ann", "show", "map", 2.0)]
    with pytest.raises(RpcError, match="no such method") as missing:
        await transport.perform_rpc(method="no", **call)
    assert missing.value.code == RpcErrorCode.UNSUPPORTED_METHOD
    house.fail()
    with pytest.raises(RpcError, match="'show' of 'ann' was not called: the room is not connected"):
        await transport.perform_rpc(method="show", **call)
    await transport.aclose()


@in_virtual_time
async def test_somebody_can_hear_when_they_have_subscribed(house: Loopback) -> None:
    house.listens = False
    transport, _ = await linked()
    waiting = asyncio.ensure_future(transport.wait_subscribed())
    await settled()
    assert not waiting.done()
    house.room.subscribed.set_result(None)
    await waiting
    assert transport.sdk_room is house.room
    await transport.aclose()
    silent, _ = await linked(RoomWants(audio_output=None, text_output=None, text_input=False))
    await silent.wait_subscribed()
    silent.publish_transcript(said("nobody reads"))
    await silent.aclose()
