"""Asks: answers, timeouts that say why, cycles, waits that can never end."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pykka
import pytest

from sessionactors.runtime import (
    ActorSystem,
    AskCycle,
    AskTimeout,
    BlockingAskOnLoop,
    HandlerError,
    Lane,
)

from tests.runtime.scripted import (
    Boom,
    Do,
    Note,
    Probe,
    Report,
    ReportNow,
    Scripted,
    Threaded,
    ask,
    child,
    eventually,
    fails,
    holding,
    on_loop,
    snapshot_of,
    spawn,
    state_of,
)

REAL = pytest.mark.modes("own", "own+uvloop", "running")
OWN = pytest.mark.modes("own", "own+uvloop")


async def test_an_ask_gets_what_the_handler_replies(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    ref.tell(Note(1))
    assert await ref.ask(Report(), block=False) == (1,)


async def test_an_ask_that_gets_no_reply_gets_none(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    assert await ref.ask(Note(1), block=False) is None


async def test_a_failing_handler_fails_the_ask(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    with pytest.raises(Boom, match="boom"):
        await ask(ref, fails())


async def test_a_blocking_ask_from_a_thread(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    ref.tell(Note(1))
    assert await asyncio.to_thread(ref.ask, Report()) == (1,)


async def test_an_answer_can_be_awaited_on_any_loop(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)

    async def elsewhere() -> object:
        return await ref.ask(Report(), block=False)

    assert await asyncio.to_thread(asyncio.run, elsewhere()) == ()


@pytest.mark.modes("running", "virtual", "virtual+seed-1")
async def test_a_blocking_ask_on_the_loop_that_answers_is_refused_at_once(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    with pytest.raises(BlockingAskOnLoop, match="a blocking ask of room on the actor loop waits for itself"):
        ref.ask(Report())
    with pytest.raises(BlockingAskOnLoop):
        ref.ask(Report(), block=False).get()
    with pytest.raises(BlockingAskOnLoop):
        ref.stop()
    with pytest.raises(BlockingAskOnLoop):
        ref.suspend().get()
    assert ref.is_alive()


async def test_a_blocking_ask_in_a_handler_fails_the_handler(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    other = await child(room, "other")
    with pytest.raises(BlockingAskOnLoop):
        await ask(room, lambda out: other.ask(Report()))


# -- timeouts ----------------------------------------------------------------------------------------------------------


async def test_a_timeout_says_where_the_message_waits_and_what_its_target_is(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    for number in range(3):
        ref.tell(Note(number))
    with pytest.raises(AskTimeout) as caught:
        await ref.ask(Report(), block=False, timeout=0.02)
    assert str(caught.value).startswith("no reply to Report #4 from room after 0.0")
    assert str(caught.value).endswith("it is number 4 of 4 in the data lane, and it is suspended")
    assert isinstance(caught.value, pykka.Timeout)


async def test_a_timeout_of_control_names_its_lane(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    with pytest.raises(AskTimeout, match="number 1 of 1 in the control lane, and it is suspended"):
        await ref.ask(ReportNow(), block=False, timeout=0.02)


@OWN
@pytest.mark.may_block("the handler blocks its loop", in_functions=["block"])
async def test_a_timeout_says_that_the_handler_is_still_running(system: ActorSystem) -> None:
    leave = threading.Event()

    def block(out: object) -> None:
        leave.wait(5)

    ref = await spawn(system, "room", Scripted)
    with pytest.raises(AskTimeout, match=r"#1 from room after 0\.\d\d s: its handler has been running for 0\.\d\d s"):
        await ref.ask(Do(block), block=False, timeout=0.05)
    leave.set()


@OWN
@pytest.mark.may_block("the handler blocks its loop", in_functions=["block"])
async def test_a_timeout_says_that_the_loop_is_busy_elsewhere(system: ActorSystem) -> None:
    leave, entered = threading.Event(), threading.Event()

    def block(out: object) -> None:
        entered.set()
        leave.wait(5)

    other, ref = await spawn(system, "other", Scripted), await spawn(system, "room", Scripted)
    other.tell(Do(block))
    assert entered.wait(5)
    with pytest.raises(AskTimeout, match="still on its way to the actor: the actor loop is busy, and it is idle"):
        await ref.ask(Report(), block=False, timeout=0.05)
    leave.set()


@REAL
async def test_a_timeout_says_what_a_thread_is_doing(system: ActorSystem) -> None:
    leave, entered = threading.Event(), Probe()
    ref = await spawn(system, "room", Threaded)
    ref.tell(Do(holding(entered, leave)))
    await entered.count(1)
    with pytest.raises(AskTimeout, match=r"number 1 of 1 in the data lane, and it has been handling Do #1 for 0\."):
        await ref.ask(Report(), block=False, timeout=0.05)
    leave.set()


async def test_a_timeout_says_that_the_reply_was_kept(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    with pytest.raises(AskTimeout, match="it was handled, but the reply was kept for later and has not"):
        await ref.ask(Do(lambda out: out.reply_later()), block=False, timeout=0.02)


@REAL
async def test_a_blocking_ask_times_out_too(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()

    def asking() -> None:
        ref.ask(Report(), timeout=0.02)

    with pytest.raises(AskTimeout, match="number 1 of 1"):
        await asyncio.to_thread(asking)


async def test_an_ask_that_expired_in_the_mailbox_is_not_handled(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    with pytest.raises(AskTimeout):
        await ref.ask(Note("late"), block=False, timeout=0.01)
    await ref.resume()
    assert await state_of(ref) == ()
    assert (await snapshot_of(system, ref)).accounts.expired == 1


@REAL
async def test_whoever_waits_longer_than_the_ask_hears_that_it_expired(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    asked = ref.ask(Note("late"), block=False, timeout=0.01)
    waiting = asyncio.ensure_future(asyncio.to_thread(asked.get, timeout=5.0))
    await asyncio.sleep(0.02)
    await ref.resume()
    with pytest.raises(AskTimeout, match=r"room came to the ask after 0\.0\d s, too late to handle it"):
        await waiting


async def test_an_ask_without_timeout_waits(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    asked = asyncio.ensure_future(_awaited(ref.ask(Report(), block=False, timeout=None)))
    await asyncio.sleep(0.02)
    assert not asked.done()
    await ref.resume()
    assert await asked == ()


async def _awaited(future: Any) -> object:
    return await future


async def test_a_late_reply_reaches_nobody_and_hurts_nobody(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    with pytest.raises(AskTimeout):
        await ref.ask(Do(lambda out: out.reply_later()), block=False, timeout=0.01)
    kept: Any = (await state_of(ref))[0]
    await ask(ref, lambda out: out.reply("late", to=kept))
    assert (await snapshot_of(system, ref)).accounts.failed == 0


# -- replies later -----------------------------------------------------------------------------------------------------


async def test_a_reply_can_be_given_later(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    asked = asyncio.ensure_future(ask(ref, lambda out: out.reply_later()))
    await eventually(lambda: ref.cell.kept_replies)
    kept: Any = (await state_of(ref))[0]
    assert repr(kept) == "<ReplyTo ask #1>"
    assert not asked.done()
    await ask(ref, lambda out: out.reply("now", to=kept))
    assert await asked == "now"


async def test_a_kept_ask_fails_when_its_actor_ends(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    asked = asyncio.ensure_future(ask(ref, lambda out: out.reply_later()))
    await eventually(lambda: ref.cell.kept_replies)
    await ref.stop(block=False)
    with pytest.raises(pykka.ActorDeadError, match="room ended before it replied: stopped"):
        await asked


async def test_a_told_message_has_no_reply_to_keep(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    ref.tell(Do(lambda out: out.reply_later()))
    await eventually(lambda: ref.cell.restarts == 1)
    assert isinstance(ref.cell.last_error, HandlerError)
    assert "is not an ask, there is nothing to reply to" in str(ref.cell.last_error)


async def test_a_reply_to_a_told_message_goes_nowhere(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    ref.tell(Do(lambda out: out.reply("nobody asked")))
    assert await ref.ask(Note(1), block=False) is None


# -- ends --------------------------------------------------------------------------------------------------------------


async def test_an_ask_of_an_ended_actor_fails(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.stop(block=False)
    with pytest.raises(pykka.ActorDeadError, match="room has ended: stopped"):
        await ref.ask(Report(), block=False)


async def test_an_ask_that_waits_when_its_actor_ends_fails(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    asked = asyncio.ensure_future(_awaited(ref.ask(Report(), block=False)))
    await eventually(lambda: ref.cell.mailbox.waiting(Lane.DATA) == 1)
    await ref.stop(block=False)
    with pytest.raises(pykka.ActorDeadError, match="room has ended: stopped"):
        await asked


# -- cycles ------------------------------------------------------------------------------------------------------------


@REAL
async def test_a_circle_of_actors_that_ask_each_other_is_refused(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    a, b = await child(room, "a", Threaded), await child(room, "b", Threaded)

    def ask_b(out: Any) -> None:
        out.reply(b.ask(Do(lambda out: a.ask(Report()))))

    with pytest.raises(AskCycle, match="room/a -> room/b -> room/a: each waits for the next"):
        await ask(a, ask_b)


@REAL
async def test_an_actor_that_asks_itself_is_refused(system: ActorSystem) -> None:
    a = await spawn(system, "a", Threaded)
    with pytest.raises(AskCycle, match="a -> a"):
        await ask(a, lambda out: a.ask(Report()))


@REAL
async def test_actors_on_their_own_threads_may_ask_along_a_line(system: ActorSystem) -> None:
    a, b, c = [await spawn(system, name, Threaded) for name in "abc"]

    def ask_c(out: Any) -> None:
        out.reply(c.ask(Do(lambda out: out.reply("c says"))))

    def ask_b(out: Any) -> None:
        out.reply(b.ask(Do(ask_c)))

    assert await ask(a, ask_b) == "c says"


# -- stop --------------------------------------------------------------------------------------------------------------


async def test_stop_is_served_ahead_of_the_backlog(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ref.suspend()
    for number in range(100):
        ref.tell(Note(number))
    assert await ref.stop(block=False) is True
    assert ref.cell.mailbox.accounts.waiting_at_close == 100


async def test_stopping_twice_says_whether_it_was_alive(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    first, second = await on_loop(system, lambda: (ref.stop(block=False), ref.stop(block=False)))
    assert (await first, await second) == (True, True)
    assert await ref.stop(block=False) is False
    assert ref.stop() is False


async def test_control_of_an_ended_actor_says_so(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.stop(block=False)
    assert (await ref.suspend(), await ref.step(), await ref.resume()) == (False, False, False)


async def test_control_that_waits_when_the_actor_ends_is_answered(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    futures: Any = await on_loop(system, lambda: [ref.stop(block=False), ref.suspend(), ref.stop(block=False)])
    assert [await future for future in futures] == [True, False, True]


# -- suspend, step, resume ---------------------------------------------------------------------------------------------


async def test_a_suspended_actor_handles_nothing_not_even_control(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    assert await ref.suspend() is True
    ref.tell(Note(1))
    asked = asyncio.ensure_future(_awaited(ref.ask(ReportNow(), block=False)))
    await asyncio.sleep(0.01)
    snapshot = await snapshot_of(system, ref)
    assert (snapshot.status.value, snapshot.control_depth, snapshot.data_depth) == ("suspended", 1, 1)
    assert await ref.resume() is True
    assert await asked == ()
    assert await state_of(ref) == (1,)


async def test_a_step_handles_exactly_one_message_control_first(system: ActorSystem) -> None:
    from tests.runtime.scripted import NoteNow

    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    for told in (Note(1), Note(2), NoteNow("control")):
        ref.tell(told)
    seen = []
    for _ in range(4):
        stepped = await ref.step()
        seen.append((stepped, (await snapshot_of(system, ref)).state["notes"]))
    assert seen == [(True, 1), (True, 2), (True, 3), (False, 3)]
    await ref.resume()
    assert await state_of(ref) == ("control", 1, 2)


async def test_a_step_of_an_actor_that_is_not_suspended_does_nothing(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    assert await ref.step() is False


async def test_a_step_whose_handler_fails_leaves_the_actor_suspended(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ref.suspend()
    ref.tell(Do(fails()))
    ref.tell(Note(1))
    assert await ref.step() is True
    await eventually(lambda: ref.cell.restarts == 1)
    await asyncio.sleep(0.01)
    assert (await snapshot_of(system, ref)).data_depth == 1
    await ref.resume()
    assert await state_of(ref) == (1,)


@REAL
async def test_an_actor_on_its_own_thread_can_be_stepped(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Threaded)
    await ref.suspend()
    ref.tell(Note(1))
    ref.tell(Note(2))
    await ref.step()
    await eventually(lambda: ref.cell.state == (1,))
    await ref.resume()
    assert await state_of(ref) == (1, 2)


async def test_our_actors_have_no_proxy(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    with pytest.raises(TypeError, match="room has typed messages and no methods to proxy"):
        ref.proxy()
