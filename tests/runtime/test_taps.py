"""Taps and dead letters: what was delivered, what was not."""

from __future__ import annotations

import asyncio
from typing import Any

import pykka
import pytest

from sessionactors.runtime import ActorSystem, DeadLetter, Delivery
from sessionactors.runtime.dead_letters import KEPT, LOGGED_PER_TREE

from tests.runtime.scripted import (
    Boom,
    Do,
    Fenced,
    Note,
    NoteNow,
    Scripted,
    ask,
    child,
    eventually,
    fails,
    on_loop,
    quiet,
    spawn,
    state_of,
)


async def test_a_tap_sees_how_each_delivery_ended(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    scope: Any = await ask(room, lambda out: out.reply(out.open_scope("s")))
    await ask(room, lambda out: out.close_scope(scope))
    await quiet(room)
    with system.tap("room") as tap:
        ref.tell(Note(1))
        ref.tell(Fenced(scope, 2))
        ref.tell(Do(fails()))
        await eventually(lambda: ref.cell.restarts == 1)
        seen = tap.drain()
    assert [(type(d.message).__name__, d.outcome) for d in seen] == [
        ("Note", "handled"),
        ("Fenced", "fenced"),
        ("Do", "failed"),
    ]
    for delivery in seen:
        assert (delivery.room, delivery.sender, delivery.target, delivery.cause) == ("room", "edge", "room/child", 0)
        assert delivery.sent_at <= delivery.began_at <= delivery.ended_at


async def test_a_tap_sees_only_its_room_and_types(system: ActorSystem) -> None:
    room, other = await spawn(system, "room", Scripted), await spawn(system, "other", Scripted)
    notes, everything = system.tap("room", [Note]), system.tap()
    for ref in (room, other):
        ref.tell(Note(1))
        ref.tell(NoteNow(2))
        await state_of(ref)
    assert [(d.room, type(d.message)) for d in notes.drain()] == [("room", Note)]
    assert {(d.room, type(d.message)) for d in everything.drain()} >= {
        (name, kind) for name in ("room", "other") for kind in (Note, NoteNow)
    }
    notes.close()
    everything.close()


async def test_a_slow_tap_drops_the_oldest_and_says_how_many(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    with system.tap("room", [Note], capacity=3) as tap:
        for number in range(10):
            room.tell(Note(number))
        await state_of(room)
        assert [delivery.message for delivery in tap.drain()] == [Note(7), Note(8), Note(9)]
        assert tap.dropped == 7


async def test_a_tap_can_be_iterated_until_it_is_closed(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    tap = system.tap("room", [Note])

    async def collect() -> list[object]:
        return [delivery.message async for delivery in tap]

    collecting = asyncio.ensure_future(collect())
    await asyncio.sleep(0)
    for number in range(3):
        room.tell(Note(number))
        await state_of(room)
    tap.close()
    assert await collecting == [Note(0), Note(1), Note(2)]
    assert system.taps.active == ()


async def test_a_tap_of_a_room_ends_with_it(system: ActorSystem) -> None:
    await spawn(system, "room", Scripted)
    tap, other = system.tap("room"), system.tap("other")
    await system.stop_tree("room")
    assert [delivery async for delivery in tap] == []
    assert not other.closed
    other.close()


async def test_all_taps_end_with_the_system(make_system: Any) -> None:
    system = await make_system()
    tap = system.tap()
    await system.aclose()
    assert tap.closed


async def test_a_tap_whose_loop_is_gone_hurts_nobody(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    tap = system.tap("room")

    def look_and_leave() -> None:
        loop = asyncio.new_event_loop()
        task = loop.create_task(anext(tap))
        loop.run_until_complete(asyncio.sleep(0))
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()

    await asyncio.to_thread(look_and_leave)
    room.tell(Note(1))
    assert await state_of(room) == (1,)
    assert [type(delivery.message) for delivery in tap.drain()][:1] == [Note]
    tap.close()


async def test_an_actor_can_subscribe_to_what_others_of_its_room_handle(system: ActorSystem) -> None:
    room, elsewhere = await spawn(system, "room", Scripted), await spawn(system, "elsewhere", Scripted)
    ref, log = await child(room, "child"), await child(room, "log")
    await ask(log, lambda out: out.subscribe([NoteNow]))
    await ask(log, lambda out: out.subscribe([Note]))  # replaces
    for target in (ref, log, elsewhere):
        target.tell(NoteNow("not wanted"))
        target.tell(Note("wanted"))
        await state_of(target)
    seen = [note for note in await state_of(log) if isinstance(note, Delivery)]
    assert [(delivery.target, delivery.message) for delivery in seen] == [("room/child", Note("wanted"))]
    await log.stop(block=False)
    assert system.taps.active == ()


# -- dead letters ------------------------------------------------------------------------------------------------------


async def dead_letters(system: ActorSystem) -> list[DeadLetter]:
    return await on_loop(system, lambda: list(system.dead_letters.last))


async def test_a_message_to_an_ended_actor_is_a_dead_letter(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ref.stop(block=False)
    await ask(room, lambda out: out.tell(ref, Note("late")))
    assert await dead_letters(system) == [DeadLetter("room", "room", "room/child", "Note", "the actor has ended")]
    assert system.trees["room"].undeliverable == 1


async def test_telling_an_ended_actor_from_outside_raises(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.stop(block=False)
    with pytest.raises(pykka.ActorDeadError, match="room has ended: stopped"):
        ref.tell(Note("late"))
    assert [letter.sender for letter in await dead_letters(system)] == ["edge"]


async def test_what_waits_when_an_actor_ends_is_a_dead_letter(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ref.suspend()
    ref.tell(Note(1))
    ref.tell(NoteNow(2))
    await ref.stop(block=False)
    letters = await dead_letters(system)
    assert [(letter.type, letter.reason) for letter in letters] == [
        ("NoteNow", "waiting when the actor ended"),
        ("Note", "waiting when the actor ended"),
    ]


async def test_what_crosses_with_an_end_is_no_warning_and_what_is_left_is(
    system: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ref.suspend()
    ref.tell(Note(1))
    await ref.stop(block=False)
    await ask(room, lambda out: out.tell(ref, Note("late")))
    levels = [record.levelname for record in caplog.records if "dead_letter'" in record.getMessage()]
    assert levels == ["WARNING", "INFO"]


async def test_only_the_last_dead_letters_are_kept_and_the_first_logged(
    system: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    await ref.stop(block=False)

    def many(out: Any) -> None:
        for number in range(KEPT + 10):
            out.tell(ref, Note(number))

    await ask(room, many)
    assert len(await dead_letters(system)) == KEPT
    assert system.dead_letters.by_reason["the actor has ended"] == KEPT + 10
    assert caplog.text.count("dead_letter'") == LOGGED_PER_TREE


async def test_a_dead_letter_keeps_no_message_alive(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    await system.stop_tree("room")
    with pytest.raises(pykka.ActorDeadError):
        room.tell(Note(Boom()))
    [letter] = await dead_letters(system)
    assert {type(getattr(letter, name)) for name in letter.__slots__} == {str}


async def test_only_types_that_a_tap_wants_are_offered_to_taps(system: ActorSystem) -> None:
    assert not system.taps.watched
    notes, everything = system.tap("room", [Note]), system.tap("other")
    assert Note in system.taps.watched
    assert NoteNow in system.taps.watched
    everything.close()
    assert system.taps.watched == {Note}
    more = system.tap("other", [NoteNow])
    assert system.taps.watched == {Note, NoteNow}
    notes.close()
    more.close()
    assert not system.taps.watched
