"""Timers: messages that the clock delivers; keyed, owned, stale-proof by generation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessionactors.runtime import (
    ActorSystem,
    ChildSpec,
    Lane,
    Ref,
)
from sessionactors.runtime.clock import Clock
from sessionactors.runtime.ticker import COMPACT_AT, TICK_NS, Ticker

from tests.runtime.scripted import (
    Act,
    Do,
    Level,
    Note,
    Oldest,
    Out,
    Probe,
    Scripted,
    ask,
    child,
    eventually,
    last_is_first,
    on_loop,
    snapshot_of,
    spawn,
    state_of,
    with_bounds,
)

SOON = 0.005


def armed(out: Out) -> None:
    out.timer("t", SOON, Note("due"))


async def hold_after(ref: Ref[Any], act: Act) -> None:
    """Run an act and let nothing come after it: a timer that is due soon may be due at once on a busy machine."""
    await ref.suspend()
    ref.tell(Do(act))
    assert await ref.step()


async def in_a_row(ref: Ref[Any], *acts: Act) -> None:
    """Run acts with nothing between them."""
    await ref.suspend()
    answers = [ref.ask(Do(act), block=False) for act in acts]
    await ref.resume()
    for answer in answers:
        await answer


async def test_a_timer_tells_its_actor(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ask(ref, armed)
    await eventually(lambda: ref.cell.mailbox.accounts.received == 2)
    assert await state_of(ref) == ("due",)


@pytest.mark.modes("virtual")
async def test_a_timer_is_never_early_and_at_most_a_tick_late(system: ActorSystem, probe: Probe) -> None:
    ref = await spawn(system, "room", Scripted)
    began = system.clock.now()

    def arm(out: Out) -> None:
        out.timer("t", 0.0123456, Do(lambda out: out.port(probe.put, out.now - began)))

    await ask(ref, arm)
    [late] = await probe.count(1)
    assert 12_345_600 <= late <= 12_345_600 + TICK_NS


async def test_timers_come_in_the_order_of_their_time(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)

    def arm(out: Out) -> None:
        out.timer("late", 0.02, Note("late"))
        out.timer("early", 0.005, Note("early"))

    await ask(ref, arm)
    await eventually(lambda: not ref.cell.timers)
    assert await state_of(ref) == ("early", "late")


async def test_a_cancelled_timer_is_never_handled(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await in_a_row(ref, armed, lambda out: out.cancel_timer("t"))
    await asyncio.sleep(2 * SOON)
    assert await state_of(ref) == ()


async def test_cancelling_a_timer_that_is_not_there_does_nothing(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ask(ref, lambda out: out.cancel_timer("t"))
    assert await state_of(ref) == ()


async def test_an_armed_timer_is_replaced_by_one_of_its_key(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await in_a_row(ref, armed, lambda out: out.timer("t", 2 * SOON, Note("second")))
    await eventually(lambda: not ref.cell.timers)
    assert await state_of(ref) == ("second",)


@pytest.mark.parametrize("renewed", [True, False], ids=["re-armed", "cancelled"])
async def test_a_timer_message_that_waits_already_is_void(system: ActorSystem, renewed: bool) -> None:
    ref = await spawn(system, "room", Scripted)
    await hold_after(ref, armed)
    await eventually(lambda: ref.cell.mailbox.waiting(Lane.DATA) == 1)  # due, and waiting

    def void(out: Out) -> None:
        if renewed:
            out.timer("t", SOON, Note("renewed"))
        else:
            out.cancel_timer("t")

    asked = ask(ref, void)
    future = asyncio.ensure_future(asked)
    await eventually(lambda: ref.cell.mailbox.waiting(Lane.DATA) == 2)
    await last_is_first(system, ref)
    await ref.resume()
    await future
    await eventually(lambda: not ref.cell.timers)
    assert await state_of(ref) == (("renewed",) if renewed else ())
    assert (await snapshot_of(system, ref)).accounts.fenced == 1


async def test_a_restart_voids_timers_also_those_that_wait(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await hold_after(ref, armed)
    await eventually(lambda: ref.cell.mailbox.waiting(Lane.DATA) == 1)
    ref.tell(Note("behind"))
    from sessionactors.runtime.messages import Kill

    await on_loop(system, lambda: ref.cell.deliver_system(Kill(RuntimeError("killed"))))
    await eventually(lambda: ref.cell.restarts == 1)
    await ref.resume()
    assert await state_of(ref) == ("behind",)


async def test_a_timer_in_a_full_lane_has_its_place(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=2))
    await hold_after(ref, armed)
    ref.tell(Note(1))
    ref.tell(Note(2))
    await eventually(lambda: ref.cell.mailbox.waiting(Lane.DATA) == 3)
    assert (await snapshot_of(system, ref)).accounts.dead_lettered == 0


async def test_a_timer_that_may_be_dropped_gives_way_in_a_full_lane(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=1))
    await ask(ref, lambda out: out.timer("t", 0.2, Oldest("due")))
    await ref.suspend()
    ref.tell(Note(1))  # before it is due: on a busy machine it would find the lane full
    await eventually(lambda: ref.cell.mailbox.accounts.dropped == 1)
    assert not ref.cell.timers


async def test_a_conflated_timer_is_over(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await hold_after(ref, lambda out: out.timer("t", SOON, Level("due")))
    await eventually(lambda: ref.cell.mailbox.waiting(Lane.DATA) == 1)
    ref.tell(Level("newer"))
    await eventually(lambda: ref.cell.mailbox.accounts.conflated == 1)
    assert not ref.cell.timers


async def test_a_timer_of_an_ended_actor_is_forgotten(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ask(ref, lambda out: out.timer("t", 60.0, Note("never")))
    assert await ref.stop(block=False)
    assert system.ticker.pending() == 0


async def test_a_timer_names_the_message_that_armed_it_as_its_cause(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    with system.tap("room") as tap:
        await ask(ref, armed)
        await eventually(lambda: len(ref.cell.recorder.last()) == 2)
        first, second = tap.drain()
    assert (second.cause, second.sender) == (first.id, "room")


async def test_a_kept_state_may_arm_its_timer_again(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", lambda: Scripted(began=armed), ChildSpec(keep_state=True))
    ref.tell(Do(lambda out: 1 / 0))
    await eventually(lambda: ref.cell.restarts == 1)
    await eventually(lambda: ref.cell.mailbox.accounts.received == 2)
    assert await state_of(ref) == ("due",)


# -- the ticker --------------------------------------------------------------------------------------------------------


def ticker_of(loop: asyncio.AbstractEventLoop) -> Ticker:
    return Ticker(loop, Clock.for_loop(loop))


@pytest.mark.modes("running", "virtual")
async def test_an_alarm_that_raises_does_not_stop_the_others(mode: object, caplog: pytest.LogCaptureFixture) -> None:
    ticker, probe = ticker_of(asyncio.get_running_loop()), Probe()
    now = ticker._clock.now()
    ticker.at(now, lambda: 1 / 0)  # type: ignore[arg-type]
    ticker.at(now, probe.put)
    ticker.at(now + TICK_NS, probe.put)
    await probe.count(2)
    assert "alarm_failed" in caplog.text


@pytest.mark.modes("virtual")
async def test_cancelled_alarms_do_not_pile_up(mode: object) -> None:
    ticker = ticker_of(asyncio.get_running_loop())
    for _ in range(10 * COMPACT_AT):
        ticker.at(3600 * 10**9, lambda: None).cancel()
    assert len(ticker._heap) <= COMPACT_AT
    assert ticker.pending() == 0
    ticker.close()


@pytest.mark.modes("virtual")
async def test_alarms_survive_the_clearing_of_cancelled_ones(mode: object) -> None:
    ticker, probe = ticker_of(asyncio.get_running_loop()), Probe()
    for number in range(2 * COMPACT_AT):
        ticker.at((2 * COMPACT_AT - number) * TICK_NS, lambda number=number: probe.put(number))  # type: ignore[misc]
        ticker.at(3600 * 10**9, lambda: None).cancel()
    await asyncio.sleep(60)
    assert probe.items == list(reversed(range(2 * COMPACT_AT)))


@pytest.mark.modes("virtual")
async def test_a_closed_ticker_calls_nothing(mode: object) -> None:
    ticker, probe = ticker_of(asyncio.get_running_loop()), Probe()
    ticker.at(TICK_NS, probe.put)
    ticker.close()
    ticker.close()
    await asyncio.sleep(1)
    assert probe.items == []


def test_the_wall_clock_follows_the_monotonic_one() -> None:
    now = [1_000_000_000]
    clock = Clock(lambda: now[0], wall_origin=100.0)
    now[0] += 2_500_000_000
    assert (clock.wall(), clock.wall(1_000_000_000)) == (102.5, 100.0)
