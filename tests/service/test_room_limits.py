"""Rooms that live too long, fall silent, or use too much: closed or told of, as their limits say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sessionactors import CloseReason, ErrorEvent, Limit, OptionError, RoomLimits, RoomOverLimit, RoomSupervisor
from sessionactors.service import room_watch
from sessionactors.service.room_limits import RoomUse, exceeded
from sessionactors.service.room_use import RoomAccount

from tests.service.rooms import Specs


@asynccontextmanager
async def watched(monkeypatch: pytest.MonkeyPatch, **limits: Limit | float) -> AsyncIterator[RoomSupervisor]:
    monkeypatch.setattr(room_watch, "EVERY", 0.005)
    async with RoomSupervisor(Specs(), limits=RoomLimits(**limits)) as rooms:
        yield rooms


def told(rooms: RoomSupervisor, room: str) -> list[ErrorEvent]:
    errors: list[ErrorEvent] = []
    rooms.get(room).session.on("error", errors.append)
    return errors


async def test_a_room_that_has_lived_long_enough_is_closed_and_its_session_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with watched(monkeypatch, lifetime=0.02) as rooms:
        handle = await rooms.spawn("a")
        errors = told(rooms, "a")
        async with asyncio.timeout(5.0):
            assert (await handle.wait_closed()).reason is CloseReason.JOB_SHUTDOWN
        (event,) = errors
        assert isinstance(event.error, RoomOverLimit)
        assert (event.error.room, event.error.limit, event.error.most) == ("a", "lifetime", 0.02)
        assert (event.source, event.recoverable) == ("limits", False)
        await rooms.spawn("a")  # its place is free


async def test_tokens_are_counted_and_a_warning_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched(monkeypatch, tokens=Limit(1, "warn"), handling=Limit(1e-9, "warn")) as rooms:
        handle = await rooms.spawn("a")
        errors = told(rooms, "a")
        await handle.session.generate_reply(user_input="Hi").wait_for_playout()
        async with asyncio.timeout(5.0):
            while len(errors) < 2:  # noqa: ASYNC110  the watch looks by itself
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.03)
        assert sorted(event.error.limit for event in errors if isinstance(event.error, RoomOverLimit)) == [
            "handling",
            "tokens",
        ]
        assert all(event.recoverable for event in errors)
        assert not handle.closed.done()


async def test_a_room_that_cannot_be_read_leaves_the_others_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched(monkeypatch, lifetime=0.02) as rooms:
        looks = iter([ValueError("torn")])
        use = RoomAccount.use

        def torn(account: RoomAccount) -> RoomUse:
            if (error := next(looks, None)) is not None:
                raise error
            return use(account)

        monkeypatch.setattr(RoomAccount, "use", torn)
        handle = await rooms.spawn("a")
        async with asyncio.timeout(5.0):
            await handle.wait_closed()


@pytest.mark.parametrize(
    "limits, use, over",
    [
        (RoomLimits(), RoomUse(1e9, 1e9, 1e9, 1e9), []),
        (RoomLimits(lifetime=10.0), RoomUse(10.0, 0, 0, 0), []),
        (RoomLimits(lifetime=10.0), RoomUse(10.1, 0, 0, 0), ["lifetime"]),
        (RoomLimits(tokens=5, idle=2.0), RoomUse(0, 3, 6, 0), ["idle", "tokens"]),
        (RoomLimits(tokens=Limit(5, "warn"), handling=1.0), RoomUse(0, 0, 6, 2), ["handling", "tokens"]),
    ],
)
def test_which_limits_are_exceeded_those_that_close_first(limits: RoomLimits, use: RoomUse, over: list[str]) -> None:
    assert [name for name, _, _ in exceeded(limits, use)] == over
    assert limits.are_set is (limits != RoomLimits())


def test_limits_that_cannot_be_are_refused() -> None:
    with pytest.raises(OptionError, match="a limit of a room must be > 0, got 0"):
        RoomLimits(idle=0)
    with pytest.raises(OptionError, match="a limit warns, closes or kills, got 'maim'"):
        Limit(1.0, "maim")  # type: ignore[arg-type]
