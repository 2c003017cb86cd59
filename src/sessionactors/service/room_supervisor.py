"""``RoomSupervisor``: many rooms in one process, each a session of its own, taken in and ended exactly.

It lives on the loop on which it was started: that is the user's loop of all its rooms, and all its counting is done
there, between two awaits. What is only read may be read from any thread. It knows of sessions what users know of them.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypeVar

import structlog

from sessionactors.interfaces.transport import Transport
from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.model.events import CloseReason
from sessionactors.runtime import ActorSystem, CloseReport, InternalError, TreeSnapshot, awaited
from sessionactors.session.callbacks import Callbacks
from sessionactors.session.room_options_legacy import RoomInputOptions, RoomOutputOptions

from .admission import Admission, SupervisorStats
from .errors import RefusalReason
from .hosted_room import HostedRoom, SpawnRequest
from .http.doors import HttpDoors
from .http.options import HttpOptions
from .room_handle import RoomHandle
from .room_limits import RoomLimits
from .room_watch import RoomWatch
from .session_spec import SessionFactory

if TYPE_CHECKING:
    from fastapi import APIRouter

RoomClosedCallback = TypeVar("RoomClosedCallback", bound=Callable[[RoomHandle], object])

log = structlog.get_logger("sessionactors.service")

DEFAULT_MAX_SESSIONS = 200
"""Rooms at once: as many as one actor loop was measured to carry (docs/architecture.md)."""
DEFAULT_CLOSE_DEADLINE = 5.0
"""Seconds, as :meth:`AgentSession.aclose`."""
DEFAULT_DRAIN_DEADLINE = 20.0
"""Seconds. With the close deadline below the 30 s that Kubernetes waits before it kills."""
CALLBACK_PATIENCE = 1.0
"""Seconds that :meth:`RoomSupervisor.aclose` gives ``on_room_closed`` callbacks that still run."""


class RoomSupervisor:
    """Hosts rooms. Start it, spawn rooms, close it; or ``async with RoomSupervisor(...) as rooms``.

    ``spawn``, ``close``, ``drain`` and ``aclose`` are for the loop on which it was started. From another thread:
    ``asyncio.run_coroutine_threadsafe(rooms.spawn("room-42"), rooms.loop).result()``. ``get``, ``list``, ``inspect``
    and ``stats`` may be used from any thread.

    Args:
        session_for: makes the :class:`SessionSpec` for a room; plain or ``async``, called once per spawn.
        max_sessions: rooms at once, >= 1, those that start or close included.
        system: an actor system to use, which stays yours to close; ``"running"``: the actors share the loop of
            :meth:`start`; None: a system with its own loop thread.
        limits: how long and how much each room may.
        http: who may use :attr:`router`; nobody if it is not given.
        close_deadline: seconds >= 0 in which a room is closed, if the call says nothing else.
        drain_deadline: seconds >= 0 that rooms get to end by themselves when draining.

    Raises:
        OptionError: an argument is out of range.
    """

    def __init__(
        self,
        session_for: SessionFactory,
        *,
        max_sessions: int = DEFAULT_MAX_SESSIONS,
        system: ActorSystem | Literal["running"] | None = None,
        limits: RoomLimits | None = None,
        http: HttpOptions | None = None,
        close_deadline: float = DEFAULT_CLOSE_DEADLINE,
        drain_deadline: float = DEFAULT_DRAIN_DEADLINE,
    ) -> None:
        if not callable(session_for):
            raise OptionError(
                f"session_for must be a function from a room's name to a SessionSpec, got {session_for!r}"
            )
        for name, seconds in (("close_deadline", close_deadline), ("drain_deadline", drain_deadline)):
            if not seconds >= 0:
                raise OptionError(f"{name} must be >= 0 seconds, got {seconds!r}")
        if isinstance(system, str) and system != "running":
            raise OptionError(f'system must be an ActorSystem, "running" or None, got {system!r}')
        self._session_for = session_for
        self._admission = Admission(max_sessions)
        self._owns_system = not isinstance(system, ActorSystem)
        self._system = system if isinstance(system, ActorSystem) else ActorSystem(system or "own")
        self._watch = RoomWatch(limits or RoomLimits(), self.hosted, close_deadline)
        self._doors = HttpDoors(self, http)
        self._close_deadline = close_deadline
        self._drain_deadline = drain_deadline
        self._rooms: dict[str, HostedRoom] = {}
        self._stays: set[asyncio.Task[None]] = set()
        self._callbacks: list[Callable[[RoomHandle], object]] = []
        self._callback_runs = Callbacks()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[tuple[CloseReport, ...]] | None = None

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the actor system. A second call does nothing.

        Raises:
            SessionStateError: it was closed, or started on another loop.
            SystemClosed: the given actor system was closed.
        """
        if self._admission.turned_away == "closed":
            raise SessionStateError("this RoomSupervisor was closed: make a new one")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._starting = asyncio.create_task(self._start_system())
        self._on_its_loop("start()")
        if self._starting is not None:
            await asyncio.shield(self._starting)

    async def _start_system(self) -> None:
        try:
            await awaited.start(self._system)
            self._watch.start()
        except BaseException:
            self._loop = None  # not started: another try may do better
            raise

    async def aclose(self, *, deadline: float | None = None) -> tuple[CloseReport, ...]:
        """Close all rooms at once, then the actor system if it is its own. A second call waits for the first.

        Args:
            deadline: seconds for the rooms, all together; ``close_deadline`` if not given.

        Returns:
            The reports of the rooms that were not over.
        """
        if self._loop is None:
            self._admission.turned_away = "closed"
            return ()
        self._on_its_loop("aclose()")
        if self._ending is None:
            self._admission.turned_away = "closed"
            self._ending = asyncio.create_task(self._end(self._close_deadline if deadline is None else deadline))
        return await asyncio.shield(self._ending)

    async def _end(self, deadline: float) -> tuple[CloseReport, ...]:
        if self._starting is not None:
            await asyncio.wait((self._starting,))
        await self._watch.stop()
        reports = await self._close_all(CloseReason.JOB_SHUTDOWN, deadline)
        if self._stays:
            await asyncio.wait(self._stays, timeout=CALLBACK_PATIENCE)
        if self._callback_runs.running:
            _, hanging = await asyncio.wait(self._callback_runs.running, timeout=CALLBACK_PATIENCE)
            for callback in hanging:
                callback.cancel()
                log.error("callback_abandoned", room="", actor="", message_id=0, callback=repr(callback))
        if self._owns_system:
            await self._system.aclose(0.0)  # its rooms have had their time
        return reports

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """For ``FastAPI(lifespan=rooms.lifespan)``, or any ASGI application: start; on leaving, drain and close.

        With a :attr:`router`, the inspection endpoint listens meanwhile.
        """
        await self.start()
        try:
            await self._doors.open()
            yield
            closed = await self.drain()
            abandoned = sorted(path for report in closed for path in report.abandoned)
            log.info("drained", room="", actor="", message_id=0, closed=len(closed), abandoned=abandoned)
        finally:
            await self._doors.close()
            await self.aclose()

    def __del__(self) -> None:
        if self.__dict__.get("_loop") is not None and self._ending is None:
            warnings.warn(f"unclosed {self!r}: call aclose()", ResourceWarning, source=self, stacklevel=2)

    def __repr__(self) -> str:
        return f"<RoomSupervisor {len(self._rooms)} of {self._admission.max_sessions} rooms>"

    # -- rooms -------------------------------------------------------------------------------------------------------

    async def spawn(
        self,
        room: str,
        *,
        transport: Transport | None = None,
        room_input_options: RoomInputOptions | None = None,
        room_output_options: RoomOutputOptions | None = None,
    ) -> RoomHandle:
        """Open a room: take a slot, make its session, start it; returns when it listens.

        Whatever goes wrong, nothing is left behind and the slot is free again. Cancelling it closes what it opened.

        Args:
            room: its name, unique among the rooms that are not over; names its actors and log lines.
            transport: the way in and out, made for this room; yours to close if the start fails before it is linked.
            room_input_options: what to take from the room.
            room_output_options: what to give to the room.

        Raises:
            AdmissionRefused: full, draining or closed; raised before anything is awaited or made.
            RoomExists: a room of that name is open, opening or closing.
            SessionStateError: not started, on another loop than that of :meth:`start`, or closed while it was starting.
            Exception: whatever the factory or the start of the session raised.
        """
        if self._admission.turned_away != "closed":
            self._on_its_loop("spawn()")
        slot = self._admission.admit(room)
        hosted = HostedRoom(slot, self._admission, self._system, self._close_deadline, self._room_ended)
        self._rooms[room] = hosted
        stay = hosted.begin(SpawnRequest(self._session_for, transport, room_input_options, room_output_options))
        self._stays.add(stay)
        stay.add_done_callback(self._stays.discard)
        try:
            await asyncio.shield(hosted.opened)
        except asyncio.CancelledError:
            await hosted.close()
            raise
        if hosted.handle is None:
            raise hosted.failure or InternalError(f"room {room!r} neither opened nor failed")
        return hosted.handle

    def get(self, room: str) -> RoomHandle:
        """An open room. From any thread.

        Raises:
            KeyError: there is none of that name; the text lists those there are.
        """
        handle = self._hosted(room).handle
        if handle is None:
            raise KeyError(f"room {room!r} is still starting")
        return handle

    def list(self) -> tuple[RoomHandle, ...]:
        """The rooms that are open or closing, oldest first. From any thread."""
        return tuple(hosted.handle for hosted in self._rooms.copy().values() if hosted.handle is not None)

    def inspect(self, room: str) -> TreeSnapshot:
        """Every actor of a room: status, message in hand, both lanes. From any thread, also when a loop is blocked.

        Raises:
            KeyError: there is no room of that name, or its session has no actors yet.
        """
        self._hosted(room)
        return self._system.inspect(room)

    async def close(self, room: str, *, deadline: float | None = None) -> CloseReport:
        """Close a room and wait for it; a room that is still starting is given up.

        Args:
            room: its name.
            deadline: seconds >= 0; ``close_deadline`` if not given.

        Returns:
            How each actor ended. If the actor loop is blocked the call returns 0.5 s after the deadline with every
            actor as abandoned; the room keeps its slot until it has really ended.

        Raises:
            KeyError: there is none of that name; the text lists those there are.
        """
        self._on_its_loop("close()")
        return await self._hosted(room).close(deadline)

    async def drain(self, deadline: float | None = None) -> tuple[CloseReport, ...]:
        """Take in no more rooms; let those that talk end by themselves until the deadline, then close them.

        Args:
            deadline: seconds >= 0; ``drain_deadline`` if not given.

        Returns:
            The reports of the rooms that had to be closed.
        """
        self._on_its_loop("drain()")
        if self._admission.turned_away is None:
            self._admission.turned_away = "draining"
        if self._rooms:
            ends = [hosted.ended for hosted in self._rooms.values()]
            await asyncio.wait(ends, timeout=self._drain_deadline if deadline is None else deadline)
        return await self._close_all(CloseReason.JOB_SHUTDOWN, self._close_deadline)

    def on_room_closed(self, callback: RoomClosedCallback) -> RoomClosedCallback:
        """Call ``callback(handle)`` when a room that was open is over; usable as a decorator. It may be ``async``.

        Slot and name are free by then. One that raises is logged and hurts nobody.
        """
        self._callbacks.append(callback)
        return callback

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

    # -- reading -----------------------------------------------------------------------------------------------------

    def hosted(self) -> tuple[HostedRoom, ...]:
        """All rooms that are not over, those that start included. From any thread."""
        return tuple(self._rooms.copy().values())

    def hosted_room(self, room: str) -> HostedRoom:
        """One of them.

        Raises:
            KeyError: there is none of that name; the text lists those there are.
        """
        return self._hosted(room)

    @property
    def turned_away(self) -> RefusalReason | None:
        """Why nobody is taken in: ``draining`` or ``closed``; None: whoever finds a slot is. From any thread."""
        return self._admission.turned_away

    @property
    def stats(self) -> SupervisorStats:
        """Slots and counts. From any thread."""
        return self._admission.stats()

    @property
    def system(self) -> ActorSystem:
        """Where the actors of all rooms live."""
        return self._system

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop on which it was started.

        Raises:
            SessionStateError: it was not.
        """
        if self._loop is None:
            raise SessionStateError("this RoomSupervisor is not running: `await rooms.start()` first")
        return self._loop

    # -- within ------------------------------------------------------------------------------------------------------

    def _on_its_loop(self, call: str) -> None:
        if self.loop is not asyncio.get_running_loop():
            raise SessionStateError(
                f"{call}: this RoomSupervisor was started on another loop; "
                "use asyncio.run_coroutine_threadsafe(..., rooms.loop)"
            )

    def _hosted(self, room: str) -> HostedRoom:
        rooms = self._rooms.copy()
        if room not in rooms:
            raise KeyError(f"no room named {room!r}; there are: {', '.join(rooms) or 'none'}")
        return rooms[room]

    async def _close_all(self, reason: CloseReason, deadline: float) -> tuple[CloseReport, ...]:
        rooms = tuple(self._rooms.values())
        return tuple(await asyncio.gather(*(hosted.close(deadline, reason) for hosted in rooms)))

    def _room_ended(self, hosted: HostedRoom) -> None:
        if self._rooms.get(hosted.name) is hosted:
            del self._rooms[hosted.name]
        if hosted.handle is None:
            return
        for callback in self._callbacks:
            self._callback_runs.call(f"on_room_closed {hosted.name}", callback, hosted.handle)
