"""Death watch: told once when an actor ends for good."""

from __future__ import annotations

from typing import Any

import pytest

from sessionactors.runtime import (
    ActorSystem,
    ChildSpec,
    Lane,
    Ref,
    Restart,
    Terminated,
)
from sessionactors.runtime.held import Status
from sessionactors.runtime.messages import Kill

from tests.runtime.scripted import (
    Boom,
    Do,
    Note,
    Out,
    Scripted,
    ask,
    child,
    eventually,
    fails,
    on_loop,
    spawn,
    state_of,
    with_bounds,
)

TEMPORARY = ChildSpec(restart=Restart.TEMPORARY)


def watching(*refs: Ref[Any]) -> Any:
    def act(out: Out) -> None:
        for ref in refs:
            out.watch(ref, Note)

    return act


def ends(notes: tuple[Any, ...]) -> list[tuple[str, str]]:
    return [(note.path, note.reason) for note in notes if isinstance(note, Terminated)]


async def test_a_watcher_is_told_of_the_end_and_its_reason(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    a, b = await child(room, "a"), await child(room, "b", Scripted, TEMPORARY)
    watcher = await child(room, "watcher")
    await ask(watcher, watching(a, b))
    await ask(room, lambda out: out.stop(a, "no longer needed"))
    b.tell(Do(fails()))
    await eventually(lambda: a.cell.stopped and b.cell.stopped)
    notes: Any = await state_of(watcher)
    assert sorted(ends(notes)) == [("room/a", "no longer needed"), ("room/b", "failed")]
    assert [type(note.error) for note in notes if note.path == "room/b"] == [Boom]


async def test_a_watch_of_an_ended_actor_is_told_at_once(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref, watcher = await child(room, "child"), await child(room, "watcher")
    await ref.stop(block=False)
    await ask(watcher, watching(ref))
    assert ends(await state_of(watcher)) == [("room/child", "stopped")]


async def test_a_restart_is_no_end(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref, watcher = await child(room, "child"), await child(room, "watcher")
    await ask(watcher, watching(ref))
    ref.tell(Do(fails()))
    await eventually(lambda: ref.cell.restarts == 1)
    assert await state_of(watcher) == ()
    await ref.stop(block=False)
    assert ends(await state_of(watcher)) == [("room/child", "stopped")]


async def test_a_watcher_is_told_once_also_if_it_watched_twice(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref, watcher = await child(room, "child"), await child(room, "watcher")
    await ask(watcher, watching(ref, ref))
    await ref.stop(block=False)
    assert len(ends(await state_of(watcher))) == 1


async def test_a_watch_ends_with_the_incarnation_that_wanted_it(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref, watcher = await child(room, "child"), await child(room, "watcher")
    await ask(watcher, watching(ref))
    await on_loop(system, lambda: watcher.cell.deliver_system(Kill(Boom())))
    await eventually(lambda: watcher.cell.restarts == 1)
    await ref.stop(block=False)
    assert await state_of(watcher) == ()


async def test_a_new_incarnation_that_watches_again_is_told_once(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    watcher = await child(room, "watcher", lambda: Scripted(began=watching(ref)))
    watcher.tell(Do(fails()))
    await eventually(lambda: watcher.cell.restarts == 1 and watcher.cell.status is Status.IDLE)
    await ref.stop(block=False)
    assert len(ends(await state_of(watcher))) == 1


async def test_ended_watchers_do_not_pile_up(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    for number in range(10):
        watcher = await child(room, f"watcher-{number}", lambda: Scripted(began=watching(ref)))
        await watcher.stop(block=False)
    assert len(ref.cell.watchers) == 1


async def test_a_watcher_that_cannot_make_its_message_has_failed_and_the_end_goes_on(system: ActorSystem) -> None:
    def broken(terminated: Terminated) -> Note:
        raise Boom

    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    one, two = await child(room, "one"), await child(room, "two")
    await ask(one, lambda out: out.watch(ref, broken))
    await ask(two, watching(ref))
    assert await ref.stop(block=False)
    await eventually(lambda: one.cell.restarts == 1)
    assert ends(await state_of(two)) == [("room/child", "stopped")]


async def test_news_of_an_end_has_its_place_in_a_full_lane(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref, watcher = await child(room, "child"), await child(room, "watcher", with_bounds(data=1))
    await ask(watcher, watching(ref))
    await watcher.suspend()
    watcher.tell(Note("full"))
    await ref.stop(block=False)
    await eventually(lambda: watcher.cell.mailbox.waiting(Lane.DATA) == 2)


async def test_actors_of_two_systems_tell_watch_and_stop_each_other(make_system: Any) -> None:
    one, two = await make_system(), await make_system()
    here, there = await spawn(one, "here", Scripted), await spawn(two, "there", Scripted)
    await ask(here, watching(there))
    await ask(here, lambda out: out.tell(there, Note("hello")))
    await eventually(lambda: there.cell.state == ("hello",))
    await ask(here, lambda out: out.stop(there))
    await eventually(lambda: there.cell.stopped and len(here.cell.state) == 1)  # type: ignore[arg-type]
    assert ends(await state_of(here)) == [("there", "stopped")]


@pytest.mark.modes("own")
async def test_a_message_to_an_actor_of_a_closed_system_is_a_dead_letter(make_system: Any) -> None:
    one, two = await make_system(), await make_system()
    here, there = await spawn(one, "here", Scripted), await spawn(two, "there", Scripted)
    await two.aclose()
    await ask(here, lambda out: out.tell(there, Note("hello")))
    await ask(here, lambda out: out.stop(there))
    reasons = await on_loop(one, lambda: [letter.reason for letter in one.dead_letters.last])
    assert reasons == ["its actor system is closed"]
