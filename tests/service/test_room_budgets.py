"""What a room may use, and what becomes of it then: warned, closed politely, or killed; and what memory is counted."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType

import pytest

from sessionactors import (
    Agent,
    Backoff,
    ChatMessage,
    ErrorEvent,
    Limit,
    RestartPolicy,
    RoomEndCause,
    RoomEvent,
    RoomHandle,
    RoomLimitReached,
    RoomLimits,
    RoomOverLimit,
    RoomSupervisor,
    SessionSpec,
    held_memory,
)
from sessionactors.messages.turn import UserTurnEnded
from sessionactors.service import room_watch
from sessionactors.service.held_memory import size_of
from sessionactors.service.room_use import RoomAccount
from sessionactors.testing import run
from sessionactors.testing.scripted_tts import ScriptedTTS
from sessionactors.transports.memory import MemoryTransport

from tests.service.rooms import Block, Bomb, Specs, answered, answering, until

GOODBYE = "Your time is up."


def limited(
    limits: RoomLimits, play: Callable[[RoomSupervisor, list[RoomEvent]], Awaitable[None]], specs: Specs | None = None
) -> None:
    """Virtual time."""

    async def main() -> None:
        events: list[RoomEvent] = []
        policy = RestartPolicy(backoff=Backoff(first=1.0, jitter=0.0))
        async with RoomSupervisor(
            specs or Specs(), system="running", limits=limits, farewell=GOODBYE, restart=policy
        ) as rooms:
            rooms.on_room_event(events.append)
            await play(rooms, events)

    run(main)


def words(handle: RoomHandle) -> list[str]:
    return [item.text_content for item in handle.history.items if isinstance(item, ChatMessage)]


@pytest.mark.parametrize("limit, cause", [("lifetime", RoomEndCause.LIFETIME), ("idle", RoomEndCause.IDLE)])
def test_a_room_that_is_too_old_or_too_silent_hears_a_farewell_and_says_why_it_ended(
    limit: str, cause: RoomEndCause
) -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        loop = asyncio.get_running_loop()
        handle = await rooms.spawn("a")
        began = loop.time()
        await handle.wait_closed()
        assert 60.0 < loop.time() - began < 62.0
        assert words(handle) == [GOODBYE]
        end = handle.end
        assert end is not None
        assert end.cause is cause
        assert isinstance(end.over, RoomOverLimit)
        assert (end.over.limit, end.over.most) == (limit, 60.0)
        assert [one.type for one in events] == ["room_opened", "room_limit_reached", "room_dismissed", "room_ended"]
        await rooms.spawn("a")

    limited(RoomLimits(**{limit: 60.0}), play)


def test_who_talks_is_not_idle_however_long() -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        for _ in range(5):
            await asyncio.sleep(40.0)
            await answered(handle.session)
        assert not handle.closed.done()
        await handle.wait_closed()
        assert handle.end is not None
        assert handle.end.cause is RoomEndCause.IDLE

    limited(RoomLimits(idle=60.0), play)


def test_what_is_being_said_is_heard_before_the_farewell_and_a_kill_waits_for_nothing() -> None:
    def specs() -> Specs:
        return Specs(tts=lambda: ScriptedTTS(seconds_per_character=0.1))

    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a", transport=MemoryTransport())
        await asyncio.sleep(9.8)
        _ = handle.session.say("One moment, please.")
        _ = handle.session.say("This waits for the floor, and nobody will be there to hear it.")
        await handle.wait_closed()
        assert words(handle) == ["One moment, please.", GOODBYE]

    async def killed(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a", transport=MemoryTransport())
        await asyncio.sleep(9.8)
        _ = handle.session.say("One moment, please, while I look that up in our books.")
        await handle.wait_closed()
        assert asyncio.get_running_loop().time() < 12.0
        assert GOODBYE not in words(handle)
        assert handle.end is not None
        assert handle.end.cause is RoomEndCause.LIFETIME

    limited(RoomLimits(lifetime=10.0), play, specs())
    limited(RoomLimits(lifetime=Limit(10.0, "kill")), killed, specs())


def test_a_warning_is_told_once_and_changes_nothing() -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        told: list[ErrorEvent] = []
        handle.session.on("error", told.append)
        await asyncio.sleep(100.0)
        (event,) = [one for one in events if isinstance(one, RoomLimitReached)]
        assert (event.room, event.over.limit, event.when_over) == ("a", "lifetime", "warn")
        assert [one.error for one in told] == [event.over]
        assert not handle.closed.done()

    limited(RoomLimits(lifetime=Limit(10.0, "warn")), play)


def test_a_spec_may_limit_its_room_and_say_its_own_farewell() -> None:
    async def main() -> None:
        def session_for(room: str) -> SessionSpec:
            limits = RoomLimits(lifetime=10.0) if room == "short" else None
            return SessionSpec(agent=Agent(instructions=""), llm=answering(), limits=limits)

        async with RoomSupervisor(session_for, system="running") as rooms:
            short, long = await rooms.spawn("short"), await rooms.spawn("long")
            await asyncio.sleep(100.0)
            assert short.closed.done()
            assert not long.closed.done()

    run(main)


def test_what_was_used_before_a_restart_counts() -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        await answered(handle.session)
        used = handle.use()
        root = rooms.system.tree("a").root
        assert root is not None
        root.ref.tell(object())
        await asyncio.sleep(3.0)
        assert handle.restarts == 1
        assert handle.use().tokens == used.tokens > 0
        assert handle.use().lifetime >= 3.0
        await answered(handle.session)
        assert handle.use().tokens > used.tokens
        await handle.wait_closed()
        assert asyncio.get_running_loop().time() < 22.0
        assert handle.end is not None
        assert handle.end.cause is RoomEndCause.LIFETIME
        assert handle.use().lifetime > 20.0, "still there to be read"

    limited(RoomLimits(lifetime=20.0), play)


async def test_seconds_of_the_actor_loop_are_counted_and_a_room_that_takes_too_many_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room_watch, "EVERY", 0.005)

    def spin() -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.03
        while loop.time() < until:
            pass

    specs, limits = Specs(actors=lambda: (Bomb(),)), RoomLimits(handling=Limit(0.02, "kill"))
    async with RoomSupervisor(specs, limits=limits) as rooms:
        busy, calm = await rooms.spawn("busy"), await rooms.spawn("calm")
        account: RoomAccount = rooms.hosted_room("calm").account
        monkeypatch.setattr(account, "use", lambda: replace(RoomAccount.use(account), handling=0.001))  # slow machine
        busy.session.actor("bomb").tell(Block(spin))
        async with asyncio.timeout(10.0):
            await busy.wait_closed()
        assert busy.end is not None
        assert busy.end.cause is RoomEndCause.HANDLING
        assert not calm.closed.done()


# -- memory ------------------------------------------------------------------------------------------------------------


def test_a_room_that_holds_too_much_is_closed_and_its_neighbour_is_not() -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        large, small = await rooms.spawn("large"), await rooms.spawn("small")
        before = small.use().memory
        assert 0 < before < 500_000
        for _ in range(8):
            await answered(large.session, "x" * 250_000)
        assert large.use().memory > 2_000_000
        await large.wait_closed()
        assert large.end is not None
        assert large.end.cause is RoomEndCause.MEMORY
        assert large.end.over is not None
        assert large.end.over.used > 1_000_000
        await asyncio.sleep(10.0)
        assert not small.closed.done()

    limited(RoomLimits(memory=1_000_000), play)


async def test_messages_that_wait_and_userdata_are_counted() -> None:
    @dataclass
    class Order:
        notes: list[str] = field(default_factory=lambda: ["n" * 100_000])

    class Plain:
        def __init__(self) -> None:
            self.notes = "n" * 100_000

    def session_for(room: str) -> SessionSpec:
        userdata = {"order": Order(), "plain": Plain(), "none": None}[room]
        return SessionSpec(agent=Agent(instructions=""), llm=answering(), actors=(Bomb(),), userdata=userdata)

    async with RoomSupervisor(session_for) as rooms:
        none, order, plain = [await rooms.spawn(room) for room in ("none", "order", "plain")]
        least = none.use().memory
        assert order.use().memory - least > 100_000
        assert plain.use().memory - least > 100_000
        agent = none.session.actor("agent")
        await agent.suspend()
        agent.tell(UserTurnEnded("turn-9", "h" * 200_000, "caller", typed=True))
        await until(lambda: rooms.inspect("none")["agent"].data_depth == 1)
        assert held_memory(rooms.system, none.session) - least > 200_000
        await agent.resume()


def test_of_values_each_is_counted_once_and_other_things_are_not() -> None:
    class Colour(Enum):
        RED = "red"

    @dataclass(frozen=True, slots=True)
    class Held:
        items: tuple[object, ...]
        other: object = None

    text = "t" * 1000
    assert 1000 < size_of([text]) < 1100
    assert size_of([text, text, [text]]) < 1300
    assert size_of([Held((text,), deque([bytearray(2000)]))]) > 3000
    assert size_of([MappingProxyType({"a": {"b": frozenset({text})}})]) > 1000
    assert size_of([RoomSupervisor, len, Colour.RED, object(), iter(text)]) == 0
    cycle: list[object] = [text]
    cycle.append(cycle)
    assert size_of([cycle]) < 1300
