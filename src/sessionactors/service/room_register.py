"""The rooms of a supervisor as they can be read, from any thread, without waiting for anybody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sessionactors.model.errors import SessionStateError
from sessionactors.runtime import ActorSystem, TreeSnapshot

from .admission import Admission, SupervisorStats
from .errors import RefusalReason
from .hosted_room import HostedRoom
from .http.doors import HttpDoors
from .room_handle import RoomHandle

if TYPE_CHECKING:
    from fastapi import APIRouter


class RoomRegister:
    """The part of :class:`.RoomSupervisor` that is only read.

    Args:
        admission: the slots.
        system: where the actors of the rooms live.
    """

    _doors: HttpDoors

    def __init__(self, admission: Admission, system: ActorSystem) -> None:
        self._admission = admission
        self._system = system
        self._rooms: dict[str, HostedRoom] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def get(self, room: str) -> RoomHandle:
        """An open room. From any thread.

        Raises:
            KeyError: there is none of that name; the text lists those there are.
        """
        handle = self.hosted_room(room).handle
        if handle is None:
            raise KeyError(f"room {room!r} is still starting")
        return handle

    def list(self) -> tuple[RoomHandle, ...]:
        """The rooms that are open, restarting or closing, oldest first. From any thread."""
        return tuple(hosted.handle for hosted in self._rooms.copy().values() if hosted.handle is not None)

    def inspect(self, room: str) -> TreeSnapshot:
        """Every actor of a room: status, message in hand, both lanes. From any thread, also when a loop is blocked.

        Raises:
            KeyError: there is no room of that name, or its session has no actors yet.
        """
        self.hosted_room(room)
        return self._system.inspect(room)

    def hosted(self) -> tuple[HostedRoom, ...]:
        """All rooms that are not over, those that start included. From any thread."""
        return tuple(self._rooms.copy().values())

    def hosted_room(self, room: str) -> HostedRoom:
        """One of them.

        Raises:
            KeyError: there is none of that name; the text lists those there are.
        """
        rooms = self._rooms.copy()
        if room not in rooms:
            raise KeyError(f"no room named {room!r}; there are: {', '.join(rooms) or 'none'}")
        return rooms[room]

    @property
    def turned_away(self) -> RefusalReason | None:
        """Why nobody is taken in: ``draining`` or ``closed``; None: whoever finds a slot is. From any thread."""
        return self._admission.turned_away

    def refuse_new_rooms(self) -> None:
        """From now on ``spawn`` refuses, as ``draining``. At once, from any thread and from signal handlers.

        Rooms that are open go on, and are not restarted any more; :meth:`.RoomSupervisor.drain` ends them.
        """
        self._admission.turned_away = self._admission.turned_away or "draining"

    @property
    def stats(self) -> SupervisorStats:
        """Slots and counts. From any thread."""
        return self._admission.stats()

    @property
    def system(self) -> ActorSystem:
        """Where the actors of all rooms live."""
        return self._system

    @property
    def started(self) -> bool:
        """Whether it was started, on whichever loop; it may be closed since."""
        return self._loop is not None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop on which it was started.

        Raises:
            SessionStateError: it was not.
        """
        if self._loop is None:
            raise SessionStateError("this RoomSupervisor is not running: `await rooms.start()` first")
        return self._loop

    # -- over HTTP ---------------------------------------------------------------------------------------------------

    @property
    def router(self) -> APIRouter:
        """For ``app.include_router(rooms.router, prefix="/sessions")``: the HTTP and WebSocket API, see docs/http.md.

        Raises:
            OptionError: the extra ``service`` is not installed.
        """
        return self._doors.router

    @property
    def inspection(self) -> str | None:
        """Where the inspection endpoint listens; None: it does not."""
        return self._doors.inspection
