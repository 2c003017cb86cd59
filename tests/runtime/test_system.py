"""The actor system: its start and end, what is left behind, forks, and the thread of its loop."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from sessionactors.runtime import ActorSystem, KernelFuture, LoopDispatcher, NameTaken, SystemClosed
from sessionactors.runtime import system as system_module

from tests.runtime.scripted import (
    Boom,
    Do,
    Mode,
    Note,
    Out,
    Probe,
    Report,
    Scripted,
    Threaded,
    ask,
    child,
    eventually,
    holding,
    on_loop,
    quiet,
    spawn,
    state_of,
    with_bounds,
)

OWN = pytest.mark.modes("own", "own+uvloop")
THREADS = pytest.mark.modes("own", "own+uvloop", "running")
BLOCKS = pytest.mark.may_block("the loop is blocked on purpose", in_functions=["block"])


async def closed(system: ActorSystem, name: str = "room", deadline: float = 0.05) -> Any:
    return await system.stop_tree(name, deadline)


class Held:
    """An effect that swallows its cancellation until the test lets it go."""

    def __init__(self) -> None:
        self.reached = Probe()
        self.go = False

    async def __call__(self, port: object) -> None:
        self.reached.put()
        while not self.go:
            try:
                await asyncio.sleep(0.005)
            except asyncio.CancelledError:
                continue


# -- use ---------------------------------------------------------------------------------------------------------------


def test_nothing_starts_before_start() -> None:
    before = threading.active_count()
    system = ActorSystem()
    assert (threading.active_count(), system.running) == (before, False)
    with pytest.raises(SystemClosed, match=r"not running: call start\(\) first"):
        system.spawn("room", Scripted)
    assert system.close() == []


async def test_closing_what_never_ran_does_nothing(mode: Mode) -> None:
    assert await mode.new_system().aclose() == []


def test_an_unknown_kind_of_loop_is_refused() -> None:
    with pytest.raises(ValueError, match='loop must be "own" or "running", got \'borrowed\''):
        ActorSystem("borrowed")  # type: ignore[arg-type]


def test_a_running_loop_is_needed_to_use_it() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        ActorSystem("running").start()


async def test_starting_twice_does_nothing(system: ActorSystem) -> None:
    loop = system.loop
    system.start()
    assert (system.loop, system.running) == (loop, True)


async def test_a_closed_system_cannot_be_used_or_started_again(make_system: Any) -> None:
    system = await make_system()
    ref = await spawn(system, "room", Scripted)
    await system.aclose()
    assert not system.running
    for use in (lambda: system.spawn("other", Scripted), system.start, lambda: system.stop_tree("room")):
        with pytest.raises(SystemClosed):
            use()
    with pytest.raises(pykka.ActorDeadError):
        ref.tell(Note(1))
    with pytest.raises(pykka.ActorDeadError):
        await ref.ask(Report(), block=False)
    assert ref.stop() is False
    assert await system.aclose() == []


async def test_a_system_on_a_running_loop_closes_by_await(make_system: Any, mode: Mode) -> None:
    if mode.own:
        pytest.skip("it has a loop of its own")
    system = await make_system()
    with pytest.raises(SystemClosed, match=r"await system.aclose\(\)"):
        system.close()


def test_a_system_with_its_own_loop_needs_no_other() -> None:
    system = ActorSystem()
    system.start()
    ref = system.spawn("room", Scripted)
    ref.tell(Note(1))
    assert ref.ask(Report()) == (1,)
    [report] = system.close()
    assert (report.room, report.clean, report.abandoned) == ("room", ("room",), {})


async def test_two_systems_live_side_by_side(make_system: Any) -> None:
    one, two = await make_system(), await make_system()
    for system in (one, two):
        ref = await spawn(system, "room", Scripted)
        ref.tell(Note(1))
        assert await state_of(ref) == (1,)


async def test_a_room_has_one_name_at_a_time(system: ActorSystem) -> None:
    await spawn(system, "room", Scripted)
    with pytest.raises(NameTaken, match="a room named 'room' lives already"):
        await spawn(system, "room", Scripted)
    await closed(system)
    await spawn(system, "room", Scripted)


async def test_no_room_starts_while_the_system_closes(make_system: Any) -> None:
    system = await make_system()
    held = Held()
    ref = await spawn(system, "room", Scripted)
    await ask(ref, lambda out: out.effect("held", held, failed=Note))
    await held.reached.count(1)
    closing = asyncio.ensure_future(system.aclose(0.05))
    await eventually(lambda: system.closing)
    with pytest.raises(SystemClosed, match="is closing: 'late' was not started"):
        await spawn(system, "late", Scripted)
    await closing
    held.go = True
    await eventually(lambda: not [task for task in asyncio.all_tasks() if "held" in task.get_name()])
    if system.mode == "own":  # its loop waits a second for what it has cancelled
        await eventually(lambda: "sessionactors loop" not in [thread.name for thread in threading.enumerate()])


async def test_whoever_wants_to_know_is_told_that_a_tree_has_ended(system: ActorSystem, probe: Probe) -> None:
    await spawn(system, "room", Scripted)
    system.when_tree_ended("room", lambda: probe.put("ended"))
    system.when_tree_ended("never", lambda: probe.put("was not there"))
    await probe.count(1)
    assert probe.items == ["was not there"]
    await closed(system)
    assert probe.items == ["was not there", "ended"]


# -- close -------------------------------------------------------------------------------------------------------------


async def test_a_clean_close_names_every_actor(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    a = await child(room, "a")
    await child(a, "b")
    report = await closed(system)
    assert (report.room, report.clean, report.abandoned) == ("room", ("room/a/b", "room/a", "room"), {})
    assert report.seconds < 0.05
    assert system.leaks("room") == []


async def test_closing_a_tree_that_is_not_there_is_an_empty_report(system: ActorSystem) -> None:
    report = await closed(system, "nobody")
    assert (report.clean, report.abandoned, report.seconds) == ((), {}, 0.0)


async def test_a_hung_effect_is_abandoned_by_name_and_forgotten_when_it_ends(system: ActorSystem) -> None:
    held = Held()
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "tts")
    await ask(ref, lambda out: out.effect("synthesis", held, failed=Note))
    await held.reached.count(1)
    assert system.leaks("room") == ["tree room"]
    report = await closed(system)
    assert report.clean == ("room",)
    assert list(report.abandoned) == ["room/tts"]
    assert report.abandoned["room/tts"].startswith("in effect synthesis for 0.0")
    assert system.leaks("room") == ["effect room/tts#synthesis"]
    held.go = True
    await eventually(lambda: system.leaks("room") == [])


@THREADS
async def test_a_stuck_handler_is_abandoned_by_name(system: ActorSystem, probe: Probe) -> None:
    leave = threading.Event()
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "tool", lambda: Threaded(ended=lambda out: probe.put("last words")))

    def stuck(out: Out) -> None:
        probe.put("reached")
        leave.wait(5)
        out.port(probe.put, "sent")

    asked = asyncio.ensure_future(ask(ref, stuck))
    await probe.count(1)
    report = await closed(system)
    assert list(report.abandoned) == ["room/tool"]
    assert report.abandoned["room/tool"].startswith("at message Do #2, for 0.0")
    with pytest.raises(pykka.ActorDeadError, match="room/tool was abandoned at message Do #2"):
        await asked
    assert ref.cell.mailbox.accounts.waiting_at_close == 1
    assert system.leaks("room") == ["thread room/tool"]
    leave.set()
    await eventually(lambda: system.leaks("room") == [])
    assert probe.items == ["reached"]


@THREADS
async def test_a_stuck_handler_that_returns_after_the_system_hurts_nobody(make_system: Any, probe: Probe) -> None:
    system = await make_system()
    leave = threading.Event()
    ref = await spawn(system, "room", Threaded)
    ref.tell(Do(holding(probe, leave)))
    await probe.count(1)
    [report] = await system.aclose(0.02)
    assert list(report.abandoned) == ["room"]
    leave.set()
    await eventually(lambda: not system.threads.running())


async def test_a_second_close_shortens_the_deadline_of_the_first(system: ActorSystem) -> None:
    held = Held()
    room = await spawn(system, "room", Scripted)
    await ask(room, lambda out: out.effect("held", held, failed=Note))
    await held.reached.count(1)
    first = system.stop_tree("room", 60.0)
    second: Any = await system.stop_tree("room", 0.02)
    assert list(second.abandoned) == ["room"]
    assert list((await first).abandoned) == ["room"]  # type: ignore[attr-defined]
    held.go = True
    await eventually(lambda: system.leaks("room") == [])


@OWN
@BLOCKS
async def test_a_blocked_loop_does_not_keep_close_from_ending(make_system: Any, probe: Probe) -> None:
    system = await make_system()
    leave = threading.Event()

    def block(out: Out) -> None:
        probe.put()
        leave.wait(10)

    room = await spawn(system, "room", Scripted)
    ref = await child(room, "tool")
    await spawn(system, "other", Scripted)
    ref.tell(Do(block))
    await probe.count(1)
    began = time.monotonic()
    reports = await asyncio.to_thread(system.close, 0.1)
    assert time.monotonic() - began < 2.0
    assert {report.room: report.abandoned for report in reports} == {
        "room": dict.fromkeys(("room", "room/tool"), "the actor loop is blocked by room/tool"),
        "other": {"other": "the actor loop is blocked by room/tool"},
    }
    leave.set()


@OWN
@BLOCKS
async def test_a_spawn_that_was_given_up_does_not_happen_later(
    system: ActorSystem, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_module, "SPAWN_PATIENCE", 0.05)
    leave = threading.Event()

    def block(out: Out) -> None:
        probe.put()
        leave.wait(10)

    ref = await spawn(system, "other", Scripted)
    ref.tell(Do(block))
    await probe.count(1)
    with pytest.raises(SystemClosed, match=r"did not answer within 0\.05 s"):
        await spawn(system, "room", Scripted)
    leave.set()
    await quiet(ref)
    assert await on_loop(system, lambda: list(system.trees)) == ["other"]


# -- forks -------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_use_after_a_fork_is_refused() -> None:
    system = ActorSystem()
    system.start()
    ref = system.spawn("room", Scripted)
    uses: list[Callable[[], object]] = [
        lambda: system.spawn("other", Scripted),
        system.start,
        lambda: ref.tell(Note(1)),
        lambda: system.stop_tree("room"),
    ]
    child = os.fork()
    if not child:  # only an exit code can be brought home from here
        refused = 0
        for use in uses:
            try:
                use()
            except SystemClosed:
                refused += 1
            except BaseException:
                continue
        os._exit(refused if not system.running else 99)
    _, status = os.waitpid(child, 0)
    system.close()
    assert os.waitstatus_to_exitcode(status) == len(uses)


# -- the loop's thread -------------------------------------------------------------------------------------------------


def test_a_dispatcher_that_cannot_be_made_is_an_error_of_start() -> None:
    def broken(loop: asyncio.AbstractEventLoop) -> LoopDispatcher:
        raise Boom

    system = ActorSystem(dispatcher=broken)
    with pytest.raises(Boom):
        system.start()
    assert not system.running


@OWN
async def test_tasks_on_the_actor_loop_end_with_it(make_system: Any, probe: Probe) -> None:
    system = await make_system()

    async def forever() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            probe.put("cancelled")

    system.call(lambda: probe.put(system.loop.create_task(forever())))
    await probe.count(1)
    await on_loop(system, lambda: None)
    await system.aclose()
    assert probe.items[1:] == ["cancelled"]


@OWN
async def test_threads_of_the_actor_loops_executor_end_with_it(make_system: Any) -> None:
    system = await make_system()
    ref = await spawn(system, "room", Scripted)

    async def look_up(port: Any) -> str:
        return await asyncio.to_thread(lambda: threading.current_thread().name)

    await ask(ref, lambda out: out.effect("e", look_up, failed=Note, done=Note))
    await eventually(lambda: ref.cell.state)
    assert str((await state_of(ref))[0]).startswith("sessionactors resolver")


@OWN
async def test_a_posted_call_that_raises_holds_up_no_other(system: ActorSystem, probe: Probe, caplog: Any) -> None:
    def both() -> None:
        system.dispatcher.post(lambda: 1 / 0)  # type: ignore[arg-type]
        system.dispatcher.post(probe.put)

    await asyncio.to_thread(both)
    await probe.count(1)
    assert "posted_call_failed" in caplog.text


@THREADS
async def test_what_is_posted_to_a_closed_dispatcher_is_refused(make_system: Any) -> None:
    system = await make_system()
    await system.aclose()
    with pytest.raises(RuntimeError):
        system.dispatcher.post(lambda: None)
    with pytest.raises(SystemClosed):
        await asyncio.to_thread(system.call, lambda: None)


async def test_a_dispatcher_is_idle_when_nothing_is_ready(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=5))
    ref.tell(Note(1))
    await state_of(ref)
    await eventually(system.dispatcher.idle)


# -- blocking functions ------------------------------------------------------------------------------------------------


@THREADS
async def test_a_blocking_function_runs_in_a_named_thread(system: ActorSystem) -> None:
    name = await system.threads.run("room/tool", lambda: threading.current_thread().name)
    assert name == "room/tool"
    await eventually(lambda: system.threads.running() == [])


@THREADS
async def test_a_blocking_function_that_runs_is_named_as_left_behind(system: ActorSystem) -> None:
    leave = threading.Event()
    running = asyncio.ensure_future(system.threads.run("room/tool", lambda: leave.wait(5)))
    await eventually(lambda: system.threads.running("room/") == ["room/tool"])
    assert system.leaks("room") == ["thread room/tool"]
    assert system.leaks("other") == []
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert system.leaks("room") == ["thread room/tool"]  # a thread cannot be cancelled
    leave.set()
    await eventually(lambda: system.leaks("room") == [])


@THREADS
@pytest.mark.parametrize("error", [Boom, SystemExit, StopIteration], ids=lambda kind: kind.__name__)
async def test_what_a_blocking_function_raises_is_its_callers(system: ActorSystem, error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    async def call() -> BaseException | None:
        try:
            await system.threads.run("room/tool", fail)
        except BaseException as raised:
            return raised
        return None

    raised = await call()
    assert isinstance(raised, RuntimeError if error is StopIteration else error)


@THREADS
async def test_a_burst_cannot_pass_the_limit_of_threads(system: ActorSystem) -> None:
    from sessionactors.runtime.threads import Threads, TooManyThreads

    threads, leave = Threads(limit=3), threading.Event()
    outcomes = asyncio.gather(
        *(threads.run(f"room/{number}", lambda: leave.wait(5)) for number in range(10)), return_exceptions=True
    )
    await eventually(lambda: len(threads.running()) == 3)
    await asyncio.sleep(0)
    leave.set()
    refused = [outcome for outcome in await outcomes if isinstance(outcome, TooManyThreads)]
    assert len(refused) == 7
    assert "3 blocking functions run already; room/3 was not started" in str(refused[0])


@THREADS
async def test_a_thread_that_cannot_start_takes_no_place(system: ActorSystem, monkeypatch: Any) -> None:
    from sessionactors.runtime.threads import Threads

    threads = Threads()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            await threads.run("room/tool", lambda: None)
    assert threads.running() == []


def test_a_function_that_outlives_its_callers_loop_ends_quietly() -> None:
    from sessionactors.runtime.threads import Threads

    threads, leave = Threads(), threading.Event()

    async def call() -> None:
        task = asyncio.ensure_future(threads.run("room/tool", lambda: leave.wait(5)))
        await eventually(threads.running)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(call())
    leave.set()
    deadline = time.monotonic() + 5
    while threads.running():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# -- futures -----------------------------------------------------------------------------------------------------------


def test_a_future_without_reason_says_how_long_it_was_waited_for() -> None:
    with pytest.raises(pykka.Timeout, match=r"no reply after \d\.\d\d s"):
        KernelFuture().get(timeout=0.01)


def test_a_future_shows_whether_it_is_done() -> None:
    future = KernelFuture()
    shown = repr(future)
    future.set(1)
    assert (shown, repr(future)) == ("<KernelFuture pending>", "<KernelFuture done>")


def test_only_the_first_outcome_counts() -> None:
    future = KernelFuture()
    assert (future.succeed(1), future.succeed(2), future.fail(Boom())) == (True, False, False)
    assert future.get() == 1


def test_whoever_comes_late_is_called_back_at_once() -> None:
    future, seen = KernelFuture(), []
    future.when_done(lambda: seen.append("early"))
    future.set(1)
    future.when_done(lambda: seen.append("late"))
    assert seen == ["early", "late"]


async def test_a_waiter_whose_loop_has_closed_hurts_nobody() -> None:
    future = KernelFuture()

    def wait_and_leave() -> None:
        loop = asyncio.new_event_loop()
        task = loop.create_task(_awaited(future))
        loop.run_until_complete(asyncio.sleep(0))
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()

    await asyncio.to_thread(wait_and_leave)
    future.set(1)
    assert await _awaited(future) == 1


async def _awaited(future: Any) -> object:
    return await future


# -- how late actors are -----------------------------------------------------------------------------------------------


async def test_actors_are_as_late_as_the_oldest_data_that_waits(make_system: Any, mode: Mode) -> None:
    system = await make_system()
    ref = await spawn(system, "room", Scripted)
    before = system.clock.now()

    def told_and_left() -> tuple[float, float]:
        assert system.lateness() == 0.0
        ref.tell(Note(1))
        ref.tell(Note(2))
        late = system.lateness()
        return late, (system.clock.now() - before) / 1e9

    late, most = await on_loop(system, told_and_left)
    assert 0.0 <= late <= most
    assert mode.virtual or late > 0.0
    await state_of(ref)
    assert await on_loop(system, system.lateness) == 0.0
    await system.aclose()
    assert system.lateness() == 0.0  # it does not run
