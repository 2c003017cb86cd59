"""Messages that one handler tells one actor in a row come into its lane in one step; nothing of them is lost so."""

from __future__ import annotations

from sessionactors.runtime import ActorSystem

from tests.runtime.scripted import (
    NewestOfTwo,
    Note,
    Oldest,
    Out,
    Scripted,
    ask,
    child,
    on_loop,
    quiet,
    snapshot_of,
    spawn,
    state_of,
    with_bounds,
)


async def test_a_run_keeps_its_order_among_all_that_one_handler_sends(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    one, two = await child(room, "one"), await child(room, "two")
    depths: list[tuple[int, int]] = []

    def look() -> None:
        mailbox = one.cell.mailbox
        depths.append((len(mailbox.data or ()), mailbox.accounts.received - mailbox.accounts.handled))

    def act(out: Out) -> None:
        for told in (Note(1), Note(2), Note(3), Oldest(4), Oldest(5)):
            out.tell(one, told)
        out.tell(two, Note("a"))
        out.tell(one, Note(6))
        out.tell(one, Note(7))
        out.port(look)  # sees what was asked for before it, and nothing else
        out.tell(one, Note(8))
        out.tell(two, Note("b"))
        out.tell(two, Note("c"))

    await state_of(one)
    await ask(room, act)
    await quiet(one)
    await quiet(two)
    assert depths == [(7, 7)]
    assert (await state_of(one), await state_of(two)) == ((1, 2, 3, 4, 5, 6, 7, 8), ("a", "b", "c"))
    told = [row for path in ("room/one", "room/two") for row in system.inspect("room")[path].recent]
    notes = [row for row in told if row.type in {"Note", "Oldest"}]
    ids = [row.id for row in sorted(notes, key=lambda row: row.id)]
    assert ids == list(range(ids[0], ids[0] + 11))
    assert len({row.cause for row in notes}) == 1
    assert [row.id for row in notes[:8]] == sorted(row.id for row in notes[:8])


async def test_a_run_ends_where_the_lane_is_full(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    small = await child(room, "small", with_bounds(data=3))
    await state_of(small)

    def act(out: Out) -> None:
        for number in range(5):
            out.tell(small, Note(number))
        for number in range(2):
            out.tell(small, NewestOfTwo(number))

    await ask(room, act)
    await quiet(small)
    snapshot = await snapshot_of(system, small)
    assert (snapshot.accounts.dead_lettered, snapshot.accounts.dropped, snapshot.high_water) == (2, 2, 3)
    assert [letter.type for letter in system.inspect("room").dead_letters] == ["Note", "Note"]
    assert await state_of(small) == (0, 1, 2)


async def test_a_run_to_an_actor_that_is_held_or_has_a_new_lane_waits_whole(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    held = await child(room, "held")
    await held.suspend()

    def act(out: Out) -> None:
        for number in range(4):
            out.tell(held, Note(number))

    await ask(room, act)
    await on_loop(system, lambda: None)
    snapshot = await snapshot_of(system, held)
    assert (snapshot.data_depth, snapshot.accounts.received, snapshot.high_water) == (4, 4, 4)
    await held.resume()
    await quiet(held)
    assert await state_of(held) == (0, 1, 2, 3)


async def test_a_message_without_a_policy_is_not_taken_for_one_of_the_run_before_it(system: ActorSystem) -> None:
    class Broken(type):
        @property
        def __policy__(cls) -> object:
            raise RuntimeError("no policy")

    class Odd(metaclass=Broken):
        pass

    room = await spawn(system, "room", Scripted)
    sender, taker = await child(room, "sender"), await child(room, "taker")
    await state_of(taker)

    def act(out: Out) -> None:
        for told in (Note(1), Note(2), Odd(), Odd(), Note(3)):
            out.tell(taker, told)

    await ask(sender, act)
    await quiet(taker)
    assert await state_of(taker) == (1, 2, 3)
    assert "no policy" in str((await snapshot_of(system, sender)).last_error)
