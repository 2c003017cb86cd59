"""Effects: asynchronous work that an actor owns, and that reaches it only by messages."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from sessionactors.runtime import (
    ActorSystem,
    ChildSpec,
    EffectCancelled,
    EffectDeadlineExceeded,
    EffectPort,
    Lane,
    Overflow,
    SystemClosed,
)
from sessionactors.runtime.effect import InletFull
from sessionactors.runtime.messages import Kill

from tests.runtime.scripted import (
    Accounting,
    Boom,
    Do,
    Fenced,
    Note,
    Oldest,
    Out,
    Probe,
    Scripted,
    Threaded,
    ask,
    child,
    eventually,
    last_is_first,
    on_loop,
    quiet,
    snapshot_of,
    spawn,
    state_of,
    with_bounds,
)

Port = EffectPort[Any]
Run = Callable[[Port], Awaitable[object]]


def failed(error: BaseException) -> Note:
    return Note(error)


def done(value: object) -> Note:
    return Note(("done", value))


def effect(run: Run, **options: Any) -> Callable[[Out], None]:
    """An act that starts an effect of key `e`."""
    options.setdefault("failed", failed)

    def act(out: Out) -> None:
        out.effect("e", run, **options)

    return act


async def notes(ref: Any, count: int) -> tuple[Any, ...]:
    """The first notes, when there are that many."""
    await eventually(lambda: len(ref.cell.state) >= count)
    return await state_of(ref)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Gate:
    """What an effect waits at until the test opens it, on whatever loop it runs."""

    def __init__(self) -> None:
        self.reached = Probe()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._future: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future = self._loop.create_future()
        self.reached.put()
        await self._future

    async def hold(self) -> None:
        """Wait, and swallow every cancellation until the gate is opened."""
        self._loop = asyncio.get_running_loop()
        self._future = self._loop.create_future()
        self.reached.put()
        while not self._future.done():
            try:
                await asyncio.shield(self._future)
            except asyncio.CancelledError:
                self.reached.put("cancelled")

    def open(self) -> None:
        assert self._loop is not None
        future = self._future
        assert future is not None
        self._loop.call_soon_threadsafe(_settle, future)


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    """Opened at the end, so that nothing of the test hangs."""
    gate = Gate()
    yield gate
    if gate._future is not None and not gate._future.done() and gate._loop is not None and not gate._loop.is_closed():
        gate.open()
        await eventually(gate._future.done)


# -- ends --------------------------------------------------------------------------------------------------------------


async def test_an_effect_reports_its_result(system: ActorSystem) -> None:
    async def run(port: Port) -> int:
        return 42

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run, done=done))
    assert await notes(ref, 1) == (("done", 42),)


async def test_a_result_is_not_reported_unless_asked_for(system: ActorSystem, probe: Probe) -> None:
    async def run(port: Port) -> int:
        probe.put()
        return 42

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run))
    await probe.count(1)
    await eventually(lambda: not ref.cell.effects)
    assert await state_of(ref) == ()


@pytest.mark.parametrize(
    "error", [Boom, asyncio.CancelledError, SystemExit, GeneratorExit], ids=lambda kind: kind.__name__
)
async def test_whatever_an_effect_raises_is_reported_to_its_owner(
    system: ActorSystem, error: type[BaseException]
) -> None:
    async def run(port: Port) -> None:
        raise error

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run, done=done))
    [reported] = await notes(ref, 1)
    assert type(reported) is error


@pytest.mark.modes("own", "own+uvloop")
async def test_ctrl_c_raised_in_an_effect_off_the_main_thread_is_reported(system: ActorSystem) -> None:
    async def run(port: Port) -> None:
        raise KeyboardInterrupt

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run))
    [reported] = await notes(ref, 1)
    assert type(reported) is KeyboardInterrupt


async def test_an_effect_that_misses_its_deadline_is_reported_and_cancelled(system: ActorSystem, probe: Probe) -> None:
    async def run(port: Port) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            probe.put("cleaned up")

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run, done=done, deadline=0.01))
    [reported] = await notes(ref, 1)
    assert isinstance(reported, EffectDeadlineExceeded)
    assert str(reported).startswith("room#e did not end within 0.0")  # counted from its start, a moment after the order
    await probe.count(1)
    await eventually(lambda: not ref.cell.ending_effects)


async def test_a_missed_deadline_is_reported_though_the_effect_swallows_its_cancellation(
    system: ActorSystem, gate: Gate
) -> None:
    async def run(port: Port) -> str:
        await gate.hold()
        return "too late"

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run, done=done, deadline=0.01))
    [reported] = await notes(ref, 1)
    assert isinstance(reported, EffectDeadlineExceeded)
    assert [info.ending for info in (await snapshot_of(system, ref)).effects] == [True]
    gate.open()
    await eventually(lambda: not ref.cell.ending_effects)
    assert len(await state_of(ref)) == 1  # its late result is not a second report


async def test_an_effect_in_time_never_misses_its_deadline(system: ActorSystem) -> None:
    async def run(port: Port) -> int:
        return 1

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run, done=done, deadline=0.02))
    assert await notes(ref, 1) == (("done", 1),)
    assert system.ticker.pending() == 0


async def test_a_cancelled_effect_is_not_reported(system: ActorSystem, gate: Gate) -> None:
    async def run(port: Port) -> None:
        await gate.wait()

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run, done=done))
    await gate.reached.count(1)
    await ask(ref, lambda out: out.cancel_effect("e"))
    await eventually(lambda: not ref.cell.ending_effects)
    assert await state_of(ref) == ()


async def test_a_cancelled_effect_is_reported_once_if_asked_for(system: ActorSystem, gate: Gate) -> None:
    async def run(port: Port) -> None:
        await gate.wait()

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run, done=done))
    await gate.reached.count(1)
    await ask(ref, lambda out: out.cancel_effect("e", report=True))
    await ask(ref, lambda out: out.cancel_effect("e", report=True))
    [reported] = await notes(ref, 1)
    assert isinstance(reported, EffectCancelled)
    assert str(reported) == "room#e was cancelled"


async def test_a_result_that_came_before_the_cancellation_is_not_lost(system: ActorSystem, gate: Gate) -> None:
    async def run(port: Port) -> str:
        await gate.hold()
        return "finished"

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run, done=done))
    await gate.reached.count(1)
    await ask(ref, lambda out: out.cancel_effect("e", report=True))
    await gate.reached.count(2)
    gate.open()
    assert await notes(ref, 1) == (("done", "finished"),)


async def test_an_effect_cancelled_in_the_handler_that_starts_it_never_runs(system: ActorSystem, probe: Probe) -> None:
    async def run(port: Port) -> None:
        probe.put()

    def act(out: Out) -> None:
        effect(run)(out)
        out.cancel_effect("e", report=True)

    ref = await spawn(system, "room", Scripted)
    await ask(ref, act)
    [reported] = await notes(ref, 1)
    assert isinstance(reported, EffectCancelled)
    assert probe.items == []


async def test_an_effect_is_replaced_by_one_of_its_key(system: ActorSystem, gate: Gate) -> None:
    async def first(port: Port) -> None:
        await gate.wait()

    async def second(port: Port) -> str:
        return "second"

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(first, done=done))
    await gate.reached.count(1)
    await ask(ref, effect(second, done=done))
    assert await notes(ref, 1) == (("done", "second"),)
    await eventually(lambda: not ref.cell.ending_effects)


async def test_cancelling_an_effect_that_is_not_there_does_nothing(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ask(ref, lambda out: out.cancel_effect("e", report=True))
    assert await state_of(ref) == ()


@pytest.mark.parametrize("how", ["done", "failed"])
async def test_an_owner_whose_report_cannot_be_made_has_failed(system: ActorSystem, how: str) -> None:
    def broken(value: object) -> Note:
        raise Boom

    async def run(port: Port) -> None:
        if how == "failed":
            raise ValueError

    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ask(ref, effect(run, done=broken, failed=broken))
    await eventually(lambda: ref.cell.restarts == 1)
    assert isinstance(ref.cell.last_error, Boom)


async def test_a_result_in_a_full_lane_has_its_place(system: ActorSystem, gate: Gate) -> None:
    async def run(port: Port) -> str:
        await gate.wait()
        await port.send(Note("said"))
        return "result"

    ref = await spawn(system, "room", with_bounds(data=1))
    await ask(ref, effect(run, done=done))
    await gate.reached.count(1)
    await ref.suspend()
    ref.tell(Note("full"))
    await eventually(lambda: ref.cell.mailbox.waiting(Lane.DATA) == 1)
    gate.open()
    await eventually(lambda: ref.cell.mailbox.waiting(Lane.DATA) == 3)
    await ref.resume()
    assert await notes(ref, 3) == ("full", "said", ("done", "result"))


# -- owner -------------------------------------------------------------------------------------------------------------


async def test_an_effect_dies_with_its_owner(system: ActorSystem, gate: Gate, probe: Probe) -> None:
    async def run(port: Port) -> None:
        try:
            await gate.wait()
        finally:
            probe.put("cleaned up")

    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ask(ref, effect(run, done=done))
    await gate.reached.count(1)
    assert await ref.stop(block=False)
    assert probe.items == ["cleaned up"]


async def test_an_effect_dies_with_the_incarnation_that_started_it(system: ActorSystem, gate: Gate) -> None:
    async def run(port: Port) -> None:
        await gate.wait()

    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ask(ref, effect(run, done=done))
    await gate.reached.count(1)
    ref.tell(Do(lambda out: 1 / 0))
    await eventually(lambda: ref.cell.restarts == 1 and not ref.cell.ending_effects)
    assert await state_of(ref) == ()


async def test_an_ended_actor_starts_no_effect_or_child_or_timer(system: ActorSystem, probe: Probe) -> None:
    async def run(port: Port) -> None:
        probe.put("effect")

    def ended(out: Out) -> None:
        effect(run)(out)
        out.timer("t", 0.0, Note("timer"))
        out.watch(out.spawn("child", lambda: Scripted(began=probe.put)), Note)

    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", lambda: Scripted(ended=ended))
    assert await ref.stop(block=False)
    assert (probe.items, set(await on_loop(system, lambda: system.inspect("room")))) == ([], {"room"})


# -- window ------------------------------------------------------------------------------------------------------------


async def test_an_effect_may_have_a_window_of_unhandled_messages(system: ActorSystem, probe: Probe) -> None:
    async def run(port: Port) -> None:
        for number in range(6):
            await port.send(Note(number))
            probe.put(number)

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run, done=done, window=2))
    await quiet(ref)
    assert await notes(ref, 7) == (0, 1, 2, 3, 4, 5, ("done", None))

    probe.items.clear()
    await ref.suspend()
    await on_loop(system, lambda: ref.cell.state)
    started = asyncio.ensure_future(ask(ref, effect(run, done=done, window=2)))
    await eventually(lambda: ref.cell.mailbox.waiting(Lane.DATA) == 1)
    assert await ref.step()
    await started
    await eventually(lambda: len(probe.items) == 2)
    assert (await snapshot_of(system, ref)).effects[0].unhandled == 2
    for handled in (3, 4, 5, 6):
        assert await ref.step()
        await probe.count(handled)
    await ref.resume()
    await notes(ref, 14)


@pytest.mark.parametrize("lost", ["dropped", "fenced", "stopped"])
async def test_a_message_that_is_not_handled_gives_its_place_back_too(
    system: ActorSystem, probe: Probe, lost: str
) -> None:
    room = await spawn(system, "room", Scripted)
    scope: Any = await ask(room, lambda out: out.reply(out.open_scope("s")))

    async def run(port: Port) -> None:
        for number in range(3):
            await port.send(Oldest(number) if lost == "dropped" else Fenced(scope, number))
            probe.put(number)

    ref = await child(room, "child", with_bounds(data=1) if lost == "dropped" else Scripted)
    if lost == "fenced":
        await ask(room, lambda out: out.close_scope(scope))
    if lost == "dropped":
        await ask(ref, effect(run, window=2))
        await probe.count(3)
    elif lost == "fenced":
        await ask(ref, effect(run, window=1))
        await probe.count(3)
        await eventually(lambda: ref.cell.mailbox.accounts.fenced == 3)
    else:
        await ask(ref, effect(run, window=1))
        await ref.stop(block=False)
    accounts = ref.cell.mailbox.accounts
    await quiet(ref)
    assert accounts.received == accounts.ended()


async def test_a_failed_handler_gives_its_message_back_to_the_window(system: ActorSystem, probe: Probe) -> None:
    async def run(port: Port) -> None:
        await port.send(Do(lambda out: 1 / 0))
        probe.put("sent")

    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ask(ref, effect(run, window=1))
    await eventually(lambda: ref.cell.restarts == 1)
    assert await state_of(ref) == ()


@pytest.mark.parametrize("fenced", [True, False], ids=["fenced", "accounting"])
async def test_what_a_cancelled_effect_has_said_is_discarded_if_fenced_and_handled_if_it_accounts(
    system: ActorSystem, gate: Gate, fenced: bool
) -> None:
    ref = await spawn(system, "room", Scripted)
    scope: Any = await ask(ref, lambda out: out.reply(out.open_scope("s")))

    async def run(port: Port) -> None:
        await port.send(Fenced(scope, "audio") if fenced else Accounting(scope, "usage"))
        await gate.wait()

    await ref.suspend()
    started = asyncio.ensure_future(ask(ref, effect(run)))
    await eventually(lambda: ref.cell.mailbox.waiting(Lane.DATA) == 1)
    await ref.step()
    await started
    await gate.reached.count(1)
    cancelled = asyncio.ensure_future(ask(ref, lambda out: out.cancel_effect("e")))
    await eventually(lambda: ref.cell.mailbox.waiting(Lane.DATA) == 2)
    await last_is_first(system, ref)
    await ref.resume()
    await cancelled
    await quiet(ref)
    assert await state_of(ref) == (() if fenced else ("usage",))


async def test_a_cancelled_effect_says_no_more(system: ActorSystem, gate: Gate, probe: Probe) -> None:
    async def run(port: Port) -> None:
        await gate.hold()
        try:
            await port.send(Note("late"))
        except asyncio.CancelledError:
            probe.put("refused")

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run))
    await gate.reached.count(1)
    await ask(ref, lambda out: out.cancel_effect("e"))
    await gate.reached.count(2)
    gate.open()
    await probe.count(1)
    await eventually(lambda: not ref.cell.ending_effects)
    assert await state_of(ref) == ()


async def test_messages_of_an_effect_name_it_and_its_cause(system: ActorSystem) -> None:
    async def run(port: Port) -> None:
        assert port.now() > -1
        await port.send(Note("said"))

    def act(out: Out) -> None:
        out.turn = "turn-3"
        effect(run)(out)

    ref = await spawn(system, "room", Scripted)
    with system.tap("room") as tap:
        await ask(ref, act)
        await notes(ref, 1)
        first, said = tap.drain()[:2]
    assert (said.sender, said.cause, said.turn) == ("room#e", first.id, "turn-3")


# -- inlet -------------------------------------------------------------------------------------------------------------


async def read_all(port: Port) -> list[object]:
    return [item async for item in port.inlet]


async def test_an_effect_reads_what_it_is_fed(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(read_all, done=done))

    def feed(out: Out) -> None:
        for number in range(3):
            out.feed("e", number)
        out.end_inlet("e")

    await ask(ref, feed)
    assert await notes(ref, 1) == (("done", [0, 1, 2]),)


async def test_an_ended_inlet_stays_ended(system: ActorSystem) -> None:
    async def run(port: Port) -> list[list[object]]:
        return [await read_all(port), await read_all(port)]

    ref = await spawn(system, "room", Scripted)

    def act(out: Out) -> None:
        effect(run, done=done)(out)
        out.feed("e", 1)
        out.end_inlet("e")

    await ask(ref, act)
    assert await notes(ref, 1) == (("done", [[1], []]),)


async def test_an_effect_waits_for_what_it_is_fed(system: ActorSystem, gate: Gate) -> None:
    async def run(port: Port) -> list[object]:
        gate.reached.put()
        return await read_all(port)

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run, done=done))
    await gate.reached.count(1)
    await asyncio.sleep(0.005)
    await ask(ref, lambda out: out.feed("e", "late"))
    await ask(ref, lambda out: out.end_inlet("e"))
    assert await notes(ref, 1) == (("done", ["late"]),)


async def test_a_full_inlet_drops_the_oldest(system: ActorSystem, gate: Gate) -> None:
    async def run(port: Port) -> list[object]:
        await gate.wait()
        return await read_all(port)

    ref = await spawn(system, "room", Scripted)

    def act(out: Out) -> None:
        effect(run, done=done, inlet=2)(out)
        for number in range(5):
            out.feed("e", number)
        out.end_inlet("e")

    await ask(ref, act)
    await gate.reached.count(1)
    info = (await snapshot_of(system, ref)).effects[0]
    assert info.dropped == 3
    gate.open()
    assert await notes(ref, 1) == (("done", [3, 4]),)


@pytest.mark.parametrize("waits", [True, False], ids=["while it waits", "while it works"])
async def test_a_full_inlet_that_refuses_fails_the_effect(system: ActorSystem, gate: Gate, waits: bool) -> None:
    async def run(port: Port) -> list[object]:
        if waits:
            gate.reached.put()
        else:
            await gate.wait()
        return await read_all(port)

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run, done=done, inlet=2, inlet_overflow=Overflow.REFUSE))
    await gate.reached.count(1)

    def feed(out: Out) -> None:
        for number in range(5):
            out.feed("e", number)

    await ask(ref, feed)
    if not waits:
        gate.open()
    [reported] = await notes(ref, 1)
    assert isinstance(reported, InletFull)


async def test_what_is_fed_to_no_effect_is_counted(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)

    def feed(out: Out) -> None:
        out.feed("e", 1)
        out.end_inlet("e")

    await ask(ref, feed)
    assert (await snapshot_of(system, ref)).unfed == 1


# -- the user's loop ---------------------------------------------------------------------------------------------------

user = contextvars.ContextVar("user", default="nobody")


class UserLoop:
    """A loop in a thread of its own, as users have."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="user's loop", daemon=True)
        self.thread.start()

    def close(self) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()
            self.loop.close()


@pytest.fixture
def user_loop() -> Any:
    made = UserLoop()
    yield made
    made.close()


REAL = pytest.mark.modes("own", "own+uvloop", "running")


@REAL
async def test_user_code_runs_on_the_users_loop_in_the_users_context(system: ActorSystem, user_loop: UserLoop) -> None:
    context = contextvars.copy_context()
    context.run(user.set, "ada")

    async def run(port: Port) -> tuple[object, ...]:
        await port.send(Note("from the user's loop"))
        user.set("changed")
        return asyncio.get_running_loop() is user_loop.loop, user.get()

    ref = await spawn(system, "room", Scripted, user_loop=user_loop.loop, user_context=context)
    await ask(ref, effect(run, done=done, user_loop=True, window=1))
    assert await notes(ref, 2) == ("from the user's loop", ("done", (True, "changed")))
    assert context[user] == "ada"


@REAL
async def test_effects_on_the_users_loop_are_fed_windowed_and_cancelled(
    system: ActorSystem, user_loop: UserLoop, gate: Gate
) -> None:
    async def run(port: Port) -> None:
        async for item in port.inlet:
            await port.send(Note(item))
        await gate.wait()

    ref = await spawn(system, "room", Scripted, user_loop=user_loop.loop)
    await ask(ref, effect(run, done=done, user_loop=True, window=1))

    def feed(out: Out) -> None:
        for number in range(3):
            out.feed("e", number)
        out.end_inlet("e")

    await ask(ref, feed)
    await gate.reached.count(1)
    await ask(ref, lambda out: out.cancel_effect("e", report=True))
    assert [type(note) for note in await notes(ref, 4)] == [int, int, int, EffectCancelled]


async def test_an_actor_effect_does_not_see_the_context_of_whoever_woke_the_loop(system: ActorSystem) -> None:
    async def run(port: Port) -> str:
        return user.get()

    ref = await spawn(system, "room", Scripted)
    user.set("eve")
    ref.tell(Do(effect(run, done=done)))
    assert await notes(ref, 1) == (("done", "nobody"),)


async def test_user_code_runs_on_the_actor_loop_if_there_is_no_other(system: ActorSystem) -> None:
    async def run(port: Port) -> bool:
        return asyncio.get_running_loop() is system.loop

    ref = await spawn(system, "room", Scripted)
    await ask(ref, effect(run, done=done, user_loop=True))
    assert await notes(ref, 1) == (("done", True),)


@REAL
async def test_a_closed_user_loop_is_a_typed_failure(system: ActorSystem, user_loop: UserLoop) -> None:
    async def run(port: Port) -> None: ...

    ref = await spawn(system, "room", Scripted, user_loop=user_loop.loop)
    await asyncio.to_thread(user_loop.close)
    await ask(ref, effect(run, done=done, user_loop=True))
    [reported] = await notes(ref, 1)
    assert isinstance(reported, SystemClosed)
    assert "the loop on which room#e must run is closed" in str(reported)


@REAL
@pytest.mark.expects_loop_errors("the user closes a loop over a task")
@pytest.mark.leaves_behind("the task of a loop that is closed can never end")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
async def test_a_user_loop_that_closes_meanwhile_is_reported_once(
    system: ActorSystem, user_loop: UserLoop, gate: Gate
) -> None:
    async def run(port: Port) -> None:
        for number in range(3):
            await port.send(Note(number))
        await gate.wait()

    ref = await spawn(system, "room", Scripted, user_loop=user_loop.loop)
    await ref.suspend()
    started = asyncio.ensure_future(ask(ref, effect(run, done=done, user_loop=True)))
    await eventually(lambda: ref.cell.mailbox.waiting(Lane.DATA) == 1)
    await ref.step()
    await started
    await gate.reached.count(1)
    task = next(iter(asyncio.all_tasks(user_loop.loop)))
    await asyncio.to_thread(user_loop.close)
    await ref.resume()
    await quiet(ref)
    reports = [note for note in await state_of(ref) if isinstance(note, SystemClosed)]
    assert len(reports) == 1
    gate._future = None
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    task.get_coro().close()


@REAL
async def test_an_abandoned_effect_on_the_users_loop_ends_quietly_after_the_system(
    make_system: Any, user_loop: UserLoop, gate: Gate
) -> None:
    system = await make_system()

    async def run(port: Port) -> None:
        await gate.hold()

    ref = await spawn(system, "room", Scripted, user_loop=user_loop.loop)
    await ask(ref, effect(run, user_loop=True))
    await gate.reached.count(1)
    [report] = await system.aclose(0.02)
    assert list(report.abandoned) == ["room"]
    gate.open()
    await eventually(lambda: not asyncio.all_tasks(user_loop.loop))


@pytest.mark.modes("own", "running")
async def test_a_handler_on_its_own_thread_may_start_effects(system: ActorSystem) -> None:
    async def run(port: Port) -> int:
        return 7

    ref = await spawn(system, "room", Threaded)
    await ask(ref, effect(run, done=done))
    assert await notes(ref, 1) == (("done", 7),)


async def test_a_kill_reports_like_a_failure(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", Scripted, ChildSpec(keep_state=True))
    await on_loop(system, lambda: ref.cell.deliver_system(Kill(Boom("killed"))))
    await eventually(lambda: ref.cell.restarts == 1)
    assert isinstance(ref.cell.last_error, Boom)
