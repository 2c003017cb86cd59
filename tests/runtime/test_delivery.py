"""Telling: order, causes, and what a handler may and may not do."""

from __future__ import annotations

from sessionactors.runtime import ActorSystem

from tests.runtime.scripted import Do, Note, Scripted, spawn, state_of


async def test_messages_are_handled_in_the_order_told(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    for number in range(50):
        ref.tell(Note(number))
    assert await state_of(ref) == tuple(range(50))


async def test_messages_of_a_handler_are_sent_when_it_returns(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    other = await spawn(system, "other", Scripted)
    room.tell(Do(lambda out: out.tell(other, Note(1))))
    await state_of(room)
    assert await state_of(other) == (1,)
