"""Who is let in, and when: peers that broke the rules wait, callers come one by one, and rooms that talk come first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from websockets.exceptions import InvalidStatus

from sessionactors import Agent, OptionError, PeerLimits, RoomSupervisor, SessionSpec, forwarded_for, public_address
from sessionactors.model.audio import AudioFrame
from sessionactors.runtime import ActorSystem
from sessionactors.service.pace import Pace, Turns
from sessionactors.service.unwelcome import Breaches
from sessionactors.service.websocket_rooms import WebSocketRooms
from sessionactors.service.websocket_server import RoomServer, serve_rooms
from sessionactors.testing.scripted_llm import ScriptedLLM
from sessionactors.testing.websocket_clients import NativeClient
from sessionactors.transports.websocket import CloseCode, WebSocketLimits

LIMITS = WebSocketLimits(close_within=0.1, audio_burst=0.5)
TWO = PeerLimits(breaches=2, forgiven_every=10.0)


def spec(_room: str) -> SessionSpec:
    return SessionSpec(agent=Agent(instructions="Be silent."), llm=ScriptedLLM())


@asynccontextmanager
async def serving(**options: object) -> AsyncIterator[tuple[RoomServer, RoomSupervisor]]:
    async with (
        RoomSupervisor(spec, max_sessions=5, system="running") as rooms,
        serve_rooms(rooms, port=0, limits=LIMITS, **{"token": None, **options}) as server,  # type: ignore[arg-type]
    ):
        yield server, rooms


def by_user_agent(_address: str | None, headers: Mapping[str, str]) -> str | None:
    return headers["user-agent"].partition(" ")[0]


# -- peers -----------------------------------------------------------------------------------------------------------


def test_a_peer_that_broke_the_rules_waits_and_is_forgiven_one_by_one() -> None:
    breaches = Breaches(TWO)
    assert breaches.wait("a", 0.0) == 0.0
    breaches.add("a", 0.0)
    assert breaches.wait("a", 0.0) == 0.0  # one is left
    breaches.add("a", 0.0)
    assert (breaches.wait("a", 0.0), breaches.wait("a", 4.0), breaches.wait("a", 10.0)) == (10.0, 6.0, 0.0)
    assert breaches.wait("b", 0.0) == 0.0  # nobody else does
    for _ in range(100):
        breaches.add("a", 10.0)
    assert breaches.wait("a", 10.0) == 30.0  # and no more: two below nothing, until there is one
    assert breaches.wait("a", 1000.0) == 0.0


def test_only_so_many_peers_are_remembered_and_the_oldest_is_forgotten() -> None:
    breaches = Breaches(PeerLimits(breaches=1, peers=2))
    for peer in ("a", "b", "a", "c"):
        breaches.add(peer, 0.0)
    assert len(breaches) == 2
    assert [breaches.wait(peer, 0.0) > 0 for peer in "abc"] == [True, False, True]


@pytest.mark.parametrize("wrong", [{"breaches": 0}, {"peers": 0}, {"forgiven_every": 0.0}])
def test_limits_of_peers_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="must be"):
        PeerLimits(**wrong)  # type: ignore[arg-type]


def test_openings_a_second_are_checked() -> None:
    with pytest.raises(OptionError, match="openings_per_second must be > 0"):
        WebSocketRooms(RoomSupervisor(spec), token=None, openings_per_second=0.0)


@pytest.mark.parametrize(
    "address, peer",
    [
        ("8.8.8.8", "8.8.8.8/32"),
        ("::ffff:8.8.8.8", "8.8.8.8/32"),
        ("2a00:1450:4001:82a::200e", "2a00:1450:4001:82a::/64"),
        ("2a00:1450:4001:82a:1:2:3:4", "2a00:1450:4001:82a::/64"),
        ("127.0.0.1", None),  # a proxy of this machine, or a test
        ("10.1.2.3", None),
        ("fe80::1%eth0", None),
        ("/run/rooms.sock", None),
        (None, None),
    ],
)
def test_a_peer_is_an_address_of_the_internet(address: str | None, peer: str | None) -> None:
    assert public_address(address, {}) == peer


def test_behind_a_proxy_a_peer_is_what_the_proxy_says_last() -> None:
    assert forwarded_for("10.0.0.1", {"x-forwarded-for": "made up, 8.8.8.8"}) == "8.8.8.8/32"
    assert forwarded_for("10.0.0.1", {"x-forwarded-for": "8.8.8.8, unknown"}) is None
    assert forwarded_for("10.0.0.1", {}) is None


async def test_a_peer_that_breaks_the_rules_again_and_again_is_refused_before_there_is_a_socket() -> None:
    async with serving(token="t", peer_limits=TWO, peer_of=by_user_agent) as (server, rooms):
        for _ in range(2):
            async with NativeClient(server.url, token="wrong") as client:
                assert await client.closed() == CloseCode.UNAUTHORIZED
        await until_ended(server, 2)
        with pytest.raises(InvalidStatus) as refused:
            await NativeClient(server.url, token="t").__aenter__()
        response = refused.value.response
        assert (response.status_code, response.headers["Retry-After"]) == (429, "10")
        assert b"try again in 10 s" in (response.body or b"")
        assert (server.stats.turned_away, server.stats.connections, rooms.stats.admitted) == (1, 2, 0)


async def test_without_limits_of_peers_and_for_peers_that_nobody_can_name_all_are_heard() -> None:
    def broken(*_: object) -> str | None:
        raise RuntimeError("no such header")

    for options in ({"peer_limits": None}, {"peer_of": broken, "peer_limits": TWO}, {"peer_limits": TWO}):
        async with serving(token="t", **options) as (server, _):
            for _ in range(4):
                async with NativeClient(server.url, token="wrong") as client:
                    assert await client.closed() == CloseCode.UNAUTHORIZED
            assert server.stats.turned_away == 0


class ToldSocket:
    """A connection of some framework's that says what it was sent away with."""

    headers: Mapping[str, str] = {"user-agent": "x"}
    address = "8.8.8.8"
    closed = False

    def __init__(self, *messages: str) -> None:
        self.messages = list(messages)
        self.ended: tuple[int, str] | None = None

    async def send(self, data: str | bytes) -> None:
        """Nobody reads."""

    async def receive(self) -> str | bytes | None:
        """What it was made with."""
        return self.messages.pop(0) if self.messages else None

    async def close(self, code: int, reason: str) -> None:
        """The first counts."""
        self.ended = self.ended or (code, reason)

    def abort(self) -> None:
        """Nothing is to be cut."""


async def test_in_a_framework_such_a_peer_is_closed_at_once() -> None:
    async with RoomSupervisor(spec, system="running") as rooms:
        calls = WebSocketRooms(rooms, token=None, peer_limits=PeerLimits(breaches=1))
        first, second = ToldSocket("garbage"), ToldSocket("garbage")
        await calls.serve(first)
        await calls.serve(second)
        assert (first.ended or (0, ""))[0] == CloseCode.MALFORMED
        too_often = "rate_limited: too many connections of yours broke the rules: try again in 10 s"
        assert second.ended == (CloseCode.RATE_LIMITED, too_often)
        assert calls.stats.turned_away == 1


# -- turns -----------------------------------------------------------------------------------------------------------


def test_turns_come_at_a_pace_some_of_them_at_once() -> None:
    pace = Pace(10.0, 3)
    assert [round(pace.wait(0.0), 3) for _ in range(5)] == [0.0, 0.0, 0.0, 0.1, 0.2]
    assert round(pace.wait(0.25), 3) == 0.05
    assert [round(pace.wait(10.0), 3) for _ in range(4)] == [0.0, 0.0, 0.0, 0.1]  # no more than these are saved


async def test_callers_wait_in_order_while_the_actors_are_late() -> None:
    late, came = 1.0, []
    turns = Turns(Pace(1000.0, 10), lambda: late, within=5.0)

    async def caller(number: int, *, stays: bool = True) -> None:
        if await turns.take(lambda: stays):
            came.append(number)

    callers = [asyncio.create_task(caller(number, stays=number != 1)) for number in range(3)]
    await asyncio.wait([callers[1]])  # who has left does not wait on
    assert came == []
    late = 0.0
    await asyncio.gather(*callers)
    assert came == [0, 2]


async def test_a_turn_that_does_not_come_in_time_never_comes() -> None:
    turns = Turns(Pace(1000.0, 10), lambda: 1.0, within=0.03)
    assert not await turns.take(lambda: True)


async def until_ended(server: RoomServer, number: int) -> None:
    async with asyncio.timeout(2.0):
        while sum(server.stats.ended.values()) < number:  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def test_no_room_is_opened_for_who_left_while_the_actors_were_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActorSystem, "lateness", lambda _: 0.05)
    async with serving() as (server, rooms):
        async with NativeClient(server.url) as left, NativeClient(server.url) as too_big:
            await too_big.connection.send(bytes(100_000))
            assert await too_big.closed() == CloseCode.TOO_BIG
            left.connection.transport.abort()
            await until_ended(server, 2)
        assert server.stats.ended == {None: 1, CloseCode.TOO_BIG: 1}
        assert rooms.stats.admitted == 0


async def test_who_is_to_be_refused_does_not_wait_for_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActorSystem, "lateness", lambda _: 1.0)
    async with RoomSupervisor(spec, max_sessions=1, system="running") as rooms:
        calls = WebSocketRooms(rooms, token=None)
        await rooms.spawn("r")
        socket = ToldSocket(json.dumps({"type": "hello", "version": 1}))
        await calls.serve(socket)
        assert socket.ended is not None
        assert socket.ended[0] == CloseCode.FULL


async def test_a_flood_of_audio_is_a_fault_for_each_burst_that_was_dropped() -> None:
    async with serving() as (server, _), NativeClient(server.url) as client:
        await client.until(lambda: client.of("ready"))
        for _ in range(100):
            await client.speak(AudioFrame(bytes(4800), 24000))
        assert await client.closed() == CloseCode.RATE_LIMITED
        assert {error["message"] for error in client.of("error")} == {"audio comes faster than anybody speaks"}
        await until_ended(server, 1)
        assert server.stats.faults == {CloseCode.RATE_LIMITED: 11}
