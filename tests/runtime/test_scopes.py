"""Scopes: what is fenced is discarded once its scope is closed, what accounts is handled, siblings are untouched."""

from __future__ import annotations

import pytest

from sessionactors.runtime import ActorSystem, MailboxFull, Scope

from tests.runtime.scripted import (
    Accounting,
    Fenced,
    FencedNow,
    Out,
    Scripted,
    ask,
    child,
    on_loop,
    snapshot_of,
    spawn,
    state_of,
)


async def scope(ref: object, name: str, parent: Scope | None = None) -> Scope:
    opened = await ask(ref, lambda out: out.reply(out.open_scope(name, parent)))  # type: ignore[arg-type]
    assert isinstance(opened, Scope)
    return opened


async def close(ref: object, closed: Scope) -> None:
    await ask(ref, lambda out: out.close_scope(closed))  # type: ignore[arg-type]


async def test_fenced_messages_of_a_closed_scope_are_discarded_wherever_they_wait(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    one, two = await child(room, "one"), await child(room, "two")
    speech = await scope(room, "speech-1")
    for ref in (one, two):
        await ref.suspend()
        ref.tell(Fenced(speech, "text"))
        ref.tell(FencedNow(speech, "grant"))
    await close(room, speech)
    for ref in (one, two):
        await ref.resume()
        assert await state_of(ref) == ()
        assert (await snapshot_of(system, ref)).accounts.fenced == 2


async def test_accounting_messages_of_a_closed_scope_are_handled(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    speech = await scope(room, "speech-1")
    await close(room, speech)
    room.tell(Accounting(speech, "result"))
    room.tell(Fenced(speech, "audio"))
    assert await state_of(room) == ("result",)


async def test_closing_a_scope_says_nothing_about_its_siblings(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    six, seven, eight = [await scope(room, f"speech-{number}") for number in (6, 7, 8)]
    await close(room, seven)
    for speech in (six, seven, eight):
        room.tell(Fenced(speech, speech.path))
    assert await state_of(room) == ("speech-6", "speech-8")


async def test_closing_a_scope_closes_those_inside_it(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    speech = await scope(room, "speech-1")
    step = await scope(room, "step-1", speech)
    segment = await scope(room, "segment-1", step)
    assert segment.path == "speech-1/step-1/segment-1"
    await close(room, step)
    for told in (speech, step, segment):
        room.tell(Fenced(told, told.path))
    assert await state_of(room) == ("speech-1",)


async def test_open_scopes_are_listed_until_they_are_closed(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    speech = await scope(room, "speech-1")
    await scope(room, "step-1", speech)
    await scope(room, "speech-2")
    assert (await on_loop(system, lambda: system.inspect("room"))).open_scopes == (
        "speech-1",
        "speech-1/step-1",
        "speech-2",
    )
    await close(room, speech)
    assert (await on_loop(system, lambda: system.inspect("room"))).open_scopes == ("speech-2",)


async def test_a_scope_closes_with_the_commit_and_not_before(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    speech = await scope(room, "speech-1")

    def close_and_look(out: Out) -> None:
        out.close_scope(speech)
        out.reply(speech.closed)

    assert await ask(room, close_and_look) is False
    assert speech.closed


async def test_an_ask_of_a_closed_scope_is_refused(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    speech = await scope(room, "speech-1")
    await close(room, speech)
    with pytest.raises(MailboxFull, match="its scope is closed"):
        await room.ask(Fenced(speech, "late"), block=False)


async def test_a_fenced_message_of_no_scope_is_handled(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    room.tell(Fenced(None, "free"))  # type: ignore[arg-type]
    assert await state_of(room) == ("free",)


def test_a_scope_says_what_it_is() -> None:
    outer = Scope("speech-1")
    inner = Scope("speech-1/step-1", outer)
    assert (inner.is_within(outer), inner.is_within(inner), outer.is_within(inner)) == (True, True, False)
    assert repr(inner) == "<Scope speech-1/step-1>"
    outer.close()
    assert repr(inner) == "<Scope speech-1/step-1 closed>"
