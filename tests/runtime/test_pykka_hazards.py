"""What goes wrong with stock Pykka actors, and not with ours. Each pair: first Pykka's, then ours (docs/pykka.md)."""

from __future__ import annotations

import asyncio
import gc
import queue
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pykka
import pytest
from pykka._envelope import Envelope as StockEnvelope

from sessionactors.runtime import ActorSystem, BlockingAskOnLoop, HandlerError, MailboxFull, Outbox

from tests.runtime.scripted import (
    Boom,
    Do,
    Note,
    Report,
    Scripted,
    Threaded,
    ask,
    child,
    eventually,
    fails,
    quiet,
    spawn,
    state_of,
    with_bounds,
)

PATIENCE = 5.0
REAL = pytest.mark.modes("own", "running")


class Stock(pykka.ThreadingActor):
    """A stock actor whose messages are what it does."""

    use_daemon_thread = True

    def on_receive(self, message: Any) -> Any:
        return message() if callable(message) else message


@pytest.fixture
def stock() -> Iterator[type[Stock]]:
    """Stock actors, and no other in the process."""
    assert pykka.ActorRegistry.get_all() == []
    yield Stock
    pykka.ActorRegistry.stop_all(timeout=PATIENCE)


def raising(error: BaseException) -> Any:
    def act() -> None:
        raise error

    return act


# -- one BaseException stops every actor -------------------------------------------------------------------------------


def test_stock_one_cancelled_error_stops_every_actor_of_the_process(stock: type[Stock]) -> None:
    one, other = stock.start(), stock.start()
    one.tell(raising(asyncio.CancelledError()))
    assert other.actor_stopped.wait(PATIENCE)


async def test_one_cancelled_error_stops_no_other_actor(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    one, other = await child(room, "one"), await child(room, "other")
    with pytest.raises(asyncio.CancelledError):
        await ask(one, fails(asyncio.CancelledError()))
    assert await state_of(other) == ()
    assert await state_of(one) == ()  # started again


# -- an ask racing with a stop is never answered -----------------------------------------------------------------------


def test_stock_an_ask_that_loses_the_race_with_a_stop_is_never_answered(stock: type[Stock]) -> None:
    ref = stock.start()
    future: pykka.Future[Any] = pykka.ThreadingFuture()  # the three steps of ask(), with the stop in the midst
    assert ref.is_alive()
    ref.stop()
    ref.actor_inbox.put(StockEnvelope("ask", reply_to=future))
    with pytest.raises(pykka.Timeout):
        future.get(timeout=0.05)


@REAL
async def test_an_ask_that_races_with_a_stop_is_always_answered(system: ActorSystem) -> None:
    for number in range(50):
        ref = await spawn(system, f"room-{number}", Scripted)
        asked: list[Any] = []

        def ask_many(ref: Any = ref, asked: list[Any] = asked) -> None:
            asked.extend(ref.ask(Report(), block=False) for _ in range(5))

        asking = threading.Thread(target=ask_many)
        asking.start()
        stopping = ref.stop(block=False)
        await asyncio.to_thread(asking.join)
        await stopping
        for future in asked:
            outcome = (await asyncio.gather(_awaited(future), return_exceptions=True))[0]
            assert outcome == () or isinstance(outcome, pykka.ActorDeadError)


async def _awaited(future: Any) -> object:
    return await future


# -- await future blocks the loop --------------------------------------------------------------------------------------


@pytest.mark.modes("running")
async def test_stock_awaiting_a_future_blocks_the_event_loop(mode: object, stock: type[Stock]) -> None:
    ref, leave = stock.start(), threading.Event()
    threading.Timer(0.1, leave.set).start()
    asked = ref.ask(leave.wait, block=False)
    ticks: list[float] = []
    ticking = asyncio.ensure_future(_tick(ticks))
    await asyncio.sleep(0)
    await _awaited(asked)
    assert len(ticks) <= 2
    ticking.cancel()


@REAL
async def test_awaiting_a_future_lets_the_event_loop_run(system: ActorSystem) -> None:
    ref, leave = await spawn(system, "room", Threaded), threading.Event()
    ticks: list[float] = []
    ticking = asyncio.ensure_future(_tick(ticks))
    asked = asyncio.ensure_future(ask(ref, lambda out: leave.wait(5)))
    await eventually(lambda: len(ticks) > 5)
    leave.set()
    await asked
    ticking.cancel()


async def _tick(ticks: list[float]) -> None:
    while True:
        ticks.append(time.monotonic())
        await asyncio.sleep(0.001)


# -- an actor nobody holds ---------------------------------------------------------------------------------------------


class Loose(pykka.Actor):
    """The least that a new kind of Pykka actor is: nobody holds it."""

    @staticmethod
    def _create_actor_inbox() -> Any:
        return queue.Queue()

    @staticmethod
    def _create_future() -> Any:
        return pykka.ThreadingFuture()

    def _start_actor_loop(self) -> None: ...


def test_stock_an_actor_that_nobody_holds_is_collected_and_says_that_it_lives() -> None:
    ref = Loose.start()
    gc.collect()
    assert ref._actor_weakref() is None
    assert ref.is_alive()
    pykka.ActorRegistry.unregister(ref)


async def test_an_actor_lives_as_long_as_its_system_says(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    alive = weakref.ref((await child(room, "child")).cell)
    gc.collect()
    cell = alive()
    assert cell is not None
    assert cell.ref.is_alive()


# -- a failing start ---------------------------------------------------------------------------------------------------


def test_stock_a_failing_start_still_returns_a_ref(stock: type[Stock]) -> None:
    class Failing(stock):  # type: ignore[valid-type,misc]  # a fixture's class
        def on_start(self) -> None:
            raise Boom

    ref = Failing.start()
    assert ref.actor_stopped.wait(PATIENCE)


async def test_a_failing_start_raises_and_leaves_nothing(system: ActorSystem) -> None:
    with pytest.raises(Boom):
        await spawn(system, "room", lambda: Scripted(began=fails()))
    assert system.trees == {}


# -- stop queues behind the backlog ------------------------------------------------------------------------------------


def test_stock_stop_waits_behind_the_backlog(stock: type[Stock]) -> None:
    ref, leave, handled = stock.start(), threading.Event(), []
    ref.tell(lambda: leave.wait(5))
    for number in range(10):
        ref.tell(lambda number=number: handled.append(number))
    stopping = ref.stop(block=False)
    leave.set()
    stopping.get(timeout=PATIENCE)
    assert handled == list(range(10))


async def test_stop_is_ahead_of_the_backlog(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    for number in range(10):
        ref.tell(Note(number))
    await ref.stop(block=False)
    assert ref.cell.mailbox.accounts.waiting_at_close == 10


# -- failures ----------------------------------------------------------------------------------------------------------


def test_stock_a_failing_tell_kills_the_actor_and_its_inbox_vanishes(stock: type[Stock]) -> None:
    ref, leave, handled = stock.start(), threading.Event(), []
    ref.tell(lambda: leave.wait(5))
    ref.tell(raising(Boom()))
    ref.tell(lambda: handled.append("waiting"))
    leave.set()
    assert ref.actor_stopped.wait(PATIENCE)
    assert handled == []


async def test_a_failing_tell_restarts_the_actor_and_keeps_its_mailbox(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ref.suspend()
    ref.tell(Do(fails()))
    ref.tell(Note("waiting"))
    await ref.resume()
    await eventually(lambda: ref.cell.restarts == 1)
    assert await state_of(ref) == ("waiting",)


def test_stock_a_failing_ask_leaves_the_actor_with_half_a_change(stock: type[Stock]) -> None:
    class Half(stock):  # type: ignore[valid-type,misc]  # a fixture's class
        changed = False

        def on_receive(self, message: Any) -> Any:
            if message == "look":
                return self.changed
            self.changed = True
            raise Boom

    ref = Half.start()
    with pytest.raises(Boom):
        ref.ask("change")
    assert ref.ask("look") is True


async def test_told_or_asked_a_failure_is_the_same_and_changes_nothing(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    told, asked = await child(room, "told"), await child(room, "asked")
    told.tell(Do(fails()))
    with pytest.raises(Boom):
        await ask(asked, fails())
    await eventually(lambda: told.cell.restarts == asked.cell.restarts == 1)


def test_stock_what_waits_at_a_stop_is_dropped_in_silence(stock: type[Stock], caplog: Any) -> None:
    ref, leave = stock.start(), threading.Event()
    ref.tell(lambda: leave.wait(5))
    ref.tell(ref.actor_stopped.set)
    ref.tell("lost")
    leave.set()
    assert ref.actor_stopped.wait(PATIENCE)
    assert "lost" not in caplog.text
    pykka.ActorRegistry.unregister(ref)


async def test_what_waits_at_a_stop_is_a_dead_letter(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    ref.tell(Note("lost"))
    await ref.stop(block=False)
    assert [(letter.type, letter.reason) for letter in system.dead_letters.last] == [
        ("Note", "waiting when the actor ended")
    ]


# -- waits that can never end ------------------------------------------------------------------------------------------


def test_stock_an_actor_that_asks_itself_waits_for_ever(stock: type[Stock]) -> None:
    ref = stock.start()
    with pytest.raises(pykka.Timeout):
        ref.ask(lambda: ref.ask("self", timeout=0.05))


@REAL
async def test_a_blocking_ask_on_the_loop_that_answers_raises_at_once(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    other = await child(room, "other")
    with pytest.raises(BlockingAskOnLoop):
        await ask(room, lambda out: other.ask(Report()))


# -- unbounded inboxes -------------------------------------------------------------------------------------------------


def test_stock_an_inbox_grows_without_bound(stock: type[Stock]) -> None:
    ref, leave = stock.start(), threading.Event()
    ref.tell(lambda: leave.wait(5))
    for number in range(5_000):
        ref.tell(number)
    assert ref.actor_inbox.qsize() >= 5_000  # type: ignore[attr-defined]
    leave.set()


async def test_a_mailbox_is_bounded(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=10))
    await ref.suspend()
    for number in range(10):
        ref.tell(Note(number))
    with pytest.raises(MailboxFull):
        ref.tell(Note(10))


# -- async handlers ----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_stock_an_async_handler_is_never_awaited(stock: type[Stock]) -> None:
    class Async(stock):  # type: ignore[valid-type,misc]  # a fixture's class
        async def on_receive(self, message: Any) -> Any:
            return message

    answer = Async.start().ask("hello")
    assert asyncio.iscoroutine(answer)
    answer.close()


async def test_an_async_handler_is_refused(system: ActorSystem) -> None:
    class Async(Scripted):
        async def receive(self, state: Any, message: Any, out: Outbox[Any]) -> Any:  # type: ignore[override]
            return state

    with pytest.raises(HandlerError, match="must not be async"):
        await spawn(system, "room", Async)


# -- late asks ---------------------------------------------------------------------------------------------------------


def test_stock_an_ask_that_timed_out_is_still_handled(stock: type[Stock]) -> None:
    ref, leave, handled = stock.start(), threading.Event(), threading.Event()
    ref.tell(lambda: leave.wait(5))
    with pytest.raises(pykka.Timeout):
        ref.ask(handled.set, timeout=0.02)
    leave.set()
    assert handled.wait(PATIENCE)


async def test_an_ask_that_timed_out_is_not_handled(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    with pytest.raises(pykka.Timeout):
        await ref.ask(Note("late"), block=False, timeout=0.01)
    await ref.resume()
    assert await state_of(ref) == ()


# -- identity and registry ---------------------------------------------------------------------------------------------


def test_stock_two_refs_of_one_actor_are_unequal(stock: type[Stock]) -> None:
    class Selfish(stock):  # type: ignore[valid-type,misc]  # a fixture's class
        def on_receive(self, message: Any) -> Any:
            return pykka.ActorRef(self)

    ref = Selfish.start()
    assert ref.ask("ref") != ref


async def test_two_refs_of_one_actor_are_equal(system: ActorSystem) -> None:
    from sessionactors.runtime import Ref

    room, other = await spawn(system, "room", Scripted), await spawn(system, "other", Scripted)
    again: Ref[Any] = Ref(room.cell)
    assert (again == room, hash(again) == hash(room), again == other, room == "room") == (True, True, False, False)


def test_stock_all_actors_are_in_one_list_of_the_process(stock: type[Stock]) -> None:
    ref = stock.start()
    assert pykka.ActorRegistry.get_all() == [ref]


async def test_our_actors_are_in_no_list_of_the_process(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    assert pykka.ActorRegistry.get_all() == []
    pykka.ActorRegistry.stop_all()
    await quiet(ref)
    assert ref.is_alive()


def test_stock_every_actor_has_a_thread(stock: type[Stock]) -> None:
    before = threading.active_count()
    for _ in range(3):
        stock.start()
    assert threading.active_count() == before + 3


async def test_our_actors_share_one_loop(system: ActorSystem) -> None:
    before = threading.active_count()
    room = await spawn(system, "room", Scripted)
    for number in range(20):
        await child(room, f"child-{number}")
    assert threading.active_count() <= before + 1  # the helper thread of this test's own spawn
