"""Lanes and their bounds, overflow policies, conflation, limits per type."""

from __future__ import annotations

import pytest

from sessionactors.runtime import ActorSystem, MailboxFull, Overflow, message, policy_of

from tests.runtime.scripted import (
    Level,
    LevelOf,
    Newest,
    NewestOfTwo,
    Note,
    NoteNow,
    Oldest,
    OldestOfTwo,
    Out,
    Pause,
    RefusedAfterTwo,
    Report,
    ReportNow,
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


async def test_control_is_handled_before_waiting_data(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    for told in (Note(1), NoteNow("first"), Note(2), NoteNow("second")):
        ref.tell(told)
    await ref.resume()
    await quiet(ref)
    assert await state_of(ref) == ("first", "second", 1, 2)


async def test_a_full_data_lane_refuses_and_the_sender_hears_of_it(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=2))
    await ref.suspend()
    ref.tell(Note(1))
    ref.tell(Note(2))
    with pytest.raises(MailboxFull, match=r"the mailbox of room is full \(2 data, 64 control\)"):
        ref.tell(Note(3))
    await ref.resume()
    await quiet(ref)
    assert await state_of(ref) == (1, 2)


async def test_a_full_data_lane_still_takes_control(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=1))
    await ref.suspend()
    ref.tell(Note(1))
    ref.tell(NoteNow("control"))
    await ref.resume()
    await quiet(ref)
    assert await ref.ask(ReportNow(), block=False) in (("control",), ("control", 1))


async def test_the_oldest_of_the_type_gives_way_in_a_full_lane(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=3))
    await ref.suspend()
    for told in (Note("other"), Oldest(1), Oldest(2), Oldest(3)):
        ref.tell(told)
    snapshot = await snapshot_of(system, ref)
    assert snapshot.accounts.dropped == 1
    await ref.resume()
    await quiet(ref)
    assert await state_of(ref) == ("other", 2, 3)


async def test_a_message_of_which_none_can_give_way_is_dropped(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=1))
    await ref.suspend()
    ref.tell(Note("other"))
    ref.tell(Oldest(1))
    snapshot = await snapshot_of(system, ref)
    assert (snapshot.data_depth, snapshot.accounts.dropped) == (1, 1)


async def test_the_newest_gives_way_in_a_full_lane(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=2))
    await ref.suspend()
    for number in (1, 2, 3):
        ref.tell(Newest(number))
    snapshot = await snapshot_of(system, ref)
    assert snapshot.accounts.dropped == 1
    await ref.resume()
    await quiet(ref)
    assert await state_of(ref) == (1, 2)


async def test_a_conflated_message_takes_the_place_of_the_waiting_one(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    for told in (Level(1), Note("between"), Level(2)):
        ref.tell(told)
    snapshot = await snapshot_of(system, ref)
    assert snapshot.accounts.conflated == 1
    await ref.resume()
    await quiet(ref)
    assert await state_of(ref) == (2, "between")


async def test_messages_are_conflated_by_key(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    for told in (LevelOf("a", 1), LevelOf("b", 1), LevelOf("a", 2)):
        ref.tell(told)
    await ref.resume()
    await quiet(ref)
    assert await state_of(ref) == (("a", 2), ("b", 1))


async def test_a_full_lane_still_conflates(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(control=1))
    await ref.suspend()
    ref.tell(Pause("a", 1))
    ref.tell(Pause("a", 2))
    await ref.resume()
    await quiet(ref)
    assert await state_of(ref) == (("a", 2),)


async def test_a_key_beyond_the_bound_is_refused(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(control=1))
    await ref.suspend()
    await on_loop(system, lambda: ref.tell(Pause("a", 1)))
    with pytest.raises(MailboxFull):
        await on_loop(system, lambda: ref.tell(Pause("b", 1)))


@pytest.mark.parametrize(
    "kind, kept",
    [(OldestOfTwo, (2, 3)), (NewestOfTwo, (1, 2))],
    ids=["drop_oldest", "drop_newest"],
)
async def test_a_type_has_its_own_limit(
    system: ActorSystem, kind: type[OldestOfTwo | NewestOfTwo], kept: tuple[object, ...]
) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    for number in (1, 2, 3):
        ref.tell(kind(number))
    await ref.resume()
    await quiet(ref)
    assert await state_of(ref) == kept


async def test_a_type_limit_that_refuses_makes_a_dead_letter(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    await on_loop(system, lambda: ref.tell(RefusedAfterTwo(1)))
    await on_loop(system, lambda: ref.tell(RefusedAfterTwo(2)))
    with pytest.raises(MailboxFull):
        await on_loop(system, lambda: ref.tell(RefusedAfterTwo(3)))
    snapshot = await on_loop(system, lambda: system.inspect("room"))
    assert [letter.reason for letter in snapshot.dead_letters] == ["its lane is full"]
    assert snapshot.accounts.dead_lettered == 1


async def test_a_type_limit_counts_what_waits_and_not_what_was_handled(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    for number in range(6):
        ref.tell(OldestOfTwo(number))
        await state_of(ref)
    assert await state_of(ref) == tuple(range(6))


async def test_a_refused_ask_fails_at_once(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=1))
    await ref.suspend()
    ref.tell(Note(1))
    with pytest.raises(MailboxFull):
        await ref.ask(Report(), block=False)


async def test_an_ask_whose_place_is_taken_fails_at_once(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    asked = ref.ask(Level(1), block=False)
    ref.tell(Level(2))
    with pytest.raises(MailboxFull, match="a newer message took its place"):
        await asked


async def test_data_refused_inside_a_tree_is_a_dead_letter_and_no_failure(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    small = await child(room, "small", with_bounds(data=1))

    def overrun(out: Out) -> None:
        for number in (1, 2, 3):
            out.tell(small, Note(number))

    await ask(room, overrun)
    snapshot = await snapshot_of(system, small)
    assert snapshot.accounts.dead_lettered == 2
    assert (await snapshot_of(system, room)).accounts.failed == 0


async def test_high_water_is_the_most_that_ever_waited(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    for number in range(7):
        ref.tell(Note(number))
    await ref.resume()
    await quiet(ref)
    await state_of(ref)
    assert (await snapshot_of(system, ref)).high_water == 7


def test_a_key_without_conflation_is_an_error() -> None:
    with pytest.raises(TypeError, match="only meaningful with"):
        message(key=lambda told: told)


def test_a_fenced_message_needs_a_scope() -> None:
    with pytest.raises(TypeError, match="fenced but has no field 'scope'"):

        @message(fenced=True)
        class Loose:
            pass


def test_any_object_travels_as_refusable_data() -> None:
    policy = policy_of(int)
    assert (policy.lane.name, policy.overflow, policy.fenced) == ("DATA", Overflow.REFUSE, False)


def test_a_message_is_a_frozen_value() -> None:
    assert Note(1) == Note(1)
    with pytest.raises(AttributeError):
        Note(1).what = 2  # type: ignore[misc]
