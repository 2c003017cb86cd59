"""The tutorial's worker program (section 2.5), as a worker of a server: its room is a room of LiveKit's SDK."""

from __future__ import annotations

import asyncio
import sys
import types
from typing import Any, cast

import pytest
from livekit import rtc

from sessionactors import AgentServer, WorkerOptions
from sessionactors.service.worker.world import World

from tests.examples.test_tutorial import OURS, SECTION_2_5, loaded, with_model
from tests.transports.livekit.loopback import Loopback, LoopbackRoom, house
from tests.transports.livekit.loopback_text import Typed
from tests.wire.livekit_worker import KEY, SECRET, WorkerServer, job
from tests.wire.openai_server import Completion, OpenAIServer

_ = house  # a fixture
ROOM = rtc.Room


@pytest.mark.may_block("OpenAI's SDK looks at the machine when it is imported, and with its first request")
async def test_section_2_5_serves_a_room_that_a_server_assigns(
    house: Loopback,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("livekit.rtc.Room", ROOM)  # the fixture gives another one: here the worker makes the rooms
    monkeypatch.setitem(sys.modules, "dotenv", types.SimpleNamespace(load_dotenv=lambda: None))
    server = WorkerServer()
    async with OpenAIServer([Completion("Paris, of course.")], key="secret") as openai, asyncio.timeout(20):
        monkeypatch.setenv("OPENAI_BASE_URL", openai.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        options = WorkerOptions(
            loaded(with_model(SECTION_2_5, OURS)), ws_url="ws://livekit.test", api_key=KEY, api_secret=SECRET
        )
        worker = AgentServer.from_server_options(options)
        worker._world = World(server.dial, lambda _: cast("rtc.Room", LoopbackRoom(house)))
        running = asyncio.create_task(worker.run(devmode=True))
        await server.registered.wait()
        house.come("ann")
        server.worker.offer(job("J1", "lobby"))
        chat: Any = None
        while chat is None:
            await asyncio.sleep(0.005)
            chat = house.rooms[0]._text_stream_handlers.get("lk.chat") if house.rooms else None
        chat(Typed("What is the capital of France?"), "ann")
        while not any("Paris, of course." in stream.text for stream in house.room.words.streams):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await worker.aclose()
        await running
    assert openai.asked[0].body["model"] == "gpt-4o-mini"
    assert {attributes.get("lk.agent.state") for attributes in house.room.words.attributes} >= {"listening"}
    assert house.room.published == []  # it neither listens nor speaks
    assert server.jobs == {"J1": "success"}
    assert not house.room.linked
