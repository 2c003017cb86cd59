"""Telling from other threads: bounded also while the loop is blocked."""

from __future__ import annotations

import threading

import pytest

from sessionactors.runtime import ActorSystem, MailboxFull
from sessionactors.runtime.ref import ROOM_ON_THE_WAY

from tests.runtime.scripted import (
    Do,
    Level,
    Note,
    Oldest,
    Report,
    Scripted,
    quiet,
    snapshot_of,
    spawn,
    state_of,
    with_bounds,
)

pytestmark = [
    pytest.mark.modes("own", "own+uvloop"),
    pytest.mark.may_block("the loop is blocked on purpose", in_functions=["block"]),
]


class Blocked:
    """Blocks the actor loop until it is left."""

    def __init__(self, ref: object) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()

        def block(out: object) -> None:
            self.entered.set()
            self.leave.wait(5)

        ref.tell(Do(block))  # type: ignore[attr-defined]


async def test_a_blocked_loop_refuses_what_the_lane_could_not_hold(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=3))
    blocked = Blocked(ref)
    assert blocked.entered.wait(5)
    for number in range(3):
        ref.tell(Note(number))
    with pytest.raises(MailboxFull):
        ref.tell(Note(3))
    with pytest.raises(MailboxFull):
        await ref.ask(Report(), block=False)
    blocked.leave.set()
    assert (await snapshot_of(system, ref)).refused_at_edge == 2


async def test_a_blocked_loop_bounds_what_may_be_dropped_and_drops_it(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=3))
    blocked = Blocked(ref)
    assert blocked.entered.wait(5)
    for number in range(ROOM_ON_THE_WAY + 100):
        ref.tell(Oldest(number))
    blocked.leave.set()
    assert (await snapshot_of(system, ref)).refused_at_edge == 100
    await quiet(ref)
    assert await state_of(ref) == tuple(range(ROOM_ON_THE_WAY - 3, ROOM_ON_THE_WAY))


async def test_a_blocked_loop_refuses_more_conflated_messages_than_the_lane_holds(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=2))
    blocked = Blocked(ref)
    assert blocked.entered.wait(5)
    for number in range(ROOM_ON_THE_WAY):
        ref.tell(Level(number))
    with pytest.raises(MailboxFull):
        ref.tell(Level(-1))
    blocked.leave.set()
    await snapshot_of(system, ref)
    await quiet(ref)
    assert await state_of(ref) == (ROOM_ON_THE_WAY - 1,)


async def test_a_full_lane_drops_the_oldest_also_for_senders_on_other_threads(system: ActorSystem) -> None:
    ref = await spawn(system, "room", with_bounds(data=2))
    await ref.suspend()
    for number in range(4):
        ref.tell(Oldest(number))
        await snapshot_of(system, ref)
    await ref.resume()
    await quiet(ref)
    assert await state_of(ref) == (2, 3)


async def test_messages_of_one_thread_arrive_in_order(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)

    def tell(name: str) -> None:
        for number in range(100):
            ref.tell(Note((name, number)))

    threads = [threading.Thread(target=tell, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    notes = await state_of(ref)
    for name in "abc":
        assert [note for note in notes if note[0] == name] == [(name, number) for number in range(100)]  # type: ignore[index]
