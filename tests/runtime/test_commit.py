"""State and outbox commit together: a handler that raises has changed nothing and sent nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessionactors.runtime import (
    Actor,
    ActorSystem,
    ChildSpec,
    HandlerError,
    NameTaken,
    Outbox,
    OutsideHandler,
    Supervision,
)

from tests.runtime.scripted import (
    Boom,
    Do,
    Note,
    NoteNow,
    Out,
    Probe,
    Scripted,
    State,
    Threaded,
    ask,
    child,
    eventually,
    quiet,
    snapshot_of,
    spawn,
    state_of,
    with_bounds,
    with_supervision,
)

KEPT = ChildSpec(keep_state=True)
BOTH = pytest.mark.parametrize("kind", [Scripted, Threaded], ids=["loop", "own_thread"])


def real_time_for_threads(system: ActorSystem, kind: type[Scripted]) -> None:
    if kind.own_thread and hasattr(system.loop, "time_ns"):
        pytest.skip("a thread runs in real time, which stands still under the virtual loop")


@BOTH
async def test_a_raising_handler_changes_nothing_and_sends_nothing(
    system: ActorSystem, kind: type[Scripted], probe: Probe
) -> None:
    real_time_for_threads(system, kind)
    room, other = await spawn(system, "room", Scripted), await spawn(system, "other", Scripted)
    failing = await child(room, "failing", kind, KEPT)
    failing.tell(Note("before"))

    async def never(port: object) -> None:
        probe.put("effect")

    def fail(out: Out) -> None:
        out.tell(other, Note("sent"))
        out.timer("t", 0.0, Note("timer"))
        out.port(probe.put, "port")
        out.effect("e", never, failed=Note)
        out.spawn("child", Scripted)
        out.oblige("o", "nothing", 1.0)
        out.open_scope("s")
        out.log("written")
        out.stash()
        raise Boom

    with pytest.raises(Boom):
        await ask(failing, fail)
    assert await state_of(failing) == ("before",)
    snapshot = await snapshot_of(system, failing)
    assert (snapshot.timers, snapshot.effects, snapshot.stashed) == ((), (), 0)
    room_snapshot = system.inspect("room")
    assert set(room_snapshot) == {"room", "room/failing"}
    assert (room_snapshot.obligations, room_snapshot.open_scopes) == ((), ())
    assert (await state_of(other), probe.items) == ((), [])


@BOTH
async def test_effects_of_a_handler_happen_in_the_order_asked_for(
    system: ActorSystem, kind: type[Scripted], probe: Probe
) -> None:
    real_time_for_threads(system, kind)
    ref = await spawn(system, "room", kind)

    def act(out: Out) -> None:
        for number in range(5):
            out.port(probe.put, number)
        assert not probe.items

    await ask(ref, act)
    assert probe.items == [0, 1, 2, 3, 4]


async def test_a_reply_is_given_after_the_commit(system: ActorSystem, probe: Probe) -> None:
    ref = await spawn(system, "room", Scripted)

    def act(out: Out) -> None:
        out.reply("answer")
        out.port(probe.put, "committed")

    assert await ask(ref, act) == "answer"
    assert probe.items == ["committed"]


async def test_a_port_that_raises_fails_the_actor_and_the_rest_is_still_done(system: ActorSystem, probe: Probe) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")

    def broken() -> None:
        raise Boom

    def act(out: Out) -> None:
        out.port(broken)
        out.port(probe.put, "rest")

    await ask(ref, act)
    await eventually(lambda: ref.cell.restarts == 1)
    assert probe.items == ["rest"]


async def test_control_that_a_lane_refuses_fails_its_sender(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    small = await child(room, "small", with_bounds(control=1))
    sender = await child(room, "sender")

    def overrun(out: Out) -> None:
        for number in range(3):
            out.tell(small, NoteNow(number))

    await ask(sender, overrun)
    snapshot = await snapshot_of(system, sender)
    assert "MailboxFull('room/sender sent more control messages to room/small than its lane holds (1)" in str(
        snapshot.last_error
    )


async def test_telling_by_a_ref_inside_a_handler_is_refused(system: ActorSystem) -> None:
    room = await spawn(system, "room", with_supervision(Supervision(max_restarts=100)))
    other = await child(room, "other")
    ref = await child(room, "ref", Scripted, KEPT)
    for act in (
        lambda out: other.tell(Note(1)),
        lambda out: other.ask(Note(1), block=False),
        lambda out: other.stop(block=False),
        lambda out: other.suspend(),
    ):
        with pytest.raises(OutsideHandler, match="inside the handler of room/ref: use out"):
            await ask(ref, act)
    assert await state_of(other) == ()


@pytest.mark.modes("own", "running")
async def test_telling_by_a_ref_inside_a_handler_on_its_own_thread_is_refused(system: ActorSystem) -> None:
    other = await spawn(system, "other", Scripted)
    ref = await spawn(system, "room", Threaded)
    with pytest.raises(OutsideHandler, match="inside the handler of room"):
        await ask(ref, lambda out: other.tell(Note(1)))


async def test_a_port_may_tell_by_a_ref_and_is_named_as_its_cause(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    other = await child(room, "other")
    with system.tap("room") as tap:
        asked = ask(room, lambda out: out.port(other.tell, Note("by a port")))
        await asked
        await state_of(other)
        deliveries = {type(delivery.message): delivery for delivery in tap.drain()}
    assert deliveries[Note].sender == "room"
    assert deliveries[Note].cause == deliveries[Do].id


@pytest.mark.parametrize(
    "use",
    [
        lambda out: out.tell(out.myself, Note(1)),
        lambda out: out.timer("t", 1.0, Note(1)),
        lambda out: out.spawn("child", Scripted),
        lambda out: out.reply(1),
        lambda out: out.reply_later(),
        lambda out: out.stash(),
        lambda out: out.unstash_all(),
        lambda out: out.port(print),
        lambda out: out.open_scope("s"),
    ],
    ids=["tell", "timer", "spawn", "reply", "reply_later", "stash", "unstash_all", "port", "open_scope"],
)
async def test_an_outbox_outside_of_its_handler_is_refused(system: ActorSystem, use: Any) -> None:
    kept: list[Out] = []
    ref = await spawn(system, "room", Scripted)
    await ask(ref, kept.append)
    await quiet(ref)
    with pytest.raises(OutsideHandler):
        use(kept[0])
    assert await state_of(ref) == ()


async def test_an_outbox_used_by_a_port_is_refused(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ask(ref, lambda out: out.port(lambda: out.tell(room, Note("escaped"))))
    assert "OutsideHandler" in str((await snapshot_of(system, ref)).last_error)
    assert all(note != "escaped" for note in await state_of(room))


@pytest.mark.parametrize("use", [lambda out: out.reply(1), lambda out: out.stash()], ids=["reply", "stash"])
async def test_a_lifecycle_hook_has_nothing_to_reply_to_or_to_stash(system: ActorSystem, use: Any) -> None:
    with pytest.raises(OutsideHandler, match="room handles no message now"):
        await spawn(system, "room", lambda: Scripted(began=use))


async def test_two_children_of_one_name_in_one_handler_are_refused(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_supervision(Supervision()))

    def twins(out: Out) -> None:
        out.spawn("twin", Scripted)
        out.spawn("twin", Scripted)

    with pytest.raises(NameTaken, match="two children named 'twin'"):
        await ask(ref, twins)


async def test_a_child_of_a_living_name_is_refused(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    await child(room, "child")
    with pytest.raises(NameTaken, match="room has a child named 'child' already"):
        await child(room, "child")


async def test_a_child_can_be_told_in_the_handler_that_starts_it(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)

    def start(out: Out) -> None:
        started = out.spawn("child", Scripted)
        out.tell(started, Note("welcome"))
        out.reply(started)

    started: Any = await ask(room, start)
    assert await state_of(started) == ("welcome",)


class Async(Actor[int, int]):
    def initial(self) -> int:
        return 0

    async def receive(self, state: int, message: int, out: Outbox[int]) -> int:  # type: ignore[override]
        return state


class AsyncStart(Scripted):
    async def started(self, state: State, out: Out) -> State:  # type: ignore[override]
        return state


class Forgetful(Scripted):
    def receive(self, state: State, message: Any, out: Out) -> State:
        return None  # type: ignore[return-value]


class ForgetfulStart(Scripted):
    def started(self, state: State, out: Out) -> State:
        return None  # type: ignore[return-value]


class ForgetfulRestart(Scripted):
    def restarted(self, state: State, error: BaseException, out: Out) -> State:
        return None  # type: ignore[return-value]


async def test_an_async_receive_is_refused_at_the_start(system: ActorSystem) -> None:
    with pytest.raises(HandlerError, match=r"receive\(\) must not be async"):
        await spawn(system, "room", Async)


async def test_an_async_hook_is_refused(system: ActorSystem) -> None:
    with pytest.raises(HandlerError, match=r"AsyncStart.started\(\) must not be async"):
        await spawn(system, "room", AsyncStart)


async def test_a_handler_that_returns_no_state_fails(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Forgetful)
    with pytest.raises(HandlerError, match=r"receive\(\) returned None for Note\(what=1\); return the state"):
        await ref.ask(Note(1), block=False)


@pytest.mark.modes("own", "running")
async def test_a_handler_on_its_own_thread_that_returns_no_state_fails(system: ActorSystem) -> None:
    class ForgetfulThread(Forgetful):
        own_thread = True

    ref = await spawn(system, "room", ForgetfulThread)
    with pytest.raises(HandlerError, match="return the state"):
        await ref.ask(Note(1), block=False)


async def test_a_start_that_returns_no_state_fails(system: ActorSystem) -> None:
    with pytest.raises(HandlerError, match=r"room: started\(\) returned None; return the state"):
        await spawn(system, "room", ForgetfulStart)


async def test_a_restart_that_returns_no_state_fails(system: ActorSystem) -> None:
    room = await spawn(system, "room", with_supervision(Supervision(max_restarts=1)))
    ref = await child(room, "child", ForgetfulRestart)
    ref.tell(Do(lambda out: 1 / 0))
    await eventually(lambda: room.cell.stopped)
    assert "restarted() returned None" in str(room.cell.end_error)


async def test_a_base_class_names_what_is_missing(system: ActorSystem) -> None:
    with pytest.raises(NotImplementedError, match=r"Actor must define initial\(\)"):
        await spawn(system, "room", Actor)


async def test_an_actor_without_receive_fails_at_its_first_message(system: ActorSystem) -> None:
    class Deaf(Actor[int, int]):
        def initial(self) -> int:
            return 0

    ref = await spawn(system, "room", Deaf)
    with pytest.raises(NotImplementedError, match=r"Deaf must define receive\(\)"):
        await ref.ask(1, block=False)


async def test_facts_of_the_outbox(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")

    def facts(out: Out) -> None:
        out.turn = "turn-1"
        out.reply(
            {
                "path": out.path,
                "room": out.room,
                "sender": out.sender,
                "myself": out.myself,
                "ids": [out.new_id("speech"), out.new_id("speech"), out.new_id("turn")],
                "random": 0 <= out.random() < 1,
                "seconds": out.seconds() == out.now / 1e9,
                "wall": out.wall() == out.wall(out.now),
                "id": out.message_id > 0,
            }
        )

    assert await ask(ref, facts) == {
        "path": "room/child",
        "room": "room",
        "sender": "edge",
        "myself": ref,
        "ids": ["speech-1", "speech-2", "turn-1"],
        "random": True,
        "seconds": True,
        "wall": True,
        "id": True,
    }


async def test_outside_of_messages_there_is_neither_id_nor_sender(system: ActorSystem, probe: Probe) -> None:
    await spawn(system, "room", lambda: Scripted(began=lambda out: probe.put((out.message_id, out.sender))))
    assert probe.items == [(0, "")]


async def test_random_numbers_follow_the_seed_and_the_room(make_system: Any) -> None:
    async def drawn(seed: int, room: str) -> object:
        ref = await spawn(await make_system(seed=seed), room, Scripted)
        return await ask(ref, lambda out: out.reply(out.random()))

    assert await drawn(1, "a") == await drawn(1, "a")
    assert len({await drawn(1, "a"), await drawn(2, "a"), await drawn(1, "b")}) == 3


async def test_a_turn_is_inherited_by_what_is_sent(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    other = await child(room, "other")

    def begin(out: Out) -> None:
        out.turn = "turn-7"
        out.tell(other, Note("of the turn"))

    with system.tap("room", [Note]) as tap:
        await ask(room, begin)
        await state_of(other)
        assert [delivery.turn for delivery in tap.drain()] == ["turn-7"]


async def test_a_log_line_of_a_handler_carries_its_facts(system: ActorSystem, caplog: pytest.LogCaptureFixture) -> None:
    ref = await spawn(system, "room", Scripted)
    await ask(ref, lambda out: out.log("something_happened", level="warning", actor="not me", detail=3))
    lines = [record.getMessage() for record in caplog.records if "something_happened" in record.getMessage()]
    assert len(lines) == 1
    assert "room='room' actor='room' message_id=1" in lines[0]
    assert "detail=3" in lines[0]


async def test_a_failed_handler_fails_only_its_own_ask(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", Scripted, KEPT)
    first = ask(ref, lambda out: out.reply(1))
    failing = ask(ref, lambda out: 1 / 0)
    last = ask(ref, lambda out: out.reply(3))
    outcomes = await asyncio.gather(first, failing, last, return_exceptions=True)
    assert (outcomes[0], type(outcomes[1]), outcomes[2]) == (1, ZeroDivisionError, 3)


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, GeneratorExit], ids=lambda kind: kind.__name__)
async def test_whatever_a_handler_raises_is_a_failure_of_its_actor_alone(
    system: ActorSystem, error: type[BaseException]
) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    other = await spawn(system, "other", Scripted)

    def fail(out: Out) -> None:
        raise error

    ref.tell(Do(fail))
    await eventually(lambda: ref.cell.restarts == 1)
    other.tell(Note("alive"))
    assert await state_of(other) == ("alive",)
    assert await state_of(ref) == ()


@pytest.mark.modes("own", "own+uvloop")
async def test_ctrl_c_raised_off_the_main_thread_is_contained(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")

    def fail(out: Out) -> None:
        raise KeyboardInterrupt

    ref.tell(Do(fail))
    await eventually(lambda: ref.cell.restarts == 1)
    assert await state_of(ref) == ()
