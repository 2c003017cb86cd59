"""Stash: messages kept for later."""

from __future__ import annotations

import asyncio

import pytest

from sessionactors.runtime import ActorSystem, AskTimeout, ChildSpec, MailboxFull

from tests.runtime.scripted import (
    Do,
    DoNow,
    Note,
    NoteNow,
    Out,
    Scripted,
    State,
    ask,
    child,
    eventually,
    quiet,
    snapshot_of,
    spawn,
    state_of,
    with_bounds,
)


class Later(Scripted):
    """Stashes notes until it was told to open."""

    def receive(self, state: State, message: object, out: Out) -> State:
        if "open" not in state and not isinstance(message, Do | DoNow) and message != NoteNow("open"):
            out.stash()
            return state
        if message == NoteNow("open"):
            out.unstash_all()
        return super().receive(state, message, out)


async def test_stashed_messages_come_back_first_and_in_order(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Later)
    for number in (1, 2, 3):
        ref.tell(Note(number))
    await quiet(ref)
    assert (await snapshot_of(system, ref)).stashed == 3
    await ref.suspend()
    ref.tell(Note("waiting"))
    ref.tell(NoteNow("open"))
    await ref.resume()
    assert await state_of(ref) == ("open", 1, 2, 3, "waiting")


async def test_a_stashed_message_is_not_yet_handled(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Later)
    ref.tell(Note(1))
    await quiet(ref)
    accounts = (await snapshot_of(system, ref)).accounts
    assert (accounts.received, accounts.handled) == (1, 0)


async def test_a_stashed_ask_is_answered_when_it_is_handled(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Later)
    asked = asyncio.ensure_future(state_of(ref))
    await eventually(lambda: ref.cell.mailbox.stashed_count() == 1)
    assert not asked.done()
    ref.tell(NoteNow("open"))
    assert await asked == ("open",)


async def test_a_stashed_timer_comes_back(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Later)
    await ask(ref, lambda out: out.timer("t", 0.002, Note("due")))
    await eventually(lambda: ref.cell.mailbox.stashed_count() == 1)
    ref.tell(NoteNow("open"))
    assert await state_of(ref) == ("open", "due")


async def test_a_stashed_timer_can_still_be_cancelled(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Later)
    await ask(ref, lambda out: out.timer("t", 0.002, Note("due")))
    await eventually(lambda: ref.cell.mailbox.stashed_count() == 1)
    await ask(ref, lambda out: out.cancel_timer("t"))
    ref.tell(NoteNow("open"))
    assert await state_of(ref) == ("open",)


async def test_more_than_the_lane_holds_is_a_failure_that_names_the_bound(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", with_bounds(data=2, base=Later), ChildSpec(keep_state=True))
    for number in (1, 2):
        ref.tell(Note(number))
    await quiet(ref)
    with pytest.raises(MailboxFull, match="room/child stashed more than 2 messages"):
        await ref.ask(Note(3), block=False)
    assert (await snapshot_of(system, ref)).accounts.dead_lettered == 1


async def test_a_restart_brings_stashed_messages_back(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)

    class Once(Later):
        def restarted(self, state: State, error: BaseException, out: Out) -> State:
            return ("open",)

    ref = await child(room, "child", Once)
    ref.tell(Note(1))
    ref.tell(Note(2))
    await quiet(ref)
    ref.tell(Do(lambda out: 1 / 0))
    await eventually(lambda: ref.cell.restarts == 1)
    assert await state_of(ref) == ("open", 1, 2)


async def test_stashed_messages_of_an_ended_actor_are_accounted_for(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child", Later)
    ref.tell(Note(1))
    await quiet(ref)
    assert await ref.stop(block=False)
    assert ref.cell.mailbox.accounts.waiting_at_close == 1


async def test_unstashing_nothing_does_nothing(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ask(ref, lambda out: out.unstash_all())
    assert await state_of(ref) == ()


async def test_control_can_be_stashed_too(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Later)
    ref.tell(NoteNow("early"))
    await quiet(ref)
    ref.tell(NoteNow("open"))
    assert await state_of(ref) == ("open", "early")


async def test_an_expired_ask_is_not_handled_after_the_stash(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Later)
    with pytest.raises(AskTimeout, match="it is stashed"):
        await ref.ask(Note("late"), block=False, timeout=0.01)
    ref.tell(NoteNow("open"))
    assert await state_of(ref) == ("open",)
    assert (await snapshot_of(system, ref)).accounts.expired == 1
