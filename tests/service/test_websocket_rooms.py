"""Rooms over WebSockets, on real sockets: calls, what they may cost, how they end. A bad client costs its own room."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from sessionactors import (
    Agent,
    AgentSession,
    ChatMessage,
    OptionError,
    RoomSupervisor,
    SessionSpec,
    SipDTMFReceivedEvent,
)
from sessionactors.model.audio import AudioFrame
from sessionactors.service.websocket_rooms import WebSocketRooms
from sessionactors.service.websocket_server import RoomServer, serve_rooms
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.testing.scripted_tts import ScriptedTTS, spoken_in
from sessionactors.testing.websocket_clients import NativeClient, TwilioCall
from sessionactors.transports.websocket import CloseCode, TwilioMediaStream, WebSocketLimits, Wire

GREETING = "Hi there."
STORY = "Once upon a time there was a king who had no sons but had a daughter who liked numbers a lot."
PER_CHARACTER = 0.01


class Greeter(Agent):
    """Speaks first."""

    def __init__(self) -> None:
        super().__init__(instructions="Be brief.")

    async def on_enter(self) -> None:
        await self.session.say(GREETING).wait_for_playout()


class House:
    """Makes sessions, and remembers them."""

    def __init__(self, agent: Callable[[], Agent] = Greeter, *, voice: bool = True) -> None:
        self.sessions: dict[str, AgentSession[object]] = {}
        self.keys: list[str] = []
        self._agent = agent
        self._voice = voice

    def __call__(self, room: str) -> SessionSpec:
        def prepare(session: AgentSession[object]) -> None:
            self.sessions[room] = session

            @session.on("sip_dtmf_received")
            def _(event: SipDTMFReceivedEvent) -> None:
                self.keys.append(event.digit)

        return SessionSpec(
            agent=self._agent(),
            llm=ScriptedLLM(otherwise=ScriptedReply(STORY, ttft=0.0, duration=0.0)),
            tts=ScriptedTTS(ttfb=0.0, seconds_per_character=PER_CHARACTER, speed=100.0) if self._voice else None,
            prepare=prepare,
        )

    def said(self, room: str) -> list[str]:
        """The agent's messages in the history: what was heard."""
        items = self.sessions[room].history.items if room in self.sessions else []
        return [item.text_content or "" for item in items if isinstance(item, ChatMessage) and item.role == "assistant"]


@asynccontextmanager
async def serving(
    house: House | None = None, *, max_sessions: int = 10, token: str | None = None, **options: object
) -> AsyncIterator[tuple[RoomServer, RoomSupervisor]]:
    async with (
        RoomSupervisor(house or House(), max_sessions=max_sessions, system="running") as rooms,
        serve_rooms(rooms, token=token, port=0, **options) as server,  # type: ignore[arg-type]
    ):
        yield server, rooms


def heard(client: NativeClient) -> str:
    return spoken_in(b"".join(pcm for _, pcm in client.player.heard))


def limits(**values: float) -> WebSocketLimits:
    return WebSocketLimits(close_within=0.5, **values)  # type: ignore[arg-type]


async def until(there: Callable[[], object], within: float = 2.0) -> None:
    async with asyncio.timeout(within):
        while not there():  # noqa: ASYNC110  many things, none of which has an event
            await asyncio.sleep(0.002)


# -- calls -----------------------------------------------------------------------------------------------------------


async def test_a_client_hears_the_agent_reads_it_and_sees_its_states() -> None:
    house = House()
    async with serving(house) as (server, _), NativeClient(server.url, room="r") as client:
        await client.until(lambda: len(client.of("end")) == 1)
        await until(lambda: house.said("r") == [GREETING])
        (ready,) = client.of("ready")
        assert (ready["room"], ready["output"]["sample_rate"]) == ("r", 24000)
        assert heard(client) == GREETING
        await client.until(lambda: client.said().strip() == GREETING)
        states = [message["state"] for message in client.of("state") if message["who"] == "agent"]
        assert states[-2:] == ["speaking", "listening"]
        await client.send(type="key", digit="#")
        await until(lambda: house.keys == ["#"])
        await client.send(type="bye")
        assert await client.closed() == CloseCode.NORMAL
    assert server.stats.ended == {None: 1}


async def test_a_barge_in_drops_what_the_client_has_buffered_and_history_is_what_it_played() -> None:
    house = House()
    async with serving(house) as (server, _), NativeClient(server.url, room="r") as client:
        await until(lambda: house.said("r") == [GREETING])
        await client.send(type="text", text="Tell me a story.")
        await client.until(lambda: len(client.of("begin")) == 2)
        await asyncio.sleep(0.3)
        await client.send(type="text", text="Stop!")
        await client.until(lambda: client.of("clear"))
        await until(lambda: len(house.said("r")) == 2)
        assert client.player.cleared > 0.2
        story = heard(client).removeprefix(GREETING)
        cut = house.said("r")[1]
        assert STORY.startswith(cut)
        assert 10 < len(cut) <= len(story) < len(STORY)
        assert len(story) - len(cut) < 12  # to the word
    assert server.stats.ended == {None: 1}


async def test_a_telephone_call_presses_keys_and_hangs_up() -> None:
    house = House()
    async with (
        serving(house, wire=TwilioMediaStream, token="t", room_for=lambda hello: "r") as (server, rooms),
        TwilioCall(server.url, token="t") as call,
    ):
        await until(lambda: house.said("r") == [GREETING])
        assert {size % 40 for size in call.media_sizes} == {0}
        assert max(call.media_sizes) <= 800
        assert 160 in call.media_sizes
        assert call.player.seconds == pytest.approx(len(GREETING) * PER_CHARACTER, abs=0.02)
        await call.press("5")
        await until(lambda: house.keys == ["5"])
        assert rooms.get("r").session.room_io.linked_participant == call.call_sid
        await call.hang_up()
        assert await call.closed() == CloseCode.NORMAL
        await until(lambda: not rooms.list())


async def test_twenty_clients_at_once_each_hear_their_own() -> None:
    house = House()
    async with serving(house, max_sessions=20) as (server, rooms), AsyncExitStack() as stack:
        clients = await asyncio.gather(
            *(stack.enter_async_context(NativeClient(server.url, room=f"r{n}")) for n in range(20))
        )
        for client in clients:
            await client.until(lambda: client.of("end"))  # noqa: B023  waited for here
        await until(lambda: all(house.said(f"r{n}") == [GREETING] for n in range(20)))
        assert {heard(client) for client in clients} == {GREETING}
        assert (server.stats.open, rooms.stats.open) == (20, 20)
        async with NativeClient(server.url) as late:
            assert await late.closed() == CloseCode.FULL
            assert late.of("error")[0]["name"] == "full"
    await until(lambda: server.stats.open == 0)
    assert server.stats.ended == {None: 20, CloseCode.FULL: 1}


# -- who may come in -------------------------------------------------------------------------------------------------


async def test_who_may_not_come_in_is_told_why() -> None:
    async with serving(token="swordfish", allow=lambda hello, headers: hello.identity != "eve") as (server, rooms):
        for hello, code in (
            ({}, CloseCode.UNAUTHORIZED),
            ({"token": "guess"}, CloseCode.UNAUTHORIZED),
            ({"token": "swordfish", "identity": "eve"}, CloseCode.UNAUTHORIZED),
            ({"token": "swordfish", "version": 9}, CloseCode.UNSUPPORTED),
        ):
            async with NativeClient(server.url, **hello) as client:
                assert await client.closed() == code
                assert client.of("error")[0]["code"] == code
        async with (
            NativeClient(server.url, token="swordfish", room="r") as first,
            NativeClient(server.url, token="swordfish", room="r") as second,
        ):
            ended = await asyncio.wait({asyncio.create_task(each.closed()) for each in (first, second)}, timeout=0.3)
            assert [task.result() for task in ended[0]] == [CloseCode.ROOM_EXISTS]
            for task in ended[1]:
                task.cancel()
            assert rooms.stats.admitted == 1


async def test_a_session_that_cannot_be_made_costs_its_call_only() -> None:
    def broken(room: str) -> SessionSpec:
        if room == "bad":
            raise ValueError("no such tenant")
        return House()(room)

    async with (
        RoomSupervisor(broken, system="running") as rooms,
        serve_rooms(rooms, token=None, port=0) as server,
        NativeClient(server.url, room="good") as good,
    ):
        await good.until(lambda: good.of("ready"))
        async with NativeClient(server.url, room="bad") as bad:
            assert await bad.closed() == CloseCode.FAILED
            assert "tenant" not in bad.close_reason
        assert rooms.get("good").session.agent_state in ("speaking", "listening", "initializing")


async def test_when_the_server_drains_new_calls_are_sent_on_and_old_ones_are_told_good_bye() -> None:
    async with serving() as (server, rooms), NativeClient(server.url) as client:
        await client.until(lambda: client.of("ready"))
        draining = asyncio.create_task(rooms.drain(0.1))
        await asyncio.sleep(0)
        async with NativeClient(server.url) as late:
            assert await late.closed() == CloseCode.DRAINING
        assert await client.closed() == CloseCode.NORMAL
        assert client.of("bye")
        await draining


# -- bad clients -----------------------------------------------------------------------------------------------------

HELLO = json.dumps({"type": "hello", "version": 1})


@pytest.mark.parametrize(
    "messages, code",
    [
        pytest.param([HELLO, *['{"type": "key", "digit": "1"}'] * 65], CloseCode.RATE_LIMITED, id="flood of keys"),
        pytest.param([], CloseCode.NO_HELLO, id="nothing"),
        pytest.param([b"\0\0"], CloseCode.OUT_OF_ORDER, id="binary before hello"),
        pytest.param(['{"type": "text", "text": "x"}'], CloseCode.OUT_OF_ORDER, id="text before hello"),
        pytest.param(["GET / HTTP/1.1"], CloseCode.MALFORMED, id="no JSON"),
        pytest.param([HELLO, HELLO], CloseCode.OUT_OF_ORDER, id="hello twice"),
        pytest.param([HELLO, *["garbage"] * 12], CloseCode.MALFORMED, id="garbage for ever"),
        pytest.param([HELLO, bytes(70000)], CloseCode.TOO_BIG, id="oversized"),
        pytest.param([HELLO, *['{"type": "text", "text": "x"}'] * 35], CloseCode.RATE_LIMITED, id="flood of texts"),
        pytest.param([HELLO], CloseCode.SILENT, id="half open"),
    ],
)
async def test_a_bad_client_is_told_why_and_nobody_else_notices(messages: list[str | bytes], code: CloseCode) -> None:
    quick = limits(hello_within=0.15) if code is CloseCode.NO_HELLO else limits()
    quick = limits(silent_after=0.25) if code is CloseCode.SILENT else quick
    house = House(lambda: Agent(instructions="Be silent."), voice=False)
    async with (
        RoomSupervisor(house, system="running") as rooms,
        serve_rooms(rooms, token=None, port=0) as calm,
        serve_rooms(rooms, token=None, port=0, limits=quick) as server,
        NativeClient(calm.url, room="good") as good,
    ):
        await good.until(lambda: good.of("ready"))
        bad = NativeClient(server.url)
        bad._greet = _nothing  # type: ignore[method-assign]
        bad._on_message = lambda data: None  # type: ignore[method-assign]
        async with bad:
            for message in messages:
                try:
                    await bad.connection.send(message)
                except Exception:
                    break
            assert await bad.closed() == code
        await until(lambda: server.stats.ended.get(code) == 1)
        assert rooms.get("good").session.agent_state == "listening"
        await good.send(type="text", text="x")
        await good.until(lambda: STORY.rsplit(maxsplit=1)[-1] in good.said())
        assert good.close_code is None


async def _nothing() -> None: ...


async def test_a_message_that_is_wrong_costs_one_message() -> None:
    house = House(lambda: Agent(instructions="Be silent."), voice=False)
    async with serving(house) as (server, _), NativeClient(server.url) as client:
        await client.connection.send("garbage")
        await client.connection.send(b"odd")
        await client.send(type="text", text="x")
        await client.until(lambda: STORY.rsplit(maxsplit=1)[-1] in client.said())
        assert [message["name"] for message in client.of("error")] == ["malformed", "malformed"]
        await client.send(type="bye")
        await client.closed()
    assert server.stats.faults == {CloseCode.MALFORMED: 2}


async def test_a_reader_that_stays_slow_is_closed_and_the_audio_it_missed_is_counted() -> None:
    house = House(lambda: Agent(instructions="Be silent."))
    quick = WebSocketLimits(max_audio_age=0.05, slow_after=0.2, send_ahead=5.0, close_within=0.1)
    async with serving(house, limits=quick) as (server, rooms):
        slow = NativeClient(server.url, room="slow", positions=False)
        slow.receive_buffer = 4096
        async with NativeClient(server.url, room="good", positions=False), slow:
            await slow.until(lambda: slow.of("ready"))
            slow.stop_reading()
            for room in ("good", "slow"):
                _ = house.sessions[room].say(STORY * 4)
            await until(lambda: server.stats.ended.get(CloseCode.TOO_SLOW) == 1, within=5.0)
            assert server.stats.audio_dropped > 0.0
            assert rooms.get("good").session.agent_state == "speaking"


async def test_audio_that_comes_faster_than_anybody_speaks_is_dropped() -> None:
    house = House(lambda: Agent(instructions="Be silent."), voice=False)
    async with (
        serving(house, limits=limits(audio_burst=0.5)) as (server, rooms),
        NativeClient(server.url, room="r") as client,
    ):
        await client.until(lambda: client.of("ready"))
        for _ in range(40):
            await client.speak(AudioFrame(bytes(4800), 24000))
        await client.send(type="bye")
        await client.closed()
        await until(lambda: server.stats.open == 0)
        assert server.stats.flood_dropped == pytest.approx(40 * 0.1 - 0.5, abs=0.3)
        assert rooms.stats.closed == 1


def test_a_server_needs_a_token_or_to_be_told_that_it_needs_none() -> None:
    rooms = RoomSupervisor(House())
    with pytest.raises(OptionError, match="token is empty"):
        WebSocketRooms(rooms, token="")
    with pytest.raises(OptionError, match="max_waiting must be >= 1"):
        WebSocketRooms(rooms, token=None, max_waiting=0)
    assert issubclass(TwilioMediaStream, Wire)
