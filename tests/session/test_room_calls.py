"""Calls between a session's program and the participants, and what else the program asks of its room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sessionactors import (
    AgentSession,
    OptionError,
    RoomOptions,
    RpcError,
    RpcErrorCode,
    RpcInvocation,
    SessionStateError,
    TextOutput,
    TextOutputOptions,
)
from sessionactors.transports import MemoryTransport
from sessionactors.transports.file import FileTransport

from tests.session.talks import Session, keeper


@asynccontextmanager
async def running(room: MemoryTransport, **options: object) -> AsyncIterator[Session]:
    session: Session = AgentSession()
    await session.start(keeper(), room=room, **options)  # type: ignore[arg-type]
    try:
        yield session
    finally:
        await session.aclose()


async def test_a_participant_calls_a_method_of_the_program() -> None:
    room = MemoryTransport(audio=False)
    calls: list[RpcInvocation] = []
    async with running(room) as session:
        io = session.room_io
        assert io.has_rpc

        @io.register_rpc_method("start_turn")
        async def start_turn(call: RpcInvocation) -> str:
            await asyncio.sleep(0)
            calls.append(call)
            return f"started by {call.caller_identity}"

        def end_turn(call: RpcInvocation) -> None:
            raise RpcError(7, "not now", "data")

        assert io.register_rpc_method("end_turn", end_turn) is end_turn
        assert await room.call("start_turn", "please", response_timeout=3.0) == "started by caller"
        assert [(call.method, call.payload, call.response_timeout) for call in calls] == [("start_turn", "please", 3.0)]
        with pytest.raises(RpcError, match="not now") as refused:
            await room.call("end_turn")
        assert (refused.value.code, refused.value.data) == (7, "data")
        io.unregister_rpc_method("end_turn")
        io.unregister_rpc_method("never_there")
        with pytest.raises(RpcError) as unknown:
            await room.call("end_turn")
        assert unknown.value.code == RpcErrorCode.UNSUPPORTED_METHOD


async def test_what_a_method_raises_hurts_nobody_and_is_not_told_in_full() -> None:
    room = MemoryTransport(audio=False)
    async with running(room) as session:

        @session.room_io.register_rpc_method("broken")
        def broken(_call: RpcInvocation) -> str:
            raise ValueError("password is 1234")

        @session.room_io.register_rpc_method("slow")
        async def slow(_call: RpcInvocation) -> str:
            await asyncio.Event().wait()
            return ""

        with pytest.raises(RpcError, match=r"'broken' of 'agent' raised ValueError$") as failed:
            await room.call("broken")
        with pytest.raises(RpcError) as late:
            await room.call("slow", response_timeout=0.001)
        assert (failed.value.code, late.value.code) == (RpcErrorCode.APPLICATION_ERROR, RpcErrorCode.RESPONSE_TIMEOUT)


async def test_the_program_calls_methods_of_participants() -> None:
    room = MemoryTransport(audio=False)
    room.join("other")
    room.offer("show", lambda call: f"{call.caller_identity} shows {call.payload}")
    room.offer("show", lambda _call: None, "other")
    async with running(room) as session:
        io = session.room_io
        assert await io.perform_rpc(method="show", payload="a map") == "agent shows a map"
        assert await io.perform_rpc(method="show", destination_identity="other", response_timeout=1.0) == ""
        with pytest.raises(RpcError, match="'nobody' is not in the room") as gone:
            await io.perform_rpc(method="show", destination_identity="nobody")
        assert gone.value.code == RpcErrorCode.RECIPIENT_NOT_FOUND
        with pytest.raises(OptionError, match="response_timeout must be > 0, got 0"):
            await io.perform_rpc(method="show", response_timeout=0)
    async with running(MemoryTransport(participant=None, audio=False)) as session:
        with pytest.raises(SessionStateError, match="nobody is there; give destination_identity"):
            await session.room_io.perform_rpc(method="show")


async def test_a_room_without_calls_says_so() -> None:
    quiet = FileTransport("nothing.wav")
    assert not quiet.has_rpc
    with pytest.raises(SessionStateError, match="participants of a file room cannot call 'x': it has no RPC"):
        quiet.register_rpc_method("x", lambda _call: "")
    with pytest.raises(SessionStateError, match="'x' of 'bob' cannot be called: a file room has no RPC"):
        await quiet.perform_rpc(destination_identity="bob", method="x", payload="")
    quiet.unregister_rpc_method("x")
    quiet.set_attributes({"lk.agent.state": "listening"})
    await quiet.wait_subscribed()


class Heard(MemoryTransport):
    """Somebody can hear the agent when the test says so."""

    def __init__(self) -> None:
        super().__init__(participant=None)
        self.heard = asyncio.Event()

    async def wait_subscribed(self) -> None:
        await self.heard.wait()


async def test_a_room_is_ready_when_somebody_is_there_and_can_hear() -> None:
    room = Heard()
    async with running(room) as session:
        io = session.room_io
        ready = asyncio.ensure_future(io.wait_for_ready())
        subscribed = io.subscribed_fut
        assert subscribed is not None
        assert subscribed is session.room_io.subscribed_fut
        await asyncio.sleep(0.01)
        room.join("caller")
        await asyncio.sleep(0.01)
        assert not ready.done()
        assert not subscribed.done()
        room.heard.set()
        await ready
        await subscribed
        await io.wait_for_ready()
        assert io.room is io.transport is room
        assert io.audio_output is room.audio_sink


async def test_who_waits_for_a_room_that_ends_is_told() -> None:
    room = Heard()
    async with running(room) as session:
        ready = asyncio.ensure_future(session.room_io.wait_for_ready())
        subscribed = session.room_io.subscribed_fut
        assert subscribed is not None
        await asyncio.sleep(0)
    with pytest.raises(SessionStateError, match="the session closed before anybody was there"):
        await ready
    with pytest.raises(asyncio.CancelledError):
        await subscribed


async def test_what_is_off_has_no_output() -> None:
    off = RoomOptions(audio_output=False, text_output=False)
    async with running(MemoryTransport(), room_options=off) as session:
        io = session.room_io
        assert (io.audio_output, io.subscribed_fut, io.transcription_output) == (None, None, None)


class Louder(TextOutput):
    """Passes on in capitals."""

    async def capture_text(self, text: str) -> None:
        assert self.next_in_chain is not None
        await self.next_in_chain.capture_text(text.upper())

    def flush(self) -> None:
        assert self.next_in_chain is not None
        self.next_in_chain.flush()


async def test_an_output_of_ones_own_passes_words_on_to_the_room() -> None:
    room = MemoryTransport(audio=False)
    async with running(room, room_options=RoomOptions(text_output=TextOutputOptions())) as session:
        room_output = session.room_io.transcription_output
        session.output.transcription = Louder(label="louder", next_in_chain=room_output)
        await session.say("Hello there.")
        for _ in range(50):
            if room.transcripts and room.transcripts[-1].final:
                break
            await asyncio.sleep(0.01)
    assert "".join(piece.text for piece in room.transcripts) == "HELLO THERE."
    assert len({piece.segment for piece in room.transcripts}) == 1
    assert room_output is not None
    await room_output.capture_text("too late")
    room_output.flush()
    assert "".join(piece.text for piece in room.transcripts) == "HELLO THERE."
