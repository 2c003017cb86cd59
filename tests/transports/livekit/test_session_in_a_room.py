"""A session that is given the SDK's own room."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from livekit import rtc

from sessionactors import ActorSystem, Agent, AgentSession, CloseEvent, CloseReason, OptionError

from .loopback import Loopback, LoopbackRoom, Mic, house

__all__ = ["house"]


async def started(house: Loopback, system: ActorSystem) -> tuple[AgentSession[None], LoopbackRoom, list[CloseEvent]]:
    room = rtc.Room()
    assert isinstance(room, LoopbackRoom)
    await room.connect("ws://server", "t")
    session: AgentSession[None] = AgentSession(system=system)
    closed: list[CloseEvent] = []
    session.on("close", closed.append)
    await session.start(Agent(instructions=""), room=room)
    return session, room, closed


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    system = ActorSystem("running")
    system.start()
    yield system
    await system.aclose(0.5)


async def test_the_session_takes_the_users_room_and_leaves_it_as_it_was(house: Loopback, system: ActorSystem) -> None:
    house.come("ann", Mic("TR_1"))
    session, room, _ = await started(house, system)
    assert session.room_io.participants == ("ann",)
    await session.aclose()
    assert room.linked
    assert house.queue.closed
    assert not any(room._events.values())


@pytest.mark.parametrize(
    "reason, ends",
    [
        (rtc.DisconnectReason.CLIENT_INITIATED, True),
        (rtc.DisconnectReason.ROOM_DELETED, True),
        (rtc.DisconnectReason.USER_REJECTED, True),
        (rtc.DisconnectReason.SIGNAL_CLOSE, False),
        (rtc.DisconnectReason.UNKNOWN_REASON, False),
        (rtc.DisconnectReason.PARTICIPANT_REMOVED, False),
    ],
)
async def test_the_session_ends_with_a_caller_who_hung_up_and_waits_for_one_who_was_cut_off(
    house: Loopback, system: ActorSystem, reason: int, ends: bool
) -> None:
    house.come("ann", Mic("TR_1"))
    session, _, closed = await started(house, system)
    house.go("ann", reason)
    if ends:
        await session.wait_closed()
        assert closed[0].reason is CloseReason.PARTICIPANT_DISCONNECTED
    else:
        house.come("ann", Mic("TR_2"))
        assert not closed
        await session.aclose()


async def test_what_is_no_room_is_refused(system: ActorSystem) -> None:
    session: AgentSession[None] = AgentSession(system=system)
    with pytest.raises(OptionError, match="is no room: give a Transport"):
        await session.start(Agent(instructions=""), room=object())  # type: ignore[arg-type]
