"""The watchdog: names what blocks a loop within a second, and acts when the loop cannot."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
import time
import types
from typing import Any, cast

import pytest

from sessionactors.runtime import ActorSystem, Stall
from sessionactors.runtime.blocked_loop import place
from sessionactors.runtime.watchdog import Watchdog

from tests.runtime.scripted import Do, Note, Out, Probe, Scripted, eventually, quiet, spawn, state_of

OWN = pytest.mark.modes("own", "own+uvloop")
BLOCKS = pytest.mark.may_block("the loop is blocked on purpose", in_functions=["block"])


def watchdog_of(system: ActorSystem) -> Watchdog:
    assert system.watchdog is not None
    return system.watchdog


@OWN
@BLOCKS
async def test_a_blocked_actor_loop_is_named_within_a_second(system: ActorSystem, caplog: Any) -> None:
    leave, entered = threading.Event(), Probe()

    def block(out: Out) -> None:
        entered.put()
        leave.wait(10)

    room = await spawn(system, "room", Scripted)
    room.tell(Do(block))
    await entered.count(1)
    began = time.monotonic()
    watchdog = watchdog_of(system)
    await eventually(lambda: watchdog.stalls)
    assert time.monotonic() - began < 1.0
    [stall] = watchdog.stalls
    assert (stall.loop, stall.actor, stall.message) == ("actor", "room", "Do #1")
    assert stall.seconds > 0.4
    assert "leave.wait(10)" in stall.stack
    await eventually(lambda: "loop_blocked" in caplog.text)  # the line is written when the stall is noted already
    await asyncio.sleep(0.25)
    assert len(watchdog.stalls) == 1  # named once
    leave.set()
    await quiet(room)
    await eventually(lambda: watchdog.blocked() is None)


@pytest.mark.modes("own", "running")
@BLOCKS
async def test_a_blocked_user_loop_is_named(system: ActorSystem) -> None:
    user_loop = asyncio.new_event_loop()
    thread = threading.Thread(target=user_loop.run_forever)
    thread.start()
    room = await spawn(system, "room", Scripted, user_loop=user_loop)
    leave = threading.Event()

    def block() -> None:
        leave.wait(10)

    watchdog = watchdog_of(system)
    heart = watchdog._hearts[id(user_loop)]
    await eventually(lambda: heart.thread is not None)
    user_loop.call_soon_threadsafe(block)
    await eventually(lambda: watchdog.stalls)
    assert [(stall.loop, stall.actor, stall.message) for stall in watchdog.stalls] == [("user", None, None)]
    assert "leave.wait(10)" in watchdog.stalls[0].stack
    [blocked] = system.inspect("room").blocked  # who looks is told by what, and where
    assert (blocked.loop, blocked.by) == ("user", "a callback")
    assert re.search(r"test_watchdog\.py:\d+ in test_a_blocked_user_loop_is_named.<locals>.block$", blocked.where)
    assert 0.3 < blocked.seconds < 20
    room.tell(Note("alive"))
    assert await state_of(room) == ("alive",)
    leave.set()
    await eventually(lambda: system.inspect("room").blocked == ())
    user_loop.call_soon_threadsafe(user_loop.stop)
    await asyncio.to_thread(thread.join)
    heart.asked, heart.beat = True, 0.0
    assert system.inspect("room").blocked == ()  # a loop that has ended is not held
    heart.asked = False
    user_loop.close()
    await eventually(lambda: id(user_loop) not in watchdog._hearts)  # forgotten, as it is closed


@pytest.mark.modes("own", "running")
async def test_a_user_loop_is_watched_as_long_as_a_room_uses_it(system: ActorSystem) -> None:
    user_loop = asyncio.new_event_loop()
    watchdog = watchdog_of(system)
    for name in ("a", "b"):
        await spawn(system, name, Scripted, user_loop=user_loop)
    await system.stop_tree("a")
    assert id(user_loop) in watchdog._hearts
    await system.stop_tree("b")
    assert id(user_loop) not in watchdog._hearts
    user_loop.close()


@pytest.mark.modes("own", "running")
async def test_a_refused_room_leaves_no_loop_watched(system: ActorSystem) -> None:
    user_loop = asyncio.new_event_loop()
    await spawn(system, "room", Scripted)
    with pytest.raises(ValueError, match="lives already"):
        await spawn(system, "room", Scripted, user_loop=user_loop)
    assert id(user_loop) not in watchdog_of(system)._hearts
    user_loop.close()


@OWN
@BLOCKS
async def test_a_guard_acts_although_the_loop_is_blocked(system: ActorSystem) -> None:
    leave, entered, acted = threading.Event(), Probe(), Probe()

    def block(out: Out) -> None:
        entered.put()
        leave.wait(10)

    room = await spawn(system, "room", Scripted)
    room.tell(Do(block))
    await entered.count(1)
    watchdog_of(system).guard("silence", 0.05, lambda: acted.put(threading.current_thread().name))
    assert await acted.count(1) == ["sessionactors watchdog"]
    leave.set()
    await quiet(room)


@pytest.mark.modes("own", "running")
async def test_a_released_guard_does_not_act(system: ActorSystem, probe: Probe) -> None:
    watchdog = watchdog_of(system)
    watchdog.guard("released", 0.0, lambda: probe.put("released"))
    watchdog.release("released")
    watchdog.guard("kept", 0.0, lambda: probe.put("kept"))
    assert await probe.count(1) == ["kept"]


@pytest.mark.modes("own", "running")
async def test_a_guard_that_raises_does_not_end_the_watch(system: ActorSystem, probe: Probe, caplog: Any) -> None:
    watchdog = watchdog_of(system)
    watchdog.guard("broken", 0.0, lambda: 1 / 0)  # type: ignore[arg-type]
    watchdog.guard("next", 0.15, probe.put)
    await probe.count(1)
    assert "guard_failed" in caplog.text


@pytest.mark.modes("own", "running")
async def test_only_the_last_stalls_are_kept(system: ActorSystem) -> None:
    watchdog = watchdog_of(system)
    watchdog.stalls = [Stall("actor", 1.0, None, None, "") for _ in range(16)]
    watchdog._report(watchdog._hearts[id(system.loop)], 2.0)
    assert (len(watchdog.stalls), watchdog.stalls[-1].seconds) == (16, 2.0)


async def test_virtual_time_needs_no_watchdog(system: ActorSystem, mode: Any) -> None:
    assert (system.watchdog is None) == mode.virtual
    assert system.blocked_since() is None


@pytest.mark.modes("running")
async def test_a_system_can_do_without_a_watchdog(make_system: Any) -> None:
    system = await make_system(watchdog=False)
    assert system.watchdog is None


def test_a_place_is_told_by_the_innermost_line_that_is_neither_pythons_nor_a_packages() -> None:
    assert re.search(r"test_watchdog\.py:\d+ in test_a_place_is_told", place(sys._getframe()))
    assert place(None) == "nobody knows where"

    def parse() -> str:
        def constant(_: str) -> None:
            within = sys._getframe().f_back  # a line of json
            assert within is not None
            told.append(place(within))

        json.loads("NaN", parse_constant=constant)
        return told[0]

    told: list[str] = []
    assert "test_watchdog.py:" in parse()
    namespace = types.SimpleNamespace(f_code=json.loads.__code__, f_lineno=1, f_back=None)
    assert place(cast("types.FrameType", namespace)).endswith(
        "json/__init__.py:1 in loads"
    )  # nothing but Python's: the innermost
