"""Obligations: what is open has an owner, a reason and a deadline, and its expiry is told."""

from __future__ import annotations

from typing import Any

import pytest

from sessionactors.runtime import (
    ActorSystem,
    ObligationExpired,
    Ref,
)

from tests.runtime.scripted import (
    Out,
    Scripted,
    ask,
    child,
    eventually,
    on_loop,
    spawn,
    state_of,
)


async def obligations(system: ActorSystem) -> list[str]:
    return [o.key for o in (await on_loop(system, lambda: system.inspect("room"))).obligations]


def oblige(key: str, within: float) -> Any:
    def act(out: Out) -> None:
        out.oblige(key, "the reply", within)

    return act


async def test_an_open_obligation_is_listed_with_owner_and_reason(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "agent")
    await ask(ref, oblige("turn-1", 60.0))
    [listed] = (await on_loop(system, lambda: system.inspect("room"))).obligations
    assert (listed.key, listed.owner, listed.waits_for) == ("turn-1", "room/agent", "the reply")
    assert listed.deadline - listed.since == pytest.approx(60e9, abs=1e9)


async def test_a_discharged_obligation_is_gone_and_never_expires(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    await ask(room, oblige("turn-1", 60.0))
    await ask(room, lambda out: out.discharge("turn-1"))
    assert await obligations(system) == []
    assert system.ticker.pending() == 0


async def test_expiry_is_told_to_the_root_and_the_obligation_stays_open(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "agent")
    await ask(ref, oblige("turn-1", 0.005))
    await eventually(lambda: len(room.cell.state) == 1)  # type: ignore[arg-type]
    [expired] = await state_of(room)
    assert isinstance(expired, ObligationExpired)
    assert (expired.key, expired.owner, expired.waits_for) == ("turn-1", "room/agent", "the reply")
    assert expired.age >= 0.005
    assert await obligations(system) == ["turn-1"]


async def test_an_obligation_is_replaced_by_one_of_its_key(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    await ask(room, oblige("turn-1", 0.005))
    await ask(room, oblige("turn-1", 60.0))
    assert await obligations(system) == ["turn-1"]
    assert system.ticker.pending() == 1


async def test_obligations_of_an_ended_actor_are_closed(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref: Ref[Any] = await child(room, "agent")
    await ask(ref, oblige("turn-1", 60.0))
    await ask(room, oblige("close", 60.0))
    await ref.stop(block=False)
    assert await obligations(system) == ["close"]


async def test_nothing_of_an_ended_tree_expires(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    await ask(room, oblige("turn-1", 60.0))
    await room.stop(block=False)
    assert system.ticker.pending() == 0
