"""Rooms whose agent went with its worker: which they are; of several workers one dispatches; when none does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from sessionactors import AgentServer, JobContext, OptionError
from sessionactors.model.errors import APIConnectionError
from sessionactors.service.worker.forsaken_rooms import (
    YOUNG,
    Dispatch,
    DispatchCalls,
    ForsakenRooms,
    RoomSeen,
    lacking,
)
from sessionactors.service.worker.options import WorkerType

OLD, OLDER, NEW = Dispatch("old", 100.0), Dispatch("older", 200.0), Dispatch("new", 1.0)
NOBODY: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    "room, ours, expected",
    [
        (RoomSeen("r", 1, NOBODY, (OLD,)), {}, ["old"]),
        (RoomSeen("r", 1, frozenset({"agent-1"}), (OLD,)), {}, []),
        (RoomSeen("r", 0, NOBODY, (OLD,)), {}, []),  # nobody waits there
        (RoomSeen("r", 1, NOBODY, (OLD,)), {"old": "agent-1"}, []),  # it is ours, and joins
        (RoomSeen("r", 1, NOBODY, (OLD, OLDER)), {}, ["older", "old"]),
        (RoomSeen("r", 1, frozenset({"agent-1"}), (OLD, OLDER)), {}, ["older"]),
        (RoomSeen("r", 1, frozenset({"agent-1"}), (OLD, OLDER)), {"older": "agent-1"}, ["old"]),
        (RoomSeen("r", 1, frozenset({"agent-1", "agent-2"}), (OLD,)), {}, []),  # one was there before
        (RoomSeen("r", 1, NOBODY, ()), {}, []),
        (RoomSeen("r", 1, NOBODY, (NEW,)), {}, ["new"]),
    ],
)
def test_a_dispatch_lacks_its_agent(room: RoomSeen, ours: dict[str, str], expected: list[str]) -> None:
    assert [each.id for each in lacking(room, ours)] == expected


@dataclass
class Calls(DispatchCalls):
    """A server whose rooms a test says."""

    there: dict[str, RoomSeen] = field(default_factory=dict)
    made: int = 0
    down: bool = False
    deleted: list[str] = field(default_factory=list)
    hangs: bool = False

    async def rooms(self) -> Sequence[RoomSeen]:
        if self.down:
            raise APIConnectionError("down")
        return list(self.there.values())

    async def delete(self, dispatch: str, room: str) -> bool:
        if self.hangs:
            await asyncio.Event().wait()
        if self.down:
            raise APIConnectionError("down")
        await asyncio.sleep(0)
        seen = self.there.get(room)
        if seen is None or dispatch not in {each.id for each in seen.dispatches}:
            return False
        self.deleted.append(dispatch)
        left = tuple(each for each in seen.dispatches if each.id != dispatch)
        self.there[room] = replace(seen, dispatches=left)
        return True

    async def dispatch_again(self, dispatch: str, room: str) -> bool:
        if not await self.delete(dispatch, room):
            return False
        self.made += 1
        seen = self.there[room]
        self.there[room] = replace(seen, dispatches=(*seen.dispatches, Dispatch(f"again-{self.made}", 0.0)))
        return True


def looking(calls: Calls, ours: dict[str, str] | None = None) -> ForsakenRooms:
    return ForsakenRooms(calls, 0.001, lambda: ours or {})


async def test_a_room_is_dispatched_again_at_the_second_look_and_once() -> None:
    calls = Calls({"r": RoomSeen("r", 1, NOBODY, (OLD,))})
    rooms = looking(calls)
    await rooms.look()
    assert calls.made == 0
    for _ in range(3):
        await rooms.look()
    assert (calls.made, rooms.dispatched, calls.deleted) == (1, 1, ["old"])


async def test_an_agent_that_comes_between_two_looks_is_no_loss() -> None:
    calls = Calls({"r": RoomSeen("r", 1, NOBODY, (OLD,))})
    rooms = looking(calls)
    await rooms.look()
    calls.there["r"] = RoomSeen("r", 1, frozenset({"agent-1"}), (OLD,))
    await rooms.look()
    calls.there["r"] = RoomSeen("r", 1, NOBODY, (OLD,))
    await rooms.look()  # the first of two again
    assert calls.made == 0


async def test_a_dispatch_has_time_for_its_agent_to_come() -> None:
    calls = Calls({"r": RoomSeen("r", 1, NOBODY, (Dispatch("d", YOUNG - 1),))})
    rooms = looking(calls)
    await rooms.look()
    await rooms.look()
    assert calls.made == 0
    calls.there["r"] = RoomSeen("r", 1, NOBODY, (Dispatch("d", YOUNG),))
    await rooms.look()
    assert calls.made == 1


async def test_of_several_workers_that_look_one_dispatches() -> None:
    calls = Calls({"r": RoomSeen("r", 1, NOBODY, (OLD,))})
    workers = [looking(calls) for _ in range(5)]
    for _ in range(3):
        await asyncio.gather(*(rooms.look() for rooms in workers))
    assert calls.made == 1
    assert sorted(rooms.dispatched for rooms in workers) == [0, 0, 0, 0, 1]


async def test_what_ended_on_purpose_is_not_dispatched_again() -> None:
    calls = Calls({"r": RoomSeen("r", 1, NOBODY, (OLD,))})
    rooms = looking(calls)
    rooms.settle("old", "r")
    rooms.settle("", "r")
    await rooms.aclose()
    await rooms.look()
    await rooms.look()
    assert (calls.made, calls.deleted) == (0, ["old"])


async def test_it_looks_at_once_and_goes_on_while_the_server_is_down() -> None:
    calls = Calls({"r": RoomSeen("r", 1, NOBODY, (OLD,))}, down=True)
    rooms = looking(calls)
    rooms.start()
    rooms.settle("old", "r")  # a server that is down knows nothing of it either
    await asyncio.sleep(0.005)
    calls.down = False
    async with asyncio.timeout(2):
        while not calls.made:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await rooms.aclose()


async def test_a_server_that_does_not_answer_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessionactors.service.worker.forsaken_rooms.SETTLED_WITHIN", 0.01)
    rooms = looking(Calls(hangs=True))
    rooms.settle("old", "r")
    async with asyncio.timeout(1):
        await rooms.aclose()


async def test_options_that_cannot_be() -> None:
    with pytest.raises(OptionError, match="rescue_every"):
        AgentServer(rescue_every=0)

    async def program(_: JobContext) -> None: ...

    worker = AgentServer(ws_url="ws://nowhere.test", api_key="k", api_secret="s" * 32, rescue_every=1.0)
    worker.rtc_session(program, type=WorkerType.PUBLISHER)
    with pytest.raises(OptionError, match="ROOM"):
        await worker.run(devmode=True)
