"""The adapters for web frameworks, each on its own server on loopback: a call, and a message that is too large."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import pytest
import uvicorn
from aiohttp import web
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from sessionactors import (
    Agent,
    AiohttpSocket,
    CloseCode,
    RoomSupervisor,
    SessionSpec,
    StarletteSocket,
    WebSocketLimits,
    WebSocketRooms,
)
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.testing.websocket_clients import NativeClient

# starlette and uvicorn come with mcp, which the tests need anyway
LIMIT = 4096


@asynccontextmanager
async def starlette(calls: WebSocketRooms) -> AsyncIterator[int]:
    async def call(websocket: WebSocket) -> None:
        await websocket.accept()
        await calls.serve(StarletteSocket(websocket))

    app = Starlette(routes=[WebSocketRoute("/", call)])
    config = uvicorn.Config(app, lifespan="off", log_level="warning", ws_max_size=LIMIT, ws="websockets-sansio")
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server._serve([listening]))
    while not server.started:  # noqa: ASYNC110  it has no event
        await asyncio.sleep(0.005)
    yield listening.getsockname()[1]
    server.should_exit = True
    await serving


@asynccontextmanager
async def aiohttp(calls: WebSocketRooms) -> AsyncIterator[int]:
    async def call(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse(max_msg_size=LIMIT)
        await response.prepare(request)
        await calls.serve(AiohttpSocket(response, request))
        return response

    app = web.Application()
    app.router.add_get("/", call)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.mark.parametrize("framework", [starlette, aiohttp])
async def test_a_framework_serves_calls(
    framework: Callable[[WebSocketRooms], AbstractAsyncContextManager[int]],
) -> None:
    seen: list[str] = []

    def session_for(room: str) -> SessionSpec:
        llm = ScriptedLLM(otherwise=ScriptedReply("Yes.", ttft=0.0, duration=0.0))
        return SessionSpec(agent=Agent(instructions="Be brief."), llm=llm)

    def allow(hello: object, headers: object) -> bool:
        assert isinstance(headers, dict)
        seen.append(headers["upgrade"])
        return True

    async with RoomSupervisor(session_for, system="running") as rooms:
        limits = WebSocketLimits(max_message_bytes=LIMIT, close_within=0.5)
        calls = WebSocketRooms(rooms, token=None, limits=limits, allow=allow)
        async with framework(calls) as port:
            url = f"ws://127.0.0.1:{port}/"
            async with NativeClient(url, room="r") as client:
                await client.send(type="text", text="Hello?")
                await client.until(lambda: client.said().strip() == "Yes.")
                await client.send(type="bye")
                assert await client.closed() == CloseCode.NORMAL
            async with NativeClient(url) as large:
                await large.until(lambda: large.of("ready"))
                with suppress(Exception):
                    await large.connection.send(bytes(LIMIT + 1000))
                assert await large.closed() == CloseCode.TOO_BIG
            async with NativeClient(url) as ended:
                await ended.until(lambda: ended.of("ready"))
                (room,) = rooms.list()
                await room.aclose()
                assert await ended.closed() == CloseCode.NORMAL
    assert seen == ["websocket"] * 3
    assert calls.stats.open == 0
    assert calls.stats.ended[CloseCode.TOO_BIG] == 1
