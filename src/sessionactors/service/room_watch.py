"""Looks after the limits of rooms: on the supervisor's loop, once a second, reading what can be read of a session."""

from __future__ import annotations

import asyncio
import time

import structlog

from sessionactors.model.events import ErrorEvent

from .errors import RoomOverLimit
from .hosted_room import HostedRoom
from .room_end import RoomEndCause
from .room_events import RoomLimitReached
from .room_limits import exceeded

EVERY = 1.0
"""Seconds between two looks."""
MEASURED_EVERY = 5.0
"""Seconds between two measurements of a room's memory."""
MEASURING = 0.02
"""Seconds of each look after which no further room is measured: those that are left out come first the next time."""

log = structlog.get_logger("sessionactors.service")


class RoomWatch:
    """Closes, or tells of, rooms that are over a limit. Runs while there are rooms that have any."""

    def __init__(self) -> None:
        self._rooms: dict[HostedRoom, set[str]] = {}
        """And the limits that each has been found over."""
        self._task: asyncio.Task[None] | None = None

    def watch(self, hosted: HostedRoom) -> None:
        """Look after a room that listens (again), if it has any limit, until it is over."""
        if hosted.limits.are_set:
            self._rooms.setdefault(hosted, set())
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._look_on(), name="room limits")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _look_on(self) -> None:
        while self._rooms:
            await asyncio.sleep(EVERY)
            self.look()

    def look(self) -> None:
        """Look at every room once."""
        self._rooms = {hosted: told for hosted, told in self._rooms.items() if not hosted.ended.done()}
        self._measure()
        for hosted, told in self._rooms.items():
            if not hosted.is_open:
                continue
            try:
                self._look_at(hosted, told)
            except Exception as error:  # one room that cannot be read must not leave the others unwatched
                log.exception("room_limits_failed", room=hosted.name, actor="", message_id=0, error=repr(error))

    def _measure(self) -> None:
        began, now = time.perf_counter(), asyncio.get_running_loop().time()
        wanted = [
            hosted
            for hosted in self._rooms
            if hosted.limits.memory is not None
            and hosted.is_open
            and now - hosted.account.measured_at >= MEASURED_EVERY
        ]
        for hosted in sorted(wanted, key=lambda one: one.account.measured_at):
            if time.perf_counter() - began > MEASURING:
                return
            try:
                hosted.account.measure()
            except Exception as error:
                log.exception("room_not_measured", room=hosted.name, actor="", message_id=0, error=repr(error))

    def _look_at(self, hosted: HostedRoom, told: set[str]) -> None:
        for name, used, limit in exceeded(hosted.limits, hosted.account.use()):
            if name in told:
                continue
            told.add(name)
            policy = limit.when_over
            over = RoomOverLimit(hosted.name, name, used=used, most=limit.most)
            log.warning("room_over_limit", room=hosted.name, actor="", message_id=0, limit=name, policy=policy)
            error = ErrorEvent(over, "limits", recoverable=policy == "warn", created_at=hosted.wall())
            hosted.session.emit("error", error)
            hosted.tell(RoomLimitReached(hosted.name, over, policy, hosted.wall()))
            if policy != "warn":
                hosted.over_limit(over, RoomEndCause(name), at_once=policy == "kill")
                return
