"""A server of rooms with an actor loop of its own: sockets are there, the user's code is not, and neither waits."""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from sessionactors import Agent, RoomSupervisor, SessionSpec
from sessionactors.model.errors import SessionStateError
from sessionactors.service.websocket_rooms import WebSocketRooms
from sessionactors.service.websocket_server import RoomServer, serve_rooms
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.testing.scripted_tts import ScriptedTTS
from sessionactors.testing.websocket_clients import NativeClient
from sessionactors.transports.websocket import CloseCode, WebSocketLimits

STORY = "Once upon a time there was a king who had no sons, but a daughter who liked numbers."
LIMITS = WebSocketLimits(close_within=0.5, send_ahead=0.2)


def spec(_room: str) -> SessionSpec:
    return SessionSpec(
        agent=Agent(instructions="Tell stories."),
        llm=ScriptedLLM(otherwise=ScriptedReply(STORY, ttft=0.0, duration=0.0)),
        tts=ScriptedTTS(ttfb=0.0, seconds_per_character=0.01, speed=100.0),
    )


@asynccontextmanager
async def serving(**options: object) -> AsyncIterator[tuple[RoomServer, RoomSupervisor]]:
    async with (
        RoomSupervisor(spec, max_sessions=2) as rooms,
        serve_rooms(rooms, token=None, port=0, limits=LIMITS, **options) as server,  # type: ignore[arg-type]
    ):
        yield server, rooms


async def test_the_users_code_is_called_on_the_users_loop() -> None:
    threads: dict[str, int] = {}

    def page(_connection: ServerConnection, request: Request) -> Response | None:
        threads["page"] = threading.get_ident()
        return Response(HTTPStatus.NO_CONTENT, "No Content", request.headers) if request.path == "/page" else None

    async def allow(*_: object) -> bool:
        threads["allow"] = threading.get_ident()
        return True

    def room_for(_hello: object) -> str:
        threads["room_for"] = threading.get_ident()
        return "r"

    async with serving(process_request=page, allow=allow, room_for=room_for) as (server, rooms):
        answer = await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{server.port}/page")
        answer.close()
        assert answer.status == HTTPStatus.NO_CONTENT
        async with NativeClient(server.url) as client:
            await client.until(lambda: client.of("ready"))
            await client.until(lambda: [said for said in client.of("state") if said["who"] == "user"])
            assert [handle.room for handle in rooms.list()] == ["r"]
            await client.send(type="bye")
            assert await client.closed() == CloseCode.NORMAL
    assert threads == dict.fromkeys(("page", "allow", "room_for"), threading.get_ident())
    assert server.stats.ended == {None: 1}


@pytest.mark.may_block(in_functions={"block"})
async def test_while_the_users_code_blocks_its_loop_audio_flows_on() -> None:
    def block() -> None:
        time.sleep(0.4)

    async with serving() as (server, _):
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def listen() -> tuple[float, list[float]]:
            async with NativeClient(server.url) as client:
                await client.send(type="text", text="Tell me a story.")
                await client.until(lambda: client.of("begin"))
                loop.call_soon_threadsafe(asked.set)
                await client.until(lambda: client.of("end"))
                return client.player.seconds, client.player.gaps

        listening = asyncio.create_task(asyncio.to_thread(asyncio.run, listen()))
        await asked.wait()
        block()  # twice what is sent ahead
        seconds, gaps = await listening
    assert seconds == pytest.approx(len(STORY) * 0.01, abs=0.01)
    assert sum(gaps) < 0.2


async def test_rooms_that_close_first_take_the_server_with_them() -> None:
    async with RoomSupervisor(spec) as rooms, serve_rooms(rooms, token=None, port=0, limits=LIMITS) as server:
        async with NativeClient(server.url) as client:
            await client.until(lambda: client.of("ready"))
            await rooms.aclose()
            assert await client.closed() == CloseCode.NORMAL
        assert server.stats.open == 0


async def test_a_connection_of_a_third_loop_is_refused() -> None:
    async with RoomSupervisor(spec) as rooms:
        calls = WebSocketRooms(rooms, token=None)

        async def serve() -> None:
            await calls.serve(object())  # type: ignore[arg-type]

        with pytest.raises(SessionStateError, match="another loop"):
            await asyncio.to_thread(asyncio.run, serve())
