"""The worker example: a strict server in memory gives it a room that needs no server; the caller types."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from livekit import rtc

from sessionactors import AgentServer, ChatMessage, JobContext
from sessionactors.providers import offline
from sessionactors.service.worker.world import World
from sessionactors.testing.scripted_ear import ScriptedSTT, ScriptedVAD
from sessionactors.testing.scripted_tts import ScriptedTTS

from examples import livekit_worker
from tests.transports.livekit.loopback import Loopback, LoopbackRoom, house
from tests.wire.livekit_worker import KEY, SECRET, WorkerServer, job

_ = house  # a fixture
ROOM = rtc.Room


async def test_takes_a_room_greets_and_looks_up_an_order(
    house: Loopback,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("livekit.rtc.Room", ROOM)  # the fixture gives another one: here the worker makes the rooms
    monkeypatch.setattr(offline, "default_tts", lambda: ScriptedTTS(ttfb=0.0, seconds_per_character=0.001))
    monkeypatch.setattr(offline, "SileroVAD", lambda: ScriptedVAD([]))
    monkeypatch.setattr(offline, "PocketSphinxSTT", lambda desk: ScriptedSTT([]))
    contexts: list[JobContext] = []

    async def entrypoint(ctx: JobContext) -> None:
        contexts.append(ctx)
        await livekit_worker.entrypoint(ctx)

    server = WorkerServer()
    worker = AgentServer(setup_fnc=livekit_worker.load, ws_url="ws://livekit.test", api_key=KEY, api_secret=SECRET)
    worker.rtc_session(entrypoint, on_request=livekit_worker.look)
    worker._world = World(server.dial, lambda _: cast("rtc.Room", LoopbackRoom(house)))
    running = asyncio.create_task(worker.run(devmode=True))
    async with asyncio.timeout(10):
        await server.registered.wait()
        house.come("caller")
        server.worker.offer(job("J0", "test-room"), job("J1", "lobby"))
        while not (contexts and contexts[0].sessions):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        (ctx,) = contexts
        await asyncio.sleep(0.1)
        session = ctx.primary_session
        await session.generate_reply(user_input="where is my order number seven").wait_for_playout()
        await worker.aclose()
        await running
    assert server.worker.refused == ["J0"]
    assert server.worker.answers["J1"].participant_name == "Front desk"
    assert house.joined_with[0][0] == "ws://livekit.test"
    said = [item.text_content for item in session.history.items if isinstance(item, ChatMessage)]
    assert any("Order 7 of lobby is on its way" in (text or "") for text in said), said
    assert server.jobs == {"J1": "success"}
    assert "lobby is over: worker closed" in capsys.readouterr().out
