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
from sessionactors.runtime import ActorSystem, CloseReport, InternalError, awaited
from sessionactors.session.callbacks import Callbacks
from sessionactors.session.room_options_legacy import RoomInputOptions, RoomOutputOptions
from sessionactors.telemetry import Telemetry

from .admission import Admission
from .drain import DrainReport, drain
from .farewell import Farewell, LastWords, farewell_of
from .hosted_room import HostedRoom
from .http.doors import HttpDoors
from .http.options import HttpOptions
from .observed_rooms import observed
from .restart_policy import RestartPolicy, policy_of
from .room_end import RoomEndCause
from .room_events import RoomEnded, RoomEvent
from .room_handle import RoomEventCallback, RoomHandle
from .room_limits import RoomLimits
from .room_opening import RoomRules, SpawnRequest, TransportFactory
from .room_register import RoomRegister
from .room_watch import RoomWatch
from .session_spec import SessionFactory

if TYPE_CHECKING:
    from .blocking_rooms import BlockingRooms

RoomClosedCallback = TypeVar("RoomClosedCallback", bound=Callable[[RoomHandle], object])

log = structlog.get_logger("sessionactors.service")

DEFAULT_MAX_SESSIONS = 200
"""Rooms at once: as many as one actor loop was measured to carry (docs/architecture.md)."""
DEFAULT_CLOSE_DEADLINE = 5.0
"""Seconds, as :meth:`AgentSession.aclose`."""
DEFAULT_DRAIN_DEADLINE = 25.0
"""Seconds, closes included: below the 30 s that Kubernetes waits before it kills."""
CALLBACK_PATIENCE = 1.0
"""Seconds that :meth:`RoomSupervisor.aclose` gives ``on_room_closed`` callbacks that still run."""


class RoomSupervisor(RoomRegister):
    """Hosts rooms. Start it, spawn rooms, close it; or ``async with RoomSupervisor(...) as rooms``.

    ``spawn``, ``close``, ``drain`` and ``aclose`` are for the loop on which it was started. From other threads, and for
    programs without a loop: :class:`.BlockingRooms`. ``get``, ``list``, ``inspect`` and ``stats`` may be used from any
    thread. Nothing of it is global: two supervisors may live in one process.

    Args:
        session_for: makes the :class:`SessionSpec` for a room; plain or ``async``, called once per spawn.
        max_sessions: rooms at once, >= 1, those that start or close included.
        system: an actor system to use, which stays yours to close; ``"running"``: the actors share the loop of
            :meth:`start`; None: a system with its own loop thread.
        limits: how long and how much each room may; a :class:`SessionSpec` may say otherwise, as with the next two.
        restart: whether a room whose session failed gets another one: ``"never"``, ``"on_failure"``, or a policy.
        farewell: what a room hears before it is closed by a limit or a drain.
        http: who may use :attr:`router`; nobody if it is not given.
        telemetry: observes all rooms; ``HttpOptions(metrics=True)`` serves its metrics.
        close_deadline: seconds >= 0 in which a room is closed, if the call says nothing else.
        drain_deadline: seconds >= 0 in which a drain is over, closes included.

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
        restart: RestartPolicy | Literal["never", "on_failure"] = "never",
        farewell: Farewell | LastWords | None = None,
        http: HttpOptions | None = None,
        telemetry: Telemetry | None = None,
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
        rules = RoomRules(limits or RoomLimits(), policy_of(restart), farewell_of(farewell), close_deadline)
        admission = Admission(max_sessions)
        own = system if isinstance(system, ActorSystem) else ActorSystem(system or "own")
        super().__init__(admission, own)
        self._session_for = observed(session_for, telemetry)
        self._owns_system = own is not system
        self._rules = rules
        self._watch = RoomWatch()
        self._doors = HttpDoors(self, http, telemetry)
        self._close_deadline = close_deadline
        self._drain_deadline = drain_deadline
        self._stays: set[asyncio.Task[None]] = set()
        self._callbacks: list[Callable[[RoomHandle], object]] = []
        self._event_callbacks: list[Callable[[RoomEvent], object]] = []
        self._callback_runs = Callbacks()
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
        rooms = self.hosted()
        closes = (hosted.close(deadline, RoomEndCause.SUPERVISOR_CLOSED) for hosted in rooms)
        reports = tuple(await asyncio.gather(*closes))
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
            await self.drain()
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
        transport: Transport | TransportFactory | None = None,
        room_input_options: RoomInputOptions | None = None,
        room_output_options: RoomOutputOptions | None = None,
    ) -> RoomHandle:
        """Open a room: take a slot, make its session, start it; returns when it listens.

        Whatever goes wrong, nothing is left behind and the slot is free again. Cancelling it closes what it opened.

        Args:
            room: its name, unique among the rooms that are not over; names its actors and log lines.
            transport: the way in and out, made for this room; yours to close if the start fails before it is linked. Or
                a function that makes it, plain or ``async``: only such rooms, and those without one, can be restarted.
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
        hosted = HostedRoom(slot, self._admission, self._system, self._rules, self)
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
        return await self.hosted_room(room).close(deadline)

    async def drain(self, deadline: float | None = None) -> DrainReport:
        """Take in no more rooms, let those that talk end by themselves, close the rest; over at the deadline.

        At most half of the deadline is kept for the end: then each room that is left hears what is being said, and its
        farewell, and is closed. Rooms that fail meanwhile are not restarted.

        Args:
            deadline: seconds >= 0 for all of it; ``drain_deadline`` if not given.

        Returns:
            What came of it; ``report.exit_code`` is for ``sys.exit``.

        Raises:
            OptionError: a negative deadline.
        """
        self._on_its_loop("drain()")
        seconds = self._drain_deadline if deadline is None else deadline
        if not seconds >= 0:
            raise OptionError(f"the deadline of a drain must be >= 0 seconds, got {deadline!r}")
        self.refuse_new_rooms()
        report = await drain(self.hosted(), self._admission, seconds, self._close_deadline)
        log.info(
            "drained",
            room="",
            actor="",
            message_id=0,
            finished=len(report.finished),
            closed=len(report.closed),
            abandoned=sorted(report.abandoned),
            seconds=round(report.seconds, 3),
            clean=report.clean,
        )
        return report

    def blocking(self) -> BlockingRooms:
        """The same for threads without a loop, and for programs that have none: see :class:`.BlockingRooms`."""
        from .blocking_rooms import BlockingRooms  # noqa: PLC0415  which knows this class

        return BlockingRooms(self)

    def on_room_event(self, callback: RoomEventCallback) -> RoomEventCallback:
        """Call ``callback(event)`` with each :class:`.RoomEvent` of any room; as a decorator, too. It may be ``async``.

        On the loop of the supervisor. One that raises is logged and hurts nobody.
        """
        self._event_callbacks.append(callback)
        return callback

    def on_room_closed(self, callback: RoomClosedCallback) -> RoomClosedCallback:
        """Call ``callback(handle)`` when a room that was open is over; usable as a decorator. It may be ``async``.

        Slot and name are free by then. One that raises is logged and hurts nobody.
        """
        self._callbacks.append(callback)
        return callback

    # -- within ------------------------------------------------------------------------------------------------------

    def _on_its_loop(self, call: str) -> None:
        if self.loop is not asyncio.get_running_loop():
            raise SessionStateError(
                f"{call}: this RoomSupervisor was started on another loop; "
                "use asyncio.run_coroutine_threadsafe(..., rooms.loop)"
            )

    def room_listens(self, hosted: HostedRoom) -> None:
        """A room has opened, or was restarted."""
        self._watch.watch(hosted)

    def room_event(self, hosted: HostedRoom, event: RoomEvent) -> None:
        """Something happened to a room."""
        listeners = () if hosted.facts is None else tuple(hosted.facts.callbacks)
        for callback in (*listeners, *self._event_callbacks):
            self._callback_runs.call(f"{event.type} {hosted.name}", callback, event)

    def room_ended(self, hosted: HostedRoom) -> None:
        """Slot and name of a room are free again."""
        if self._rooms.get(hosted.name) is hosted:
            del self._rooms[hosted.name]
        if hosted.handle is None or hosted.facts is None or hosted.facts.end is None:
            return
        self.room_event(hosted, RoomEnded(hosted.name, hosted.facts.end, hosted.wall()))
        for callback in self._callbacks:
            self._callback_runs.call(f"on_room_closed {hosted.name}", callback, hosted.handle)
