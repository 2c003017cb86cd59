"""Text, state, keys and calls over a LiveKit server, with a caller of the SDK; skipped where there is no server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livekit import rtc

from sessionactors import (
    Agent,
    AgentSession,
    ChatMessage,
    RoomOptions,
    RpcError,
    RpcErrorCode,
    RpcInvocation,
    TextOutputOptions,
)
from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.testing.scripted_tts import ScriptedTTS
from sessionactors.transports.livekit import LiveKitTransport

from .test_real_rooms import Caller, room_name, server, until
from benchmarks.livekit_server import Server

__all__ = ["room_name", "server"]

pytestmark = [
    pytest.mark.livekit,
    pytest.mark.leaves_behind("the SDK's native library keeps its threads"),
    pytest.mark.may_block("the SDK asks its native library on the loop"),
]


class Reader(Caller):
    """Somebody with the SDK, who keeps what there is to read."""

    def __init__(self, server: Server, room: str) -> None:
        super().__init__(server, room)
        self.streams: list[tuple[str, dict[str, str], list[str]]] = []
        """Who, attributes (those of the end once it is there), and pieces."""
        self.ended = 0
        self.states: list[str] = []
        self._reading: set[asyncio.Task[None]] = set()
        self.room.register_text_stream_handler("lk.transcription", self._opened)
        self.room.on("participant_attributes_changed", self._changed)

    def _opened(self, reader: rtc.TextStreamReader, who: str) -> None:
        task = asyncio.ensure_future(self._read(reader, who))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _read(self, reader: rtc.TextStreamReader, who: str) -> None:
        pieces: list[str] = []
        stream = (who, reader.info.attributes or {}, pieces)
        self.streams.append(stream)
        async for piece in reader:
            pieces += [piece]
        self.streams[self.streams.index(stream)] = (who, reader.info.attributes or {}, pieces)
        self.ended += 1

    def _changed(self, changed: dict[str, str], _participant: rtc.Participant) -> None:
        self.states += [changed["lk.agent.state"]] if "lk.agent.state" in changed else []


@pytest.fixture
async def call(server: Server, room_name: str) -> AsyncIterator[tuple[AgentSession[Any], LiveKitTransport, Reader]]:
    # The server lets only participants of the kind "agent" speak in another one's name: such is the token made here.
    transport = LiveKitTransport(url=server.url, api_key=server.key, api_secret=server.secret, room_name=room_name)
    llm = ScriptedLLM([ScriptedReply("You typed."), ScriptedReply("Twice.")])
    session: AgentSession[Any] = AgentSession(llm=llm, tts=ScriptedTTS(), stt=None, vad=None)
    options = RoomOptions(text_output=TextOutputOptions(json_format=True))
    async with Reader(server, room_name) as caller:
        await caller.publish()
        await session.start(Agent(instructions="x"), room=transport, room_options=options)
        await asyncio.wait_for(session.room_io.wait_for_ready(), 6)
        yield session, transport, caller
        await session.aclose()


async def test_people_read_what_is_said_and_done_and_type_press_and_call(
    call: tuple[AgentSession[Any], LiveKitTransport, Reader],
) -> None:
    session, transport, caller = call
    # -- read
    await session.say("Hello there.").wait_for_playout()
    await until(lambda: caller.ended == 1)
    who, attributes, pieces = caller.streams[0]
    lines = [json.loads(line) for line in "".join(pieces).splitlines()]
    assert (who, "".join(line["text"] for line in lines)) == ("agent", "Hello there.")
    assert all(line["end_time"] > 0 for line in lines)
    assert attributes["lk.transcription_final"] == "true"
    assert attributes["lk.transcribed_track_id"].startswith("TR_")
    transport.publish_transcript(TranscriptSegment("caller", "u1", "As I", final=False))
    await until(lambda: caller.ended == 2)
    transport.publish_transcript(TranscriptSegment("caller", "u1", "As I said.", final=True))
    await until(lambda: caller.ended == 3)
    users = caller.streams[1:]
    assert [(who, pieces, facts["lk.transcription_final"], facts["lk.segment_id"]) for who, facts, pieces in users] == [
        ("caller", ["As I"], "false", "u1"),
        ("caller", ["As I said."], "true", "u1"),
    ]
    assert caller.publication is not None
    assert {facts["lk.transcribed_track_id"] for _, facts, _ in users} == {caller.publication.sid}
    await until(lambda: caller.states[-1:] == ["listening"])
    assert "speaking" in caller.states
    # -- type
    await caller.room.local_participant.send_text("Are you there?", topic="lk.chat")
    await until(lambda: caller.ended == 4)
    await caller.room.local_participant.publish_data(b'{"message": "And now?"}', topic="lk-chat-topic")
    await until(lambda: caller.ended == 5)
    messages = [item for item in session.history.items if isinstance(item, ChatMessage)]
    said = [message.text_content for message in messages if message.role == "user"]
    assert said == ["Are you there?", "And now?"]
    # -- press
    keys: list[str] = []
    session.on("sip_dtmf_received", lambda event: keys.append(event.digit))
    await caller.room.local_participant.publish_dtmf(code=11, digit="#")
    await until(lambda: keys == ["#"])
    # -- call
    room = session.room_io.room
    assert isinstance(room, rtc.Room)
    room.local_participant.register_rpc_method("own", lambda _data: "the program's own")

    @session.room_io.register_rpc_method("greet")
    async def greet(call: RpcInvocation) -> str:
        return f"Hello {call.caller_identity}, {call.payload}"

    there: dict[str, Any] = {"destination_identity": "agent", "payload": "you"}
    assert await caller.room.local_participant.perform_rpc(method="greet", **there) == "Hello caller, you"
    assert await caller.room.local_participant.perform_rpc(method="own", **there) == "the program's own"
    caller.room.local_participant.register_rpc_method("show", lambda data: f"shown: {data.payload}")
    assert await session.room_io.perform_rpc(method="show", payload="map") == "shown: map"
    with pytest.raises(RpcError) as unknown:
        await session.room_io.perform_rpc(method="hide")
    assert unknown.value.code == RpcErrorCode.UNSUPPORTED_METHOD
