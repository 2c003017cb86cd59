"""A client whose connection was lost comes back to its session, in time; or nobody does, and it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest

from sessionactors import Agent, AgentSession, ChatMessage, RoomSupervisor, SessionSpec
from sessionactors.service.websocket_server import RoomServer, serve_rooms
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.testing.scripted_tts import ScriptedTTS, spoken_in
from sessionactors.testing.websocket_clients import NativeClient
from sessionactors.transports.websocket import CloseCode, WebSocketLimits

from tests.service.test_websocket_rooms import until

STORY = "Once upon a time there was a king who had no sons, but a daughter who liked numbers."
SHORT = "Welcome back."
sessions: list[AgentSession[object]] = []


def spec(_room: str) -> SessionSpec:
    return SessionSpec(
        agent=Agent(instructions="Tell stories."),
        llm=ScriptedLLM([ScriptedReply(STORY, ttft=0.0, duration=0.0), ScriptedReply(SHORT, ttft=0.0, duration=0.0)]),
        tts=ScriptedTTS(ttfb=0.0, seconds_per_character=0.01, speed=100.0),
        prepare=sessions.append,
    )


@asynccontextmanager
async def serving(
    system: Literal["running"] | None = "running", token: str | None = None, **limits: float
) -> AsyncIterator[RoomServer]:
    sessions.clear()
    bounds = WebSocketLimits(close_within=0.2, **limits)  # type: ignore[arg-type]
    async with (
        RoomSupervisor(spec, max_sessions=3, system=system) as rooms,
        serve_rooms(rooms, token=token, port=0, limits=bounds) as server,
    ):
        yield server


def client_of(server: RoomServer, **hello: object) -> NativeClient:
    said_first: dict[str, object] = {"identity": "ada", "resumable": True, **hello}
    return NativeClient(server.url, **said_first)  # type: ignore[arg-type]


async def ready(client: NativeClient) -> str:
    await client.until(lambda: client.of("ready"))
    return str(client.of("ready")[0]["resume"])


def said() -> list[str]:
    items = sessions[0].history.items
    return [item.text_content or "" for item in items if isinstance(item, ChatMessage) and item.role == "assistant"]


@pytest.mark.parametrize("system", ["running", None])
async def test_who_comes_back_goes_on_with_the_session(system: Literal["running"] | None) -> None:
    async with serving(system) as server:
        async with client_of(server) as first:
            ticket = await ready(first)
            assert first.of("ready")[0]["resume_within"] == 15
            await first.send(type="text", text="Tell me a story.")
            await first.until(lambda: first.player.heard)
            await asyncio.sleep(0.2)
            first.connection.transport.abort()
            await until(lambda: len(said()) == 1)  # cut where the client was
            assert STORY.startswith(said()[0])
            assert 0 < len(said()[0]) < len(STORY)
        async with client_of(server, resume=ticket) as second:
            assert await ready(second) != ticket
            await second.until(lambda: len(second.of("state")) >= 2)
            states = {state["who"]: state["state"] for state in second.of("state")}
            assert states == {"agent": "listening", "user": "listening"}
            await second.send(type="text", text="Go on.")
            await second.until(lambda: second.of("end"))
            assert spoken_in(b"".join(pcm for _, pcm in second.player.heard), 240) == SHORT
            await until(lambda: len(said()) == 2)
            await second.send(type="bye")
            assert await second.closed() == CloseCode.NORMAL
        await until(lambda: server.stats.open == 0 and sum(server.stats.ended.values()) == 2)
        assert (len(sessions), server.stats.resumed, server.stats.connections) == (1, 1, 2)


async def test_a_connection_that_still_seems_to_live_gives_way() -> None:
    async with serving() as server, client_of(server) as first:
        ticket = await ready(first)
        first.stop_reading()
        async with client_of(server, resume=ticket) as second:
            await ready(second)
            first.connection.transport.resume_reading()
            assert await first.closed() == CloseCode.REPLACED
            await second.send(type="text", text="Tell me a story.")
            await second.until(lambda: second.player.heard)
        assert len(sessions) == 1


async def test_what_is_said_meanwhile_is_not_heard_and_what_is_written_is_read_later() -> None:
    async with serving() as server:
        async with client_of(server) as first:
            ticket = await ready(first)
            first.connection.transport.abort()
            await first.closed()
        await sessions[0].say("Are you there?").wait_for_playout()
        async with client_of(server, resume=ticket) as second:
            await ready(second)
            assert second.player.heard == []
            await second.send(type="bye")
            await second.closed()
        assert said() == []  # nothing of it was heard


async def test_who_does_not_come_back_in_time_has_left() -> None:
    async with serving(resume_within=0.05) as server:
        async with client_of(server) as first:
            ticket = await ready(first)
            first.connection.transport.abort()
            await first.closed()
        await until(lambda: server.stats.open == 0)
        async with client_of(server, resume=ticket) as late:
            assert await late.closed() == CloseCode.GONE
        await until(lambda: server.stats.ended == {None: 1, CloseCode.GONE: 1})


async def test_who_hangs_up_or_never_said_that_they_come_back_has_left_at_once() -> None:
    async with serving() as server:
        async with client_of(server) as polite:
            await ready(polite)
            await polite.send(type="bye")
            await polite.closed()
        async with client_of(server, resumable=False) as plain:
            await plain.until(lambda: plain.of("ready"))
            assert "resume" not in plain.of("ready")[0]
            plain.connection.transport.abort()
        await until(lambda: server.stats.open == 0)


async def test_a_server_that_ends_waits_for_nobody() -> None:
    async with asyncio.timeout(3), serving() as server, client_of(server) as client:
        await ready(client)
        client.connection.transport.abort()
        await client.closed()


async def test_only_who_was_there_comes_back() -> None:
    async with serving(token="t") as server, client_of(server, token="t") as first:
        ticket = await ready(first)
        wrong: list[tuple[dict[str, object], CloseCode]] = [
            ({"resume": ticket}, CloseCode.UNAUTHORIZED),
            ({"resume": ticket, "token": "t", "identity": "eve"}, CloseCode.UNAUTHORIZED),
            ({"resume": "x" * 32, "token": "t"}, CloseCode.GONE),
            ({"resume": ticket, "token": "t", "output": {"codec": "pcm", "sample_rate": 8000}}, CloseCode.UNSUPPORTED),
        ]
        for hello, code in wrong:
            async with client_of(server, **hello) as other:
                assert await other.closed() == code
        await first.send(type="text", text="Tell me a story.")
        await first.until(lambda: first.player.heard)
        assert server.stats.resumed == 0
