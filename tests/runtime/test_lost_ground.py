"""What an actor system does when ground gives way: effects that do not end, restarts inside a commit, lost loops."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sessionactors.runtime import ActorSystem, EffectPort, Restart, Strategy, Supervision, SystemClosed
from sessionactors.runtime.supervision import ChildSpec
from sessionactors.testing.virtual_loop import VirtualLoop

from tests.runtime.scripted import Do, Note, Out, Probe, Scripted, ask, child, fails, spawn, state_of, with_supervision

TEMPORARY = ChildSpec(Restart.TEMPORARY)


async def deaf(port: EffectPort[Any]) -> None:
    """An effect that swallows its cancellation; the second one is of the loop that closes over it."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(3600)
    await asyncio.sleep(3600)


def _starts_deaf(out: Out) -> None:
    out.effect("deaf", deaf, failed=Note)


@pytest.mark.modes("virtual")
@pytest.mark.leaves_behind("the effect that does not end")
async def test_a_child_whose_effect_does_not_end_is_abandoned_and_its_name_is_free(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    stuck = await child(room, "stuck", lambda: Scripted(began=_starts_deaf))
    await ask(room, lambda out: out.watch(stuck, lambda end: Note(end.path)))
    await asyncio.sleep(1)
    began = system.clock.now()
    assert await stuck.stop(block=False)
    assert 4.9 <= (system.clock.now() - began) / 1e9 <= 5.1
    assert await state_of(room) == ("room/stuck",)
    await child(room, "stuck")
    assert system.leaks("room")[1:] == ["effect room/stuck#deaf"]


async def test_a_restart_inside_a_commit_leaves_nothing_of_the_rest_of_it(system: ActorSystem, probe: Probe) -> None:
    never = Supervision(Strategy.ONE_FOR_ONE, max_restarts=0)
    room = await spawn(system, "room", Scripted)
    parent = await child(room, "parent", with_supervision(never))

    async def run(port: EffectPort[Any]) -> None:
        probe.put("the effect ran")

    def start(out: Out) -> None:
        out.spawn("bad", lambda: Scripted(began=fails()))  # fails at once, and its failure is the parent's
        out.effect("late", run, failed=Note)
        out.timer("late", 0.0, Note("timer"))
        out.spawn("late", Scripted)

    await ask(parent, start)
    assert await state_of(parent) == ()
    snapshot = system.inspect("room")["parent"]
    assert (snapshot.restarts, snapshot.effects, snapshot.timers) == (1, (), ())
    assert list(system.inspect("room")) == ["room", "room/parent"]
    assert probe.items == []


async def test_what_a_restarted_actor_asks_for_in_its_hook_happens(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", lambda: Scripted(again=lambda out: out.spawn("grandchild", Scripted)))
    ref.tell(Do(fails()))
    assert await state_of(ref) == ()
    assert "room/child/grandchild" in system.inspect("room")


async def test_a_message_that_waited_at_the_end_is_counted_once(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ref.suspend()
    ref.tell(Note(1))
    tree = system.tree("room")
    await ref.stop(block=False)
    assert tree.ended_accounts.waiting_at_close == 1
    assert (tree.dead_letters, tree.undeliverable) == (1, 0)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that the test closes itself."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def _room_on(loop: asyncio.AbstractEventLoop) -> tuple[ActorSystem, Any]:
    system = ActorSystem("running", watchdog=False)

    async def begin() -> Any:
        system.start()
        return system.spawn("room", Scripted)

    return system, loop.run_until_complete(begin())


def test_a_closed_user_loop_is_a_typed_failure_for_everybody(loop: asyncio.AbstractEventLoop) -> None:
    system, ref = _room_on(loop)
    loop.close()
    for _ in range(2):  # each time, not only the first
        with pytest.raises(SystemClosed, match="loop"):
            ref.tell(Note(1))
    failed: list[type[BaseException]] = []

    def elsewhere() -> None:
        for use in (ref.tell, ref.ask, ref.ask):
            try:
                use(Note(2))
            except BaseException as error:
                failed.append(type(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert failed == [SystemClosed] * 3
    reports = system.close()
    assert [(report.room, report.clean, report.abandoned) for report in reports] == [
        ("room", (), {"room": "its loop is closed"})
    ]
    assert not system.running


def test_a_system_on_a_closed_loop_can_be_closed_from_another_loop(loop: asyncio.AbstractEventLoop) -> None:
    system, _ = _room_on(loop)
    loop.close()
    reports = asyncio.run(system.aclose())
    assert [report.abandoned for report in reports] == [{"room": "its loop is closed"}]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_of_the_loops_own_thread_cannot_use_the_system(loop: asyncio.AbstractEventLoop) -> None:
    system, ref = _room_on(loop)
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            ref.tell(Note(1))
        except BaseException as error:
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        assert said.read().startswith("SystemClosed: this actor system was started before a fork")
    os.wait()
    loop.run_until_complete(system.aclose())


def test_an_ask_on_the_virtual_loop_needs_no_turn_of_it() -> None:
    async def main() -> tuple[Any, ...]:
        system = ActorSystem("running")
        system.start()
        ref = system.spawn("room", Scripted)
        turns: list[str] = []
        asyncio.get_running_loop().call_soon(turns.append, "turn")
        state = await state_of(ref)
        before = tuple(turns)
        await system.aclose()
        return state, before

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(main()) == ((), ())


async def test_asks_in_a_row_let_the_loop_have_its_turns() -> None:
    system = ActorSystem("running", watchdog=False)
    system.start()
    ref = system.spawn("room", Scripted)
    turns: list[int] = []
    loop = asyncio.get_running_loop()

    def turn() -> None:
        turns.append(1)
        loop.call_soon(turn)

    loop.call_soon(turn)
    for _ in range(2000):
        await state_of(ref)
    assert len(turns) >= 2000 // 256
    await system.aclose()
