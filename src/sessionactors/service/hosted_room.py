"""One room's stay with a supervisor: factory, start, life, end, in one task that gives the slot back as its last act.

The task belongs to the room, not to the caller of ``spawn``: whoever gives up waiting, and however often, the stay is
brought to its end, and only then is the slot free.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from sessionactors.interfaces.transport import Transport
from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.model.events import CloseEvent, CloseReason
from sessionactors.runtime import ActorSystem, CloseReport, NameTaken, close_report
from sessionactors.runtime.containment import escapes
from sessionactors.runtime.system import BLOCKED_PATIENCE
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.room_options_legacy import RoomInputOptions, RoomOutputOptions

from .admission import Admission, Outcome, RoomPhase, Slot
from .errors import RoomExists
from .room_handle import RoomHandle
from .session_spec import SessionFactory, SessionSpec

log = structlog.get_logger("sessionactors.service")

GIVEN_UP_START = 1.0
"""Seconds for a session whose start failed or was given up to leave."""


@dataclass(frozen=True, slots=True)
class SpawnRequest:
    """What a room is opened with."""

    session_for: SessionFactory
    transport: Transport | None
    room_input_options: RoomInputOptions | None
    room_output_options: RoomOutputOptions | None


class HostedRoom:
    """One room, from its slot to the release of it. To be used on the supervisor's loop only.

    Args:
        slot: the room's, just taken.
        admission: gets it back.
        system: where the session's actors live.
        close_deadline: seconds for a close that names no deadline.
        on_ended: called when slot and name are free again.
    """

    def __init__(
        self,
        slot: Slot,
        admission: Admission,
        system: ActorSystem,
        close_deadline: float,
        on_ended: Callable[[HostedRoom], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self.slot = slot
        self.handle: RoomHandle | None = None
        self.failure: BaseException | None = None
        """Why it never opened; set before :attr:`opened`."""
        self.opened: asyncio.Future[None] = loop.create_future()
        """Done when it is open, or never will be."""
        self.ended: asyncio.Future[CloseEvent] = loop.create_future()
        """Done when slot and name are free."""
        self._admission = admission
        self._system = system
        self._close_deadline = close_deadline
        self._on_ended = on_ended
        self._close_event: CloseEvent | None = None
        self._given_up = False
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The room's name."""
        return self.slot.room

    @property
    def is_open(self) -> bool:
        """Whether it talks: it neither starts nor closes."""
        return self.handle is not None and self.slot.phase is RoomPhase.OPEN and not self.ended.done()

    @property
    def session(self) -> AgentSession[object]:
        """Its session.

        Raises:
            SessionStateError: it has not opened.
        """
        if self.handle is None:
            raise SessionStateError(f"room {self.name!r} has no session: it is still starting")
        return self.handle.session

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self._system.clock.wall()

    def begin(self, request: SpawnRequest) -> asyncio.Task[None]:
        """Open it, in a task and in the caller's context variables."""
        self._task = asyncio.create_task(self._stay(request), name=f"room {self.name}")
        # Not a `finally` in the coroutine: a task that is cancelled before its first step never enters it.
        self._task.add_done_callback(self._over)
        return self._task

    # -- the stay ----------------------------------------------------------------------------------------------------

    async def _stay(self, request: SpawnRequest) -> None:
        try:
            session = await self._open(request)
        except BaseException as error:  # noqa: BLE001  whatever a factory raises belongs to the caller of spawn()
            self.failure = self._as_failure(error)
            return
        self.handle = RoomHandle(self.name, session, self.ended, self.close)
        self.slot.phase = RoomPhase.OPEN
        self.opened.set_result(None)
        await self._live(session)

    def _over(self, task: asyncio.Task[None]) -> None:
        """The last act: slot and name are free, and all who wait are told."""
        outcome = self._outcome()
        self._admission.release(self.slot, outcome)
        if not self.opened.done():
            self.failure = self.failure or self._as_failure(asyncio.CancelledError())
            self.opened.set_result(None)
        self.ended.set_result(self._close_event or self._end_without_event())
        self._on_ended(self)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("room_task_failed", room=self.name, actor="", message_id=0, exc_info=error)

    def _outcome(self) -> Outcome:
        if self.handle is None:
            return Outcome.FAILED_TO_START
        event = self._close_event
        return Outcome.CRASHED if event is None or event.reason is CloseReason.ERROR else Outcome.CLOSED

    async def _open(self, request: SpawnRequest) -> AgentSession[object]:
        made = request.session_for(self.name)
        spec = await made if inspect.isawaitable(made) else made
        if not isinstance(spec, SessionSpec):
            raise OptionError(f"session_for({self.name!r}) must give a SessionSpec, got {spec!r}")
        session = spec.new_session(self._system)
        session.on("close", self._note_close)
        if spec.prepare is not None:
            prepared = spec.prepare(session)
            if inspect.isawaitable(prepared):
                await prepared
        self._still_wanted()
        try:
            await session.start(
                spec.agent,
                room=request.transport,
                room_name=self.name,
                room_input_options=request.room_input_options,
                room_output_options=request.room_output_options,
            )
            self._still_wanted()
        except NameTaken as error:  # somebody else's tree in an actor system that was given
            raise RoomExists(self.name, "in the actor system, of another owner") from error
        except BaseException:
            await self._certainly_closed(session, GIVEN_UP_START)
            raise
        return session

    def _as_failure(self, error: BaseException) -> BaseException:
        """What the caller of spawn is told. A factory's SystemExit must not end the loop, and with it every room."""
        if isinstance(error, Exception) or escapes(error):
            return error
        if self._given_up:
            return SessionStateError(f"room {self.name!r} was closed while it was starting")
        failure = SessionStateError(f"room {self.name!r} could not start: session_for raised {error!r}")
        failure.__cause__ = error
        return failure

    def _still_wanted(self) -> None:
        """A factory may have swallowed the cancellation that :meth:`request_close` sent."""
        if self._given_up:
            raise asyncio.CancelledError

    async def _live(self, session: AgentSession[object]) -> None:
        try:
            await session.wait_closed()
        except asyncio.CancelledError:
            # Nobody of ours cancels an open room: its loop is ending (asyncio.run). The room ends with it.
            await self._certainly_closed(session, self._close_deadline)

    async def _certainly_closed(self, session: AgentSession[object], deadline: float) -> None:
        """Close it and wait for that, whatever is cancelled meanwhile; no longer than a blocked actor loop is given."""
        limit = asyncio.get_running_loop().time() + deadline + BLOCKED_PATIENCE
        while True:
            try:
                async with asyncio.timeout_at(limit):
                    await session.aclose(deadline=deadline)
                return
            except TimeoutError:
                log.exception("room_abandoned", room=self.name, actor=self.name, message_id=0, seconds=deadline)
                return
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is not None:
                    task.uncancel()  # heard: what is to be done is being done

    def _note_close(self, event: CloseEvent) -> None:
        self._close_event = event

    def _end_without_event(self) -> CloseEvent:
        never = self.failure or SessionStateError(f"room {self.name!r} did not report its end")
        return CloseEvent(CloseReason.ERROR, self._system.clock.wall(), never)

    # -- the end -----------------------------------------------------------------------------------------------------

    def request_close(self, reason: CloseReason, deadline: float) -> None:
        """Ask for the end; returns at once. A room that is still starting is given up."""
        if self.ended.done():
            return
        self.slot.phase = RoomPhase.CLOSING
        if self.handle is not None:
            self.handle.session.shutdown(drain=False, reason=reason, deadline=deadline)
        elif not self._given_up and self._task is not None:
            self._given_up = True
            self._task.cancel()

    async def close(
        self, deadline: float | None = None, reason: CloseReason = CloseReason.USER_INITIATED
    ) -> CloseReport:
        """Ask for the end and wait for it, no longer than the deadline and what a blocked actor loop is given."""
        seconds = self._close_deadline if deadline is None else deadline
        began = self._system.clock.now()
        self.request_close(reason, seconds)
        # asyncio.wait: a caller that is cancelled stops waiting and nothing else.
        await asyncio.wait((self.ended,), timeout=seconds + BLOCKED_PATIENCE)
        waited = (self._system.clock.now() - began) / 1e9
        if self.ended.done():
            report = self.handle.close_report if self.handle is not None else None
            return report or CloseReport(self.name, (), {}, waited)
        if self.name in self._system.trees:
            return close_report.of_blocked_loop(self._system, self.name, waited)
        hangs = f"session_for({self.name!r}) goes on, {waited:.1f} s after it was cancelled"
        return CloseReport(self.name, (), {self.name: hangs}, waited)
