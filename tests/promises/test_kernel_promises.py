"""Promises that the kernel keeps, each explored over orders, faults or load (docs/promises.md)."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionactors.runtime import (
    ActorSystem,
    AskCycle,
    Backoff,
    BlockingAskOnLoop,
    Lane,
    LoopDispatcher,
    MailboxFull,
    Ref,
    Supervision,
    TreeSnapshot,
)
from sessionactors.runtime.cell import Cell
from sessionactors.runtime.held import Status
from sessionactors.runtime.messages import Kill
from sessionactors.testing import SeededDispatcher, run

from tests.promises import chaos
from tests.runtime.scripted import (
    Boom,
    Do,
    DoNow,
    Level,
    Newest,
    Note,
    NoteNow,
    Oldest,
    OldestOfTwo,
    Out,
    Pause,
    Probe,
    Report,
    Scripted,
    Threaded,
    ask,
    child,
    eventually,
    holding,
    quiet,
    state_of,
    with_bounds,
    with_supervision,
)

T = TypeVar("T")
ROOT: Final = Path(__file__).parents[2]
SEEDS: Final = range(25)
BLOCKS: Final = pytest.mark.may_block("the loop is blocked on purpose", in_functions=["block"])
MARGIN: Final = 0.1
"""Seconds that a close may take beyond its deadline (promise P10)."""


def explore(seed: int, scenario: Callable[[ActorSystem], Coroutine[Any, Any, T]]) -> T:
    """One scenario under one schedule, in virtual time."""

    async def main() -> T:
        system = ActorSystem("running", seed=seed, dispatcher=SeededDispatcher.with_seed(seed))
        system.start()
        try:
            return await scenario(system)
        finally:
            await system.aclose(0.1)

    return run(main)


def in_real_time(scenario: Callable[[ActorSystem], Awaitable[T]]) -> T:
    """One scenario on a loop of the system's own, with real threads."""
    system = ActorSystem()
    system.start()
    try:
        return asyncio.run(_awaited(scenario(system)))
    finally:
        system.close(0.5)


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


async def spawned(system: ActorSystem, name: str, factory: Callable[[], Any]) -> Ref[Any]:
    return await asyncio.to_thread(system.spawn, name, factory)


# -- P10 bounded close -------------------------------------------------------------------------------------------------


class Hung:
    """An effect that swallows every cancellation until it is let go."""

    def __init__(self) -> None:
        self.reached = Probe()
        self.go = False

    async def __call__(self, port: object) -> None:
        self.reached.put()
        while not self.go:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue


async def _bring_about(system: ActorSystem, room: Ref[Any], what: str, leave: threading.Event, hung: Hung) -> None:
    """One of the states from which a tree must be closed."""
    if what == "blocked thread":
        entered = Probe()
        ref = await child(room, "blocked", Threaded)
        ref.tell(Do(holding(entered, leave)))
        await entered.count(1)
    elif what == "hung effect":
        ref = await child(room, "hung")
        await ask(ref, lambda out: out.effect("hung", hung, failed=Note))
        await hung.reached.count(1)
    elif what == "full mailbox":
        ref = await child(room, "full", with_bounds(data=50))
        await ref.suspend()
        for number in range(50):
            ref.tell(Note(number))
    elif what == "suspended":
        await (await child(room, "suspended")).suspend()
    elif what == "restarting":
        parent = await child(room, "parent", with_supervision(Supervision(backoff=Backoff(60.0, 60.0))))
        ref = await child(parent, "restarting")
        system.call(lambda: ref.cell.deliver_system(Kill(Boom())))
        await eventually(lambda: ref.cell.status is Status.RESTARTING)


STATES: Final = ("blocked thread", "hung effect", "full mailbox", "suspended", "restarting")
STUCK: Final = {"blocked thread": "room/blocked", "hung effect": "room/hung"}


@pytest.mark.parametrize("states", [*((state,) for state in STATES), STATES], ids="+".join)
def test_p10_a_tree_closes_within_its_deadline_from_every_state(states: tuple[str, ...]) -> None:
    leave, hung = threading.Event(), Hung()

    async def scenario(system: ActorSystem) -> None:
        room = await spawned(system, "room", Scripted)
        for state in states:
            await _bring_about(system, room, state, leave, hung)
        deadline = 0.2
        began = time.monotonic()
        report: Any = await system.stop_tree("room", deadline)
        assert time.monotonic() - began < deadline + MARGIN
        assert report.seconds < deadline + MARGIN
        assert set(report.abandoned) == {STUCK[state] for state in states if state in STUCK}
        assert set(report.clean) | set(report.abandoned) >= {"room"}
        assert len(system.leaks("room")) == len(report.abandoned)
        leave.set()
        hung.go = True
        await eventually(lambda: system.leaks("room") == [])

    in_real_time(scenario)


@pytest.mark.parametrize("seed", SEEDS)
def test_p10_a_working_tree_closes_within_its_deadline_at_any_moment(seed: int) -> None:
    async def scenario(system: ActorSystem) -> None:
        root, _ = await chaos.start(system, "room")
        root.tell(chaos.Work(8))
        await asyncio.sleep(random.Random(seed).uniform(0, 0.05))
        report: Any = await system.stop_tree("room", 0.5)
        assert report.seconds < 0.5 + MARGIN
        assert report.abandoned == {}
        assert system.leaks("room") == []

    explore(seed, scenario)


# -- P11 no circular waits ---------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_p11_asks_along_any_path_are_answered_or_refused_as_a_circle(path: list[int]) -> None:
    async def scenario(system: ActorSystem) -> None:
        refs = [await spawned(system, f"actor-{number}", Threaded) for number in range(4)]

        def step(left: list[int]) -> Callable[[Out], object]:
            def act(out: Out) -> None:
                out.reply(refs[left[0]].ask(Do(step(left[1:])), timeout=5.0) if left else "the end")

            return act

        asked = refs[path[0]].ask(Do(step(path[1:])), block=False)
        began = time.monotonic()
        if len(set(path)) == len(path):
            assert await asked == "the end"
        else:
            with pytest.raises(AskCycle):
                await asked
        assert time.monotonic() - began < 2.0

    in_real_time(scenario)


@pytest.mark.parametrize("seed", range(5))
def test_p11_a_blocking_wait_on_the_actor_loop_raises_at_once_wherever_it_stands(seed: int) -> None:
    explore(seed, _each_wait)


def _starts(effect: Any, out: Out) -> None:
    out.effect("e", effect, failed=Note)


def _waits(wait: Callable[[Ref[Any]], object], ref: Ref[Any], out: Out) -> None:
    wait(ref)


async def _each_wait(system: ActorSystem) -> None:
    waits: list[Callable[[Ref[Any]], object]] = [
        lambda other: other.ask(Report()),
        lambda other: other.ask(Report(), block=False).get(),
        lambda other: other.stop(),
        lambda other: other.suspend().get(),
    ]
    for number, wait in enumerate(waits):
        room = system.spawn(f"room-{number}", Scripted)
        other, asker = await child(room, "other"), await child(room, "asker")
        raised = Probe()

        async def effect(port: object, wait: Any = wait, other: Any = other, raised: Probe = raised) -> None:
            with pytest.raises(BlockingAskOnLoop):
                wait(other)
            raised.put()

        with pytest.raises(BlockingAskOnLoop):
            wait(other)
        await ask(asker, partial(_starts, effect))
        await raised.count(1)
        with pytest.raises((BlockingAskOnLoop, RuntimeError)):
            await ask(asker, partial(_waits, wait, other))
        assert other.is_alive()


# -- P14 rooms are bulkheads -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_p14_what_one_room_raises_costs_another_no_message(seed: int) -> None:
    errors = [Boom, asyncio.CancelledError, SystemExit, GeneratorExit]

    async def scenario(system: ActorSystem) -> None:
        dice = random.Random(seed)
        forgiving = with_supervision(Supervision(max_restarts=1000))
        bad = system.spawn("bad", forgiving)
        culprits = [await child(bad, f"culprit-{number}") for number in range(3)]
        good = [system.spawn(f"good-{number}", Scripted) for number in range(3)]

        async def effect(port: object) -> None:
            raise dice.choice(errors)

        def fail(out: Out) -> None:
            raise dice.choice(errors)

        def fail_later(out: Out) -> None:
            out.port(fail, out)
            out.timer("t", 0.0, Do(fail))

        def work(out: Out) -> None:
            out.effect("e", effect, failed=Note)

        for number in range(40):
            dice.choice(culprits).tell(Do(dice.choice([fail, fail_later, work])))
            for ref in good:
                ref.tell(Note(number))
            if dice.random() < 0.3:
                await asyncio.sleep(0.001)
        await asyncio.sleep(1.0)
        for ref in good:
            assert await state_of(ref) == tuple(range(40))

    explore(seed, scenario)


def test_p14_a_stuck_thread_in_one_room_holds_up_no_other() -> None:
    leave = threading.Event()

    async def scenario(system: ActorSystem) -> None:
        stuck = await spawned(system, "stuck", Threaded)
        other = await spawned(system, "other", Scripted)
        entered = Probe()
        stuck.tell(Do(holding(entered, leave)))
        await entered.count(1)
        slowest = 0.0
        for number in range(200):
            began = time.monotonic()
            other.tell(Note(number))
            await state_of(other)
            slowest = max(slowest, time.monotonic() - began)
        assert len(await state_of(other)) == 200
        assert slowest < 0.5
        leave.set()
        await quiet(stuck)

    in_real_time(scenario)


# -- P15 every mailbox is bounded --------------------------------------------------------------------------------------

KINDS: Final = (Note, NoteNow, Oldest, Newest, OldestOfTwo, Level, lambda number: Pause(str(number % 3), number))


@pytest.mark.parametrize("seed", SEEDS)
def test_p15_no_lane_ever_holds_more_than_its_bound_and_all_is_counted(seed: int) -> None:
    async def scenario(system: ActorSystem) -> None:
        dice = random.Random(seed)
        room = system.spawn("room", with_supervision(Supervision(max_restarts=1000)))
        bounds = [dice.randint(1, 8) for _ in range(4)]
        receivers = [
            await child(room, f"r-{number}", with_bounds(control=8, data=bound)) for number, bound in enumerate(bounds)
        ]
        senders = [await child(room, f"s-{number}") for number in range(3)]
        over: list[str] = []

        def look() -> None:
            for ref, bound in zip(receivers, bounds, strict=True):
                mailbox = ref.cell.mailbox
                if mailbox.waiting(Lane.DATA) > bound or mailbox.waiting(Lane.CONTROL) > 8:
                    over.append(ref.path)

        def burst(out: Out) -> None:
            for _ in range(dice.randint(1, 12)):
                out.tell(dice.choice(receivers), dice.choice(KINDS)(dice.randint(0, 9)))
            out.port(look)

        for _ in range(60):
            dice.choice(senders).tell(Do(burst))
            if dice.random() < 0.2:
                dice.choice(receivers).suspend()
            if dice.random() < 0.2:
                await asyncio.sleep(0.001)
                dice.choice(receivers).resume()
        await asyncio.sleep(0.5)
        assert over == []
        for ref, bound in zip(receivers, bounds, strict=True):
            mailbox = ref.cell.mailbox
            assert mailbox.high_water <= max(bound, 8)
            assert mailbox.accounts.received == mailbox.accounts.ended() + mailbox.waiting(Lane.DATA) + mailbox.waiting(
                Lane.CONTROL
            )
        assert sum(ref.cell.mailbox.accounts.dropped for ref in receivers) > 0

    explore(seed, scenario)


@BLOCKS
def test_p15_what_is_told_while_the_loop_is_blocked_is_bounded_too() -> None:
    leave, entered = threading.Event(), threading.Event()

    def block(out: Out) -> None:
        entered.set()
        leave.wait(10)

    async def scenario(system: ActorSystem) -> None:
        ref = await spawned(system, "room", with_bounds(data=100))
        ref.tell(Do(block))
        assert await asyncio.to_thread(entered.wait, 5)
        refused = 0
        for number in range(5_000):
            try:
                ref.tell(Note(number))
            except MailboxFull:
                refused += 1
        assert refused == 4_900
        assert sum(ref.cell.on_the_way) == 100
        leave.set()
        await quiet(ref)
        assert ref.cell.refused_at_edge == 4_900
        assert len(await state_of(ref)) == 100

    in_real_time(scenario)


# -- P16 control overtakes data ----------------------------------------------------------------------------------------

ROOMS: Final = 10
EACH: Final = 1_000


@pytest.mark.parametrize("seed", [None, 1, 2, 3, 4, 5], ids=lambda seed: "loop" if seed is None else f"seed-{seed}")
def test_p16_control_is_handled_before_any_data_that_waits_in_any_room(seed: int | None) -> None:
    async def main() -> None:
        dispatcher = LoopDispatcher if seed is None else SeededDispatcher.with_seed(seed)
        system = ActorSystem("running", dispatcher=dispatcher)
        system.start()
        order: list[str] = []
        dice = random.Random(seed)
        rooms = [system.spawn(f"room-{number}", Scripted) for number in range(ROOMS)]
        moments = {dice.randrange(ROOMS * EACH) for _ in range(50)}

        def data(out: Out) -> None:
            if len(order) in moments:
                out.tell(dice.choice(rooms), NoteNow(order))
                order.append("tells control")
            else:
                order.append("data")

        taps = system.tap(types=[Do, NoteNow], capacity=ROOMS * EACH + 1000)
        for room in rooms:
            for _ in range(EACH):
                room.tell(Do(data))
        await eventually(lambda: not any(room.cell.mailbox.data or room.cell.mailbox.control for room in rooms))
        handled = [type(delivery.message).__name__ for delivery in taps.drain()]
        told = [index for index, what in enumerate(_without_control(handled, order)) if what == "tells control"]
        assert len(told) > 30
        merged = _without_control(handled, order)
        for index in told:
            assert merged[index + 1] == "control", "data was handled before control that was told"
        taps.close()
        await system.aclose()

    run(main)


def _without_control(handled: list[str], order: list[str]) -> list[str]:
    """What the handlers noted, in the order of all deliveries: control where it was handled."""
    notes = iter(order)
    return ["control" if name == "NoteNow" else next(notes) for name in handled]


def _notes(order: list[str], done: threading.Event, out: Out) -> None:
    order.append("control")
    done.set()


def test_p16_control_from_another_thread_waits_for_the_handler_in_progress_only() -> None:
    order: list[str] = []
    begun = threading.Event()

    def data(out: Out) -> None:
        order.append("data")
        if len(order) == 100:
            begun.set()

    async def scenario(system: ActorSystem) -> None:
        rooms = [await spawned(system, f"room-{number}", Scripted) for number in range(ROOMS)]
        quick = await spawned(system, "quick", Scripted)

        def load() -> None:
            for room in rooms:
                for _ in range(EACH):
                    room.cell.deliver(room._envelope(Do(data), None))

        system.call(load)
        assert await asyncio.to_thread(begun.wait, 5)
        late = []
        for _ in range(20):
            done = threading.Event()
            quick.tell(DoNow(partial(_notes, order, done)))
            told_at = len(order)
            await asyncio.to_thread(done.wait, 5)
            late.append(order.index("control", max(0, told_at - 1)) - told_at if "control" in order[told_at:] else 0)
        assert max(late) <= 1, f"data handled after control was told: {late}"
        for room in rooms:
            await quiet(room)
        assert order.count("data") == ROOMS * EACH

    in_real_time(scenario)


# -- P17 nothing is left behind ----------------------------------------------------------------------------------------


def test_p17_a_thousand_trees_leave_nothing_behind() -> None:
    system = ActorSystem()
    system.start()

    async def forever(port: Any) -> None:
        await asyncio.sleep(3600)

    def begin(out: Out) -> None:
        for number in range(3):
            ref = out.spawn(f"child-{number}", Threaded if number == 2 else Scripted)
            out.watch(ref, Note)
            out.tell(ref, Note(number))
        out.timer("t", 3600.0, Note("never"))
        out.effect("e", forever, failed=Note)
        out.oblige("o", "nothing", 3600.0)
        out.open_scope("s")

    def cycle(number: int) -> None:
        name = f"room-{number}"
        system.spawn(name, lambda: Scripted(began=begin))
        report: Any = system.stop_tree(name, 2.0).get(timeout=5.0)
        assert len(report.clean) == 4
        assert system.leaks(name) == []

    def counts() -> dict[str, int]:
        gc.collect()
        return {
            "threads": threading.active_count(),
            "cells": sum(isinstance(thing, Cell) and thing.system is system for thing in gc.get_objects()),
            "tasks": len(asyncio.all_tasks(system.loop)),
            "descriptors": len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0,
            "alarms": system.ticker.pending(),
            "trees": len(system.trees),
        }

    for number in range(20):
        cycle(number)
    _settle(system)
    before = counts()
    for number in range(1_000):
        cycle(number)
    _settle(system)
    after = counts()
    system.close()
    assert after == before
    assert (before["cells"], before["tasks"], before["alarms"], before["trees"]) == (0, 0, 0, 0)


def _settle(system: ActorSystem) -> None:
    """Wait for threads that were told to end."""
    limit = time.monotonic() + 5.0
    while any(thread.name.startswith("actor ") for thread in threading.enumerate()) and time.monotonic() < limit:
        time.sleep(0.005)
    done = threading.Event()
    system.call(done.set)
    assert done.wait(5.0)


# -- P18 every delivery is accounted for -------------------------------------------------------------------------------


def _balanced(system: ActorSystem, name: str) -> None:
    """The sums of every actor, and of the tree: each id that was given out ended once."""
    tree = system.trees[name]
    for cell in tree.cells.values():
        mailbox = cell.mailbox
        waiting = mailbox.waiting(Lane.CONTROL) + mailbox.waiting(Lane.DATA) + mailbox.stashed_count()
        assert mailbox.accounts.received == mailbox.accounts.ended() + waiting, cell.path
        assert mailbox.accounts.lost_in_restart == 0
    given_out = tree.next_message_id() - 1
    assert tree.accounts().received + tree.undeliverable == given_out


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000_000))
def test_p18_sums_reconcile_under_random_traffic_with_every_outcome(seed: int) -> None:
    async def scenario(system: ActorSystem) -> dict[str, int]:
        root, _ = await chaos.start(system, "room")
        root.tell(chaos.Work(8))
        await chaos.run_to_rest(system, "room")
        snapshot = system.inspect("room")
        assert not any(actor.torn for actor in snapshot.values())
        _balanced(system, "room")
        tree = system.trees["room"]
        await system.stop_tree("room", 0.5)
        total = tree.accounts()
        assert total.received == total.ended()
        return {name: getattr(total, name) for name in type(total).__slots__}

    outcomes = explore(seed, scenario)
    assert outcomes["handled"] > 0


def test_p18_the_random_traffic_reaches_every_outcome() -> None:
    async def scenario(system: ActorSystem) -> Any:
        root, _ = await chaos.start(system, "room")
        root.tell(chaos.Work(8))
        await asyncio.sleep(0.02)
        tree = system.trees["room"]
        await system.stop_tree("room", 0.5)
        total = tree.accounts()
        assert total.received == total.ended()
        return total

    seen: dict[str, int] = {}
    for seed in SEEDS:
        accounts = explore(seed, scenario)
        for name in type(accounts).__slots__:
            seen[name] = seen.get(name, 0) + getattr(accounts, name)
    assert {name for name, count in seen.items() if not count} <= {"expired", "lost_in_restart"}


def test_p18_the_parents_count_is_taken_before_its_end() -> None:
    async def scenario(system: ActorSystem) -> None:
        room = system.spawn("room", Scripted)
        await child(room, "child")
        await room.suspend()
        for number in range(5):
            room.tell(Note(number))
        tree = system.trees["room"]
        at_the_end: list[int] = []
        system.when_tree_ended("room", lambda: at_the_end.append(tree.accounts().waiting_at_close))
        await system.stop_tree("room", 0.5)
        assert at_the_end == [5]

    explore(0, scenario)


@pytest.mark.parametrize("seed", range(10))
def test_p18_asks_that_expire_and_actors_that_are_abandoned_are_accounted_for(seed: int) -> None:
    leave = threading.Event()

    async def scenario(system: ActorSystem) -> None:
        room = await spawned(system, "room", Scripted)
        stuck, slow = await child(room, "stuck", Threaded), await child(room, "slow")
        entered = Probe()
        stuck.tell(Do(holding(entered, leave)))
        await entered.count(1)
        stuck.tell(Note("waiting"))
        await slow.suspend()
        await asyncio.gather(
            *(_awaited(slow.ask(Note(number), block=False, timeout=0.01)) for number in range(seed)),
            return_exceptions=True,
        )
        await slow.resume()
        await quiet(slow)
        assert slow.cell.mailbox.accounts.expired == seed
        tree = system.trees["room"]
        await system.stop_tree("room", 0.05)
        total = tree.accounts()
        assert total.received == total.ended()
        assert total.waiting_at_close == 2
        leave.set()
        await eventually(lambda: not system.threads.running())

    in_real_time(scenario)


# -- P20 always readable -----------------------------------------------------------------------------------------------


def test_p20_inspection_from_another_thread_never_raises_and_adds_up_or_says_torn() -> None:
    over = threading.Event()
    failures: list[BaseException] = []
    seen: list[TreeSnapshot] = []

    async def scenario(system: ActorSystem) -> None:
        def begin() -> None:
            asyncio.run_coroutine_threadsafe(chaos.start(system, "room"), system.loop).result(5)

        await asyncio.to_thread(begin)
        root = system.tree("room").root
        assert root is not None

        def look() -> None:
            while not over.is_set():
                try:
                    snapshot = system.inspect("room")
                    str(snapshot)
                except BaseException as error:
                    failures.append(error)
                    return
                seen.append(snapshot)

        looking = threading.Thread(target=look)
        looking.start()
        for _ in range(300):
            try:
                root.ref.tell(chaos.Work(5))
            except MailboxFull:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)
        over.set()
        await asyncio.to_thread(looking.join)

    in_real_time(scenario)
    assert failures == []
    assert len(seen) > 10
    for snapshot in seen:
        for actor in snapshot.values():
            accounts = actor.accounts
            waiting = actor.control_depth + actor.data_depth + actor.stashed
            in_hand = accounts.received - accounts.ended() - waiting
            assert actor.torn or in_hand == 0 or (in_hand == 1 and actor.in_hand is not None)


def _median_cost(call: Callable[[], object]) -> float:
    """Seconds of CPU of this thread: without coverage's tracer, and without collecting what the test session holds."""
    costs = []
    tracer = sys.gettrace()
    sys.settrace(None)
    gc.disable()
    for _ in range(51):
        began = time.thread_time()
        call()
        costs.append(time.thread_time() - began)
    gc.enable()
    sys.settrace(tracer)
    return statistics.median(costs)


def test_p20_a_look_at_fifteen_actors_costs_less_than_a_millisecond() -> None:
    async def scenario(system: ActorSystem) -> None:
        room = await spawned(system, "room", Scripted)
        refs = [await child(room, f"child-{number}") for number in range(14)]
        for ref in refs:
            for number in range(40):  # the flight recorders are full
                ref.tell(Note(number))
            await quiet(ref)
            await ref.suspend()
            for number in range(10):
                ref.tell(Note(number))
        await asyncio.sleep(0.05)
        system.inspect("room")
        medians = [_median_cost(lambda: system.inspect("room")) for _ in range(5)]
        assert min(medians) < 0.001, f"{min(medians) * 1e6:.0f} us"

    in_real_time(scenario)


@BLOCKS
def test_p20_a_room_is_readable_while_its_loop_is_blocked() -> None:
    leave, entered = threading.Event(), threading.Event()

    def block(out: Out) -> None:
        entered.set()
        leave.wait(10)

    async def scenario(system: ActorSystem) -> None:
        room = await spawned(system, "room", Scripted)
        ref = await child(room, "busy")
        ref.tell(Do(block))
        assert await asyncio.to_thread(entered.wait, 5)
        await eventually(lambda: system.inspect("room").loop_blocked > 0)
        snapshot = system.inspect("room")
        in_hand = snapshot["busy"].in_hand
        assert in_hand is not None
        assert in_hand.type == "Do"
        assert not any(actor.torn for actor in snapshot.values())
        leave.set()
        await quiet(ref)

    in_real_time(scenario)


# -- P23 same seed, same run -------------------------------------------------------------------------------------------


def _traced(seed: int, hash_seed: str) -> bytes:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("traced.py")), str(seed)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(_import_path())},
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _import_path() -> list[str]:
    """Where this process imports from: the mutants' runner puts a changed copy first."""
    import sessionactors

    return [str(Path(str(sessionactors.__file__)).parents[1]), str(ROOT)]


@pytest.mark.parametrize("seed", [1, 2])
def test_p23_two_processes_give_the_same_trace_for_a_seed(seed: int) -> None:
    one, two = _traced(seed, "1"), _traced(seed, "2")
    assert len(one.splitlines()) > 150
    assert one == two


def test_p23_another_seed_is_another_schedule() -> None:
    from tests.promises.traced import trace

    one, two, again = [run(partial(trace, 1, order)) for order in (1, 2, 1)]
    assert one == again
    assert one != two
