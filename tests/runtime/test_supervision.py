"""Supervision: who is restarted, how often, when it goes up, and what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from sessionactors.runtime import (
    ActorSystem,
    Backoff,
    ChildSpec,
    Ref,
    Restart,
    RestartsExhausted,
    Strategy,
    Supervision,
    Terminated,
)
from sessionactors.runtime.held import Status
from sessionactors.runtime.messages import Kill
from sessionactors.runtime.supervision import RestartWindow

from tests.runtime.scripted import (
    Boom,
    Do,
    Note,
    Out,
    Probe,
    Scripted,
    State,
    Threaded,
    ask,
    child,
    eventually,
    fails,
    on_loop,
    quiet,
    snapshot_of,
    spawn,
    state_of,
    with_supervision,
)

KEPT = ChildSpec(keep_state=True)
TEMPORARY = ChildSpec(restart=Restart.TEMPORARY)
SIGNIFICANT = ChildSpec(significant=True)


def kill(ref: Ref[Any], error: BaseException | None = None) -> None:
    _ = ref.kill(error or Boom("killed"))


def parent_of(leaf: Callable[[], Scripted]) -> Callable[[], Scripted]:
    return lambda: Scripted(began=lambda out: out.spawn("leaf", leaf))


async def restarted(ref: Ref[Any], times: int = 1) -> None:
    await eventually(lambda: ref.cell.restarts == times and ref.cell.status is not Status.RESTARTING)


# -- what is kept ------------------------------------------------------------------------------------------------------


async def test_a_failed_child_starts_again_with_a_new_state(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    ref.tell(Note("before"))
    ref.tell(Do(fails()))
    await restarted(ref)
    assert await state_of(ref) == ()


async def test_a_kept_state_is_the_last_committed_one(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", Scripted, KEPT)
    ref.tell(Note("before"))
    ref.tell(Do(fails()))
    await restarted(ref)
    assert await state_of(ref) == ("before",)


async def test_the_mailbox_is_kept_and_the_failed_message_is_not_retried(system: ActorSystem, probe: Probe) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ref.suspend()

    def try_and_fail(out: Out) -> None:
        probe.put("tried")
        raise Boom

    ref.tell(Do(try_and_fail))
    for number in (1, 2):
        ref.tell(Note(number))
    await ref.resume()
    await restarted(ref)
    assert await state_of(ref) == (1, 2)
    assert probe.items == ["tried"]


async def test_a_restart_makes_a_new_actor_object_and_tells_it_why(system: ActorSystem, probe: Probe) -> None:
    class Watching(Scripted):
        def restarted(self, state: State, error: BaseException, out: Out) -> State:
            probe.put((self, error))
            return state

    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", Watching)
    first = ref.cell.actor
    ref.tell(Do(fails()))
    [(second, error)] = await probe.count(1)
    assert second is not first
    assert isinstance(error, Boom)


async def test_children_of_a_restarted_actor_are_new(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    middle = await child(room, "middle", parent_of(Scripted))
    leaf = middle.cell.children["leaf"]
    kill(middle)
    await restarted(middle)
    assert leaf.stopped
    assert not middle.cell.children["leaf"].stopped


async def test_a_restart_waits_for_the_old_children_and_gives_up_those_that_hang(system: ActorSystem) -> None:
    reached, gate = Probe(), asyncio.Event()

    async def hang(port: object) -> None:
        reached.put()
        while not gate.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    def begin(out: Out) -> None:
        out.effect("hang", hang, failed=Note)

    room = await spawn(system, "room", Scripted)
    middle = await child(room, "middle", parent_of(lambda: Scripted(began=begin)))
    await reached.count(1)
    kill(middle)
    await eventually(lambda: middle.cell.restarts == 1)
    assert middle.cell.status is Status.RESTARTING
    await reached.count(2)  # the new leaf runs, though the old one hangs
    assert system.leaks("room") == ["tree room", "effect room/middle/leaf#hang"]
    gate.set()
    await eventually(lambda: not system.abandoned_effects)


async def test_asks_kept_by_a_lost_state_fail(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    asked = asyncio.ensure_future(ask(ref, lambda out: out.reply_later()))
    await quiet(ref)
    await eventually(lambda: ref.cell.kept_replies)
    kill(ref)
    with pytest.raises(pykka.ActorDeadError, match="room/child was restarted before it replied"):
        await asked


async def test_asks_kept_by_a_kept_state_can_still_be_answered(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", Scripted, KEPT)
    asked = asyncio.ensure_future(ask(ref, lambda out: out.reply_later()))
    await eventually(lambda: ref.cell.kept_replies)
    kill(ref)
    await restarted(ref)
    kept = (await state_of(ref))[0]
    await ask(ref, lambda out: out.reply("at last", to=kept))  # type: ignore[arg-type]
    assert await asked == "at last"


async def test_an_ask_of_a_handler_that_kept_it_and_then_failed_is_forgotten(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", Scripted, KEPT)

    def keep_and_fail(out: Out) -> None:
        out.reply_later()
        raise Boom

    with pytest.raises(Boom):
        await ask(ref, keep_and_fail)
    assert ref.cell.kept_replies == []


async def test_messages_told_during_a_restart_wait(system: ActorSystem) -> None:
    room = await spawn(system, "room", with_supervision(Supervision(backoff=Backoff(first=0.02))))
    ref = await child(room, "child")
    ref.tell(Do(fails()))
    await eventually(lambda: ref.cell.status is Status.RESTARTING)
    ref.tell(Note("meanwhile"))
    assert await state_of(ref) == ("meanwhile",)


# -- strategies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "strategy, restarts",
    [
        (Strategy.ONE_FOR_ONE, {"a": 0, "b": 1, "c": 0}),
        (Strategy.REST_FOR_ONE, {"a": 0, "b": 1, "c": 1}),
        (Strategy.ONE_FOR_ALL, {"a": 1, "b": 1, "c": 1}),
    ],
    ids=lambda value: value.value if isinstance(value, Strategy) else "",
)
async def test_the_strategy_says_who_is_restarted(
    system: ActorSystem, strategy: Strategy, restarts: dict[str, int]
) -> None:
    room = await spawn(system, "room", with_supervision(Supervision(strategy)))
    refs = {name: await child(room, name) for name in "abc"}
    refs["b"].tell(Do(fails()))
    await eventually(lambda: {name: ref.cell.restarts for name, ref in refs.items()} == restarts)
    for ref in refs.values():
        assert await state_of(ref) == ()


async def test_a_temporary_sibling_is_ended_and_not_restarted(system: ActorSystem) -> None:
    room = await spawn(system, "room", with_supervision(Supervision(Strategy.ONE_FOR_ALL)))
    a, b = await child(room, "a"), await child(room, "b", Scripted, TEMPORARY)
    a.tell(Do(fails()))
    await restarted(a)
    assert b.cell.stopped
    assert b.cell.end_reason == "sibling failed"


async def test_a_temporary_child_that_fails_ends(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", Scripted, TEMPORARY)
    ref.tell(Do(fails()))
    await eventually(lambda: ref.cell.stopped)
    assert not ref.is_alive()
    assert room.is_alive()


async def test_a_root_that_fails_ends_its_tree(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    room.tell(Do(fails()))
    await eventually(lambda: "room" not in system.trees)
    assert ref.cell.stopped


async def test_an_actor_that_ends_on_purpose_stays_ended(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ask(ref, lambda out: out.stop(out.myself))
    await eventually(lambda: ref.cell.stopped)
    assert ref.cell.restarts == 0


# -- how often ---------------------------------------------------------------------------------------------------------


async def test_more_failures_than_the_window_allows_go_up(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    middle = await child(room, "middle", with_supervision(Supervision(max_restarts=2)))
    leaf = await child(middle, "leaf")
    for _ in range(3):
        kill(leaf)
    await restarted(middle)
    assert leaf.cell.stopped
    assert isinstance(leaf.cell.end_error, RestartsExhausted)
    assert "room/middle/leaf failed again after 2 restart(s): Boom('killed')" in str(leaf.cell.end_error)
    assert isinstance(leaf.cell.end_error.__cause__, Boom)
    assert room.is_alive()


async def test_a_failure_goes_up_to_the_root_and_ends_the_tree(system: ActorSystem) -> None:
    never = with_supervision(Supervision(max_restarts=0))
    room = await spawn(system, "room", never)
    middle = await child(room, "middle", never)
    leaf = await child(middle, "leaf")
    kill(leaf)
    await eventually(lambda: room.cell.stopped)
    assert isinstance(room.cell.end_error, RestartsExhausted)


async def test_a_parent_that_watches_the_child_hears_of_it_instead(system: ActorSystem) -> None:
    room = await spawn(system, "room", with_supervision(Supervision(max_restarts=0)))
    leaf = await child(room, "leaf")
    await ask(room, lambda out: out.watch(leaf, Note))
    kill(leaf)
    await eventually(lambda: leaf.cell.stopped)
    note = (await state_of(room))[-1]
    assert isinstance(note, Terminated)
    assert (note.path, note.reason, type(note.error)) == ("room/leaf", "failed", RestartsExhausted)


async def test_one_window_counts_for_all_children(system: ActorSystem) -> None:
    room = await spawn(system, "room", with_supervision(Supervision(max_restarts=2)))
    a, b, c = [await child(room, name) for name in "abc"]
    for ref in (a, b, c):
        kill(ref)
    await eventually(lambda: room.cell.stopped)


@pytest.mark.modes("virtual")
async def test_the_window_slides(system: ActorSystem) -> None:
    room = await spawn(system, "room", with_supervision(Supervision(max_restarts=1, within=5.0)))
    ref = await child(room, "child")
    for times in (1, 2, 3):
        kill(ref)
        await restarted(ref, times)
        await asyncio.sleep(5.001)
    assert room.is_alive()


async def test_a_child_may_have_its_own_limit_for_life(system: ActorSystem) -> None:
    room = await spawn(system, "room", with_supervision(Supervision(max_restarts=100)))
    await ask(room, lambda out: None)
    ref = await child(room, "child", Scripted, ChildSpec(max_restarts=1))
    await ask(room, lambda out: out.watch(ref, Note))
    kill(ref)
    await restarted(ref)
    kill(ref)
    await eventually(lambda: ref.cell.stopped)
    assert isinstance(ref.cell.end_error, RestartsExhausted)


def test_a_window_counts_what_lies_in_it() -> None:
    window = RestartWindow(Supervision(max_restarts=2, within=1.0))
    assert [window.grant(at) for at in (0, 1, 2, 10**9, 10**9 + 1)] == [1, 2, 0, 2, 2]


def test_backoff_grows_to_its_maximum_with_jitter() -> None:
    backoff = Backoff(first=0.1, maximum=0.5, factor=2.0, jitter=0.1)
    assert [round(backoff.delay(attempt, 0.5), 3) for attempt in (1, 2, 3, 4, 5)] == [0.1, 0.2, 0.4, 0.5, 0.5]
    assert backoff.delay(1, 0.0) == pytest.approx(0.09)
    assert backoff.delay(1, 1.0) == pytest.approx(0.11)


@pytest.mark.modes("virtual")
async def test_a_restart_comes_after_its_backoff(system: ActorSystem, probe: Probe) -> None:
    supervision = Supervision(max_restarts=3, within=60.0, backoff=Backoff(first=1.0, maximum=10.0, jitter=0.0))
    room = await spawn(system, "room", with_supervision(supervision))
    ref = await child(room, "child", lambda: Scripted(began=lambda out: probe.put(out.seconds())))
    for _ in range(3):
        kill(ref)
        count = len(probe.items)
        await probe.count(count + 1)
    assert probe.items == [pytest.approx(at, abs=0.002) for at in (0.0, 1.0, 3.0, 7.0)]


async def test_failures_during_a_backoff_count(system: ActorSystem) -> None:
    supervision = Supervision(max_restarts=2, backoff=Backoff(first=0.05))
    room = await spawn(system, "room", with_supervision(supervision))
    ref = await child(room, "child")
    for _ in range(3):
        kill(ref)
    await eventually(lambda: room.cell.stopped)


# -- start -------------------------------------------------------------------------------------------------------------


async def test_a_root_whose_start_fails_is_not_there(system: ActorSystem, probe: Probe) -> None:
    def begin(out: Out) -> None:
        out.port(probe.put, "sent")
        raise Boom

    with pytest.raises(Boom):
        await spawn(system, "room", lambda: Scripted(began=begin, ended=lambda out: probe.put("ended")))
    assert (system.trees, probe.items) == ({}, [])


async def test_a_factory_that_fails_leaves_nothing(system: ActorSystem) -> None:
    def factory() -> Scripted:
        raise Boom

    with pytest.raises(Boom):
        await spawn(system, "room", factory)
    room = await spawn(system, "room", Scripted)
    with pytest.raises(Boom):
        await child(room, "child", factory)


async def test_a_child_whose_start_fails_is_restarted(system: ActorSystem, probe: Probe) -> None:
    def begin(out: Out) -> None:
        probe.put()
        if len(probe.items) < 3:
            raise Boom

    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", lambda: Scripted(began=begin))
    await restarted(ref, 2)
    assert await state_of(ref) == ()


async def test_a_child_whose_start_never_succeeds_ends_its_parents(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    asked = asyncio.ensure_future(child(room, "child", lambda: Scripted(began=fails())))
    await eventually(lambda: room.cell.stopped)
    await asyncio.gather(asked, return_exceptions=True)
    assert isinstance(room.cell.end_error, RestartsExhausted)


async def test_a_root_whose_child_cannot_start_is_not_started(system: ActorSystem) -> None:
    never = with_supervision(Supervision(max_restarts=0))

    def begin(out: Out) -> None:
        out.spawn("child", lambda: Scripted(began=fails()))
        out.spawn("other", Scripted)

    with pytest.raises(RestartsExhausted):
        await spawn(system, "room", lambda: never(began=begin))
    assert system.trees == {}


# -- significant children ----------------------------------------------------------------------------------------------


async def test_a_parent_ends_when_a_significant_child_ends(system: ActorSystem, probe: Probe) -> None:
    room = await spawn(system, "room", lambda: Scripted(ended=lambda out: out.port(probe.put, "farewell")))
    ref = await child(room, "child", Scripted, SIGNIFICANT)
    await ref.stop(block=False)
    await eventually(lambda: room.cell.stopped)
    assert (room.cell.end_reason, probe.items) == ("significant child child ended", ["farewell"])


async def test_a_significant_child_that_fails_for_good_ends_its_parent_with_its_error(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", Scripted, ChildSpec(restart=Restart.TEMPORARY, significant=True))
    ref.tell(Do(fails()))
    await eventually(lambda: room.cell.stopped)
    assert isinstance(room.cell.end_error, Boom)


async def test_a_restart_of_a_significant_child_is_no_end(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", Scripted, SIGNIFICANT)
    ref.tell(Do(fails()))
    await restarted(ref)
    assert room.is_alive()


# -- own threads -------------------------------------------------------------------------------------------------------

THREADS = pytest.mark.modes("own", "own+uvloop", "running")


class Held:
    """A handler on its own thread that the test lets go."""

    def __init__(self) -> None:
        import threading

        self.reached = Probe()
        self._free = threading.Event()

    def __call__(self, out: Out) -> object:
        self.reached.put()
        self._free.wait(5)
        return "held"

    def let_go(self) -> None:
        self._free.set()


@pytest.fixture
def held() -> Any:
    made = Held()
    yield made
    made.let_go()


@THREADS
async def test_an_actor_with_a_stuck_handler_can_be_restarted(system: ActorSystem, held: Held, probe: Probe) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", Threaded)

    def stuck(out: Out) -> object:
        out.port(probe.put, "sent")
        return held(out)

    asked = asyncio.ensure_future(ask(ref, stuck))
    await held.reached.count(1)
    kill(ref)
    await restarted(ref)
    with pytest.raises(Boom):
        await asked
    ref.tell(Note("new"))
    assert await state_of(ref) == ("new",)
    held.let_go()
    await eventually(lambda: not system.threads.running())
    assert await state_of(ref) == ("new",)  # what the old handler returned is not its state
    assert probe.items == []
    accounts = (await snapshot_of(system, ref)).accounts
    assert accounts.failed == 1


@THREADS
async def test_a_stopped_actor_finishes_its_handler_before_its_last_words(
    system: ActorSystem, held: Held, probe: Probe
) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", lambda: Threaded(ended=lambda out: out.port(probe.put, "last words")))

    def act(out: Out) -> None:
        out.port(probe.put, "handler")
        held(out)
        out.port(probe.put, "to its end")

    ref.tell(Do(act))
    await held.reached.count(1)
    stopping = ref.stop(block=False)
    await eventually(lambda: ref.cell.stopping)
    assert probe.items == []
    held.let_go()
    assert await stopping
    assert probe.items == ["handler", "to its end", "last words"]


@THREADS
async def test_a_failure_while_it_stops_restarts_nobody(system: ActorSystem, held: Held) -> None:
    room = await spawn(system, "room", with_supervision(Supervision(Strategy.ONE_FOR_ALL)))
    other, ref = await child(room, "other"), await child(room, "child", Threaded)
    ref.tell(Do(lambda out: held(out) and 1 / 0))
    await held.reached.count(1)
    stopping = ref.stop(block=False)
    await eventually(lambda: ref.cell.stopping)
    held.let_go()
    await stopping
    assert other.cell.restarts == 0


@THREADS
async def test_a_handler_on_its_own_thread_holds_nobody_else_up(system: ActorSystem, held: Held) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", Threaded)
    ref.tell(Do(held))
    await held.reached.count(1)
    room.tell(Note("meanwhile"))
    assert (await state_of(room))[-1] == "meanwhile"
    snapshot = await snapshot_of(system, ref)
    assert (snapshot.status, snapshot.in_hand is not None) == (Status.RUNNING, True)


# -- hooks -------------------------------------------------------------------------------------------------------------


async def test_the_last_words_are_heard(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", lambda: Scripted(ended=lambda out: out.tell(room, Note("farewell"))))
    await ref.stop(block=False)
    assert (await state_of(room))[-1] == "farewell"


async def test_last_words_that_fail_do_not_keep_it_alive(system: ActorSystem, probe: Probe) -> None:
    room = await spawn(system, "room", Scripted)

    def ended(out: Out) -> None:
        out.port(probe.put, "said")
        raise Boom

    ref = await child(room, "child", lambda: Scripted(ended=ended))
    assert await ref.stop(block=False)
    assert probe.items == []


async def test_a_failed_actor_has_no_last_words(system: ActorSystem, probe: Probe) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", lambda: Scripted(ended=lambda out: probe.put("said")), TEMPORARY)
    ref.tell(Do(fails()))
    await eventually(lambda: ref.cell.stopped)
    assert probe.items == []


async def test_children_end_in_reverse_order_before_their_parent(system: ActorSystem, probe: Probe) -> None:
    def ending(name: str) -> Callable[[], Scripted]:
        return lambda: Scripted(ended=lambda out: out.port(probe.put, name))

    room = await spawn(system, "room", ending("room"))
    for name in "abc":
        await child(room, name, ending(name))
    await system.stop_tree("room")
    assert probe.items == ["c", "b", "a", "room"]


async def test_a_child_kill_during_its_parents_end_changes_nothing(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")

    def both() -> None:
        ref.cell.deliver_system(Kill(Boom()))
        ended.append(system.stop_tree("room"))

    ended: list[object] = []
    await on_loop(system, both)
    await eventually(lambda: "room" not in system.trees)
    assert ref.cell.restarts == 0
