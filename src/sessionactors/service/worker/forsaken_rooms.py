"""Rooms whose agent went with its worker: found by looking, and dispatched again.

LiveKit's open server (1.9) forgets the jobs of a worker that is gone, but keeps their dispatches. So a dispatch that
has people and no agent in its room is forsaken. It is deleted and made anew; the server lets only one delete it, so
that of several workers that look only one dispatches. Whoever ended a job on purpose deletes its dispatch
(:meth:`ForsakenRooms.settle`): that room is not forsaken.

It must lack its agent in two looks in a row: one that just leaves or comes is no sign. Which dispatches lack one is a
pure function, :func:`lacking`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from sessionactors.model.errors import APIConnectionError

YOUNG: Final = 20.0
"""Seconds that a dispatch has for its agent to come: the server offers a job for 10 s, and joining takes a while."""
SETTLED_WITHIN: Final = 2.0
"""Seconds that the end of the worker waits for a server that does not answer."""

log = structlog.get_logger("sessionactors.service.worker")


@dataclass(frozen=True, slots=True)
class Dispatch:
    """An agent that was asked for."""

    id: str
    age: float
    """Seconds since it was made."""


@dataclass(frozen=True, slots=True)
class RoomSeen:
    """A room, as far as one agent name goes."""

    name: str
    people: int
    """Participants that are no agents."""
    agents: frozenset[str]
    """Identities of the agents of this name."""
    dispatches: tuple[Dispatch, ...]
    """Of this name."""


def lacking(room: RoomSeen, ours: Mapping[str, str]) -> tuple[Dispatch, ...]:
    """The dispatches of a room with people in it that have no agent. Nobody knows whose agent is whose: the oldest.

    Args:
        room: as it was seen.
        ours: jobs of this worker: their dispatches, and who their agents are, come or not.
    """
    if not room.people:
        return ()
    others = sorted((each for each in room.dispatches if each.id not in ours), key=lambda each: -each.age)
    agents = len(room.agents - frozenset(ours.values()))
    return tuple(others[: max(0, len(others) - agents)])


class DispatchCalls(Protocol):
    """What is asked of a server. Each raises APIConnectionError if it cannot be asked."""

    async def rooms(self) -> Sequence[RoomSeen]:
        """All rooms with people and a dispatch of the name."""

    async def delete(self, dispatch: str, room: str) -> bool:
        """Delete a dispatch; False: it was not there."""

    async def dispatch_again(self, dispatch: str, room: str) -> bool:
        """Delete a dispatch and make the same anew; False: it was not there."""


class ForsakenRooms:
    """Looks for them now and then, from the worker's start to its end. Lives on the worker's loop.

    Args:
        calls: to the server.
        every: seconds between two looks, > 0.
        ours: dispatches of the jobs that run here, and who their agents are.
    """

    def __init__(self, calls: DispatchCalls, every: float, ours: Callable[[], Mapping[str, str]]) -> None:
        self._calls = calls
        self._every = every
        self._ours = ours
        self._suspected: frozenset[str] = frozenset()
        self._settling: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self.dispatched = 0
        """Dispatches that were made anew here."""

    def start(self) -> None:
        """Begin to look, at once."""
        self._looking = asyncio.get_running_loop().create_task(self._look_on(), name="forsaken rooms")

    async def aclose(self) -> None:
        """Look no more; what is being settled is."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))
        if self._settling:
            _, hanging = await asyncio.wait(self._settling, timeout=SETTLED_WITHIN)
            for task in hanging:
                task.cancel()

    def settle(self, dispatch: str, room: str) -> None:
        """A job has ended, or was rejected, on purpose: nobody is to take its place."""
        if not dispatch:  # it was simulated
            return
        task = asyncio.get_running_loop().create_task(self._settle(dispatch, room), name=f"settle {dispatch}")
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def look(self) -> None:
        """Once.

        Raises:
            APIConnectionError: the server could not be asked.
        """
        ours, suspected = self._ours(), set[str]()
        for room in await self._calls.rooms():
            for dispatch in lacking(room, ours):
                if dispatch.age < YOUNG or dispatch.id not in self._suspected:
                    suspected.add(dispatch.id)
                elif await self._calls.dispatch_again(dispatch.id, room.name):
                    self.dispatched += 1
                    log.warning("room_dispatched_again", room=room.name, dispatch=dispatch.id, why="its agent is gone")
        self._suspected = frozenset(suspected)

    async def _look_on(self) -> None:
        while True:
            try:
                await self.look()
            except APIConnectionError as error:
                log.warning("forsaken_rooms_unknown", error=str(error), again_in=self._every)
            await asyncio.sleep(self._every)

    async def _settle(self, dispatch: str, room: str) -> None:
        with suppress(APIConnectionError):  # a server that cannot be asked knows nothing of the room either
            await self._calls.delete(dispatch, room)
