"""One room's stay with a supervisor: factory, start, life, restarts, end, in one task that gives the slot back last.

The task belongs to the room, not to the caller of ``spawn``: whoever gives up waiting, and however often, the stay is
brought to its end, and only then is the slot free. A room that is restarted never leaves its slot.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from sessionactors.interfaces.transport import Transport
from sessionactors.model.errors import SessionStateError
from sessionactors.model.events import CloseEvent, CloseReason
from sessionactors.runtime import ActorSystem, CloseReport, InternalError, close_report
from sessionactors.runtime.containment import escapes
from sessionactors.runtime.system import BLOCKED_PATIENCE
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.callbacks import Callbacks

from .admission import Admission, Outcome, RoomPhase, Slot
from .errors import RoomExists, RoomOverLimit
from .restart_policy import RoomFailure, policy_of, resumed
from .room_end import RoomEnd, RoomEndCause, cause_of
from .room_events import RoomDismissed, RoomEvent, RoomOpened
from .room_handle import RoomFacts, RoomHandle
from .room_limits import RoomLimits
from .room_opening import RoomRules, SpawnRequest, certainly_closed, left, started
from .room_restarts import Refusal, RoomRestarts
from .room_use import RoomAccount

log = structlog.get_logger("sessionactors.service")

GIVEN_UP_START = 1.0
"""Seconds for a session whose start failed or was given up to leave."""


class RoomsHost(Protocol):
    """What a room tells its supervisor."""

    def room_listens(self, hosted: HostedRoom) -> None:
        """It has opened, or was restarted: its limits may be others."""

    def room_event(self, hosted: HostedRoom, event: RoomEvent) -> None:
        """Something happened to it."""

    def room_ended(self, hosted: HostedRoom) -> None:
        """Slot and name are free again."""


class HostedRoom:
    """One room, from its slot to the release of it. To be used on the supervisor's loop only.

    Args:
        slot: the room's, just taken.
        admission: gets it back.
        system: where the session's actors live.
        rules: how it is treated, if its spec says nothing else.
        host: is told what happens.
    """

    def __init__(
        self, slot: Slot, admission: Admission, system: ActorSystem, rules: RoomRules, host: RoomsHost
    ) -> None:
        loop = asyncio.get_running_loop()
        self.slot = slot
        self.handle: RoomHandle | None = None
        self.facts: RoomFacts | None = None
        """What the handle tells."""
        self.failure: BaseException | None = None
        """Why it never opened; set before :attr:`opened`."""
        self.opened: asyncio.Future[None] = loop.create_future()
        """Done when it is open, or never will be."""
        self.ended: asyncio.Future[CloseEvent] = loop.create_future()
        """Done when slot and name are free."""
        self.account = RoomAccount(system, loop)
        self._admission = admission
        self._system = system
        self._rules = rules
        self._host = host
        self._limits = rules.limits
        self._farewell = rules.farewell
        self._restarts = RoomRestarts(slot.room, rules.restart)
        self._close_event: CloseEvent | None = None
        self._cause: RoomEndCause | None = None
        self._over: RoomOverLimit | None = None
        self._given_up = False
        self._transport: Transport | None = None
        """That of the present session."""
        self._task: asyncio.Task[None] | None = None
        self._partings = Callbacks()

    @property
    def name(self) -> str:
        """The room's name."""
        return self.slot.room

    @property
    def limits(self) -> RoomLimits:
        """How long and how much it may."""
        return self._limits

    @property
    def farewell_within(self) -> float:
        """Seconds for its last words."""
        return self._farewell.within

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

    @property
    def drained(self) -> bool:
        """Whether it ends, or ended, because the supervisor drains."""
        return self._cause is RoomEndCause.DRAINED

    @property
    def crashed(self) -> bool:
        """Whether it ended with an error."""
        return self.ended.done() and self.handle is not None and self._outcome() is Outcome.CRASHED

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self._system.clock.wall()

    def tell(self, event: RoomEvent) -> None:
        """Tell those who listen to the room, or to all rooms."""
        self._host.room_event(self, event)

    def begin(self, request: SpawnRequest) -> asyncio.Task[None]:
        """Open it, in a task and in the caller's context variables."""
        self._task = asyncio.create_task(self._stay(request), name=f"room {self.name}")
        # Not a `finally` in the coroutine: a task that is cancelled before its first step never enters it.
        self._task.add_done_callback(self._over_now)
        return self._task

    # -- the stay ----------------------------------------------------------------------------------------------------

    async def _stay(self, request: SpawnRequest) -> None:
        try:
            session = await self._open(request, None)
        except BaseException as error:  # noqa: BLE001  whatever a factory raises belongs to the caller of spawn()
            self.failure = self._as_failure(error)
            return
        self.facts = facts = RoomFacts(session)
        self.handle = handle = RoomHandle(self.name, facts, self.ended, self.close, self.account)
        self._listens(session)
        self.opened.set_result(None)
        self.tell(RoomOpened(self.name, self.wall()))
        while True:
            await self._live(session)
            await self._let_go()
            failure = self._restarts.failed(handle, self._failed(), self.slot.phase is RoomPhase.CLOSING)
            again = None if failure is None else await self._open_again(request, facts, failure)
            if again is None:
                return
            session = again

    async def _let_go(self) -> None:
        """A session that failed has not left its room: else its ghost would sit beside the next one."""
        transport, self._transport = self._transport, None
        if transport is not None and self._failed() is not None:
            await left(transport, self._system, self.name, self._rules.close_deadline)

    def _listens(self, session: AgentSession[object]) -> None:
        self.account.follow(session)
        self.slot.phase = RoomPhase.OPEN
        self._restarts.listens()
        self._host.room_listens(self)

    def _failed(self) -> BaseException | None:
        """Why the session failed; None: it ended as it should, or the close was asked for."""
        event = self._close_event or self._end_without_event()
        if event.reason is not CloseReason.ERROR:
            return None
        return event.error or InternalError(f"room {self.name!r} ended with an error that nobody named")

    async def _open_again(
        self, request: SpawnRequest, facts: RoomFacts, failure: RoomFailure
    ) -> AgentSession[object] | None:
        """Another session for the room, after as many tries as are granted; None: it is over."""
        while True:
            granted = self._restarts.grant(failure, self._refusal(request))
            if isinstance(granted, Refusal):
                log.error(
                    "room_failed", room=self.name, actor="", message_id=0, error=repr(failure.error), why=granted.why
                )
                if self._close_event is None or self._close_event.error is not granted.error:
                    self._close_event = CloseEvent(CloseReason.ERROR, self.wall(), granted.error)
                return None
            self.slot.phase = RoomPhase.RESTARTING
            self._admission.restarting()
            log.warning(
                "room_restarts", room=self.name, actor="", message_id=0, error=repr(failure.error), delay=granted.delay
            )
            self.tell(granted.event(failure, self.wall()))
            try:
                await asyncio.sleep(granted.delay)
                session = await self._open(request, failure)
            except BaseException as error:  # noqa: BLE001  of the factory, as at the first start
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    self._close_event = CloseEvent(self._asked_reason, self.wall())
                    return None
                failure = self._restarts.not_started(failure, self._as_failure(error))
                continue
            facts.session, facts.before, facts.restarts = session, failure.history, facts.restarts + 1
            self._listens(session)
            self.tell(self._restarts.done(self.wall()))
            if (says := self._restarts.policy.says) is not None:
                self._say(session, says)
            return session

    def _refusal(self, request: SpawnRequest) -> str:
        """Why there can be no restart now; empty if there can."""
        if (turned_away := self._admission.turned_away) is not None:
            return f"the supervisor is {turned_away}"
        if not request.may_restart:
            return "its transport was given, not made: spawn(transport=a function that makes one) can be restarted"
        return ""

    def _say(self, session: AgentSession[object], text: str) -> None:
        try:
            _ = session.say(text)
        except SessionStateError as error:  # it has no voice, or has failed again already
            log.warning("room_said_nothing", room=self.name, actor="", message_id=0, error=str(error))

    def _over_now(self, task: asyncio.Task[None]) -> None:
        """The last act: slot and name are free, and all who wait are told."""
        event = self._close_event or self._end_without_event()
        self._admission.release(self.slot, self._outcome())
        if not self.opened.done():
            self.failure = self.failure or self._as_failure(asyncio.CancelledError())
            self.opened.set_result(None)
        if self.facts is not None:
            cause = cause_of(event, self._cause)
            self.facts.end = RoomEnd(cause, event, self.facts.restarts, self._over, self._restarts.why_not)
        self.ended.set_result(event)
        self._host.room_ended(self)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("room_task_failed", room=self.name, actor="", message_id=0, exc_info=error)

    def _outcome(self) -> Outcome:
        if self.handle is None:
            return Outcome.FAILED_TO_START
        event = self._close_event
        return Outcome.CRASHED if event is None or event.reason is CloseReason.ERROR else Outcome.CLOSED

    async def _open(self, request: SpawnRequest, failure: RoomFailure | None) -> AgentSession[object]:
        spec = await request.spec(self.name)
        rules = self._rules
        policy = rules.restart if spec.restart is None else policy_of(spec.restart)
        if failure is not None:
            spec = await resumed(spec, policy, failure)
        self._restarts.policy = policy
        self._limits = spec.limits or rules.limits
        self._farewell = spec.farewell or rules.farewell
        session = spec.new_session(self._system)
        session.on("close", self._note_close)
        await spec.prepared(session)
        self._transport = transport = await request.new_transport()
        self._still_wanted()
        self._close_event = None
        try:
            await started(session, spec, request, self.name, transport)
            self._still_wanted()
        except RoomExists:
            raise
        except BaseException:
            await certainly_closed(session, GIVEN_UP_START)
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
            self.slot.phase = RoomPhase.CLOSING
            await certainly_closed(session, self._rules.close_deadline)

    def _note_close(self, event: CloseEvent) -> None:
        self._close_event = event

    def _end_without_event(self) -> CloseEvent:
        never = self.failure or SessionStateError(f"room {self.name!r} did not report its end")
        return CloseEvent(CloseReason.ERROR, self.wall(), never)

    # -- the end -----------------------------------------------------------------------------------------------------

    @property
    def _asked_reason(self) -> CloseReason:
        asked = self._cause in (None, RoomEndCause.CLOSED)
        return CloseReason.USER_INITIATED if asked else CloseReason.JOB_SHUTDOWN

    def over_limit(self, over: RoomOverLimit, cause: RoomEndCause, *, at_once: bool) -> None:
        """It has used more than it may, and is to end for it; returns at once."""
        self._over = over
        if at_once:
            self.request_close(0.0, cause)
        else:
            self.dismiss(cause, self._farewell.within, self._rules.close_deadline)

    def dismiss(self, cause: RoomEndCause, within: float, deadline: float) -> None:
        """Close it politely; returns at once. Does nothing to a room that closes already.

        Args:
            cause: why.
            within: seconds for what is being said, and the farewell, to be heard.
            deadline: seconds for the close that follows.
        """
        handle = self.handle
        if self.slot.phase is RoomPhase.CLOSING:
            return
        if handle is None or not self.is_open or within <= 0:
            self.request_close(deadline, cause)
            return
        self._cause = cause
        self.slot.phase = RoomPhase.CLOSING
        self.tell(RoomDismissed(self.name, cause, within, self.wall()))
        loop = asyncio.get_running_loop()
        until = loop.time() + within

        drain = True

        def leave() -> None:
            left = max(0.0, until - loop.time())
            handle.session.shutdown(drain=drain, reason=self._asked_reason, deadline=deadline, drain_deadline=left)

        last_words = None
        try:
            last_words = self._farewell.bid(handle, cause)
            drain = not self._farewell.ends_it
        except Exception as error:
            log.exception("farewell_failed", room=self.name, actor="", message_id=0, error=repr(error))
        if last_words is None:
            leave()
        else:
            self._partings.run(f"farewell {self.name}", asyncio.wait_for(last_words, within), leave)

    def request_close(self, deadline: float, cause: RoomEndCause) -> None:
        """Ask for the end; returns at once. A room that is still starting, or starts again, is given up."""
        if self.ended.done():
            return
        self._cause = self._cause or cause
        starts = self.handle is None or self.slot.phase is RoomPhase.RESTARTING
        self.slot.phase = RoomPhase.CLOSING
        if self.handle is not None and not starts:
            self.handle.session.shutdown(drain=False, reason=self._asked_reason, deadline=deadline)
        elif not self._given_up and self._task is not None:
            self._given_up = True
            self._task.cancel()

    async def close(self, deadline: float | None = None, cause: RoomEndCause = RoomEndCause.CLOSED) -> CloseReport:
        """Ask for the end and wait for it, no longer than the deadline and what a blocked actor loop is given."""
        seconds = self._rules.close_deadline if deadline is None else deadline
        began = self._system.clock.now()
        self.request_close(seconds, cause)
        # asyncio.wait: a caller that is cancelled stops waiting and nothing else.
        await asyncio.wait((self.ended,), timeout=seconds + BLOCKED_PATIENCE)
        return self.report((self._system.clock.now() - began) / 1e9)

    def report(self, waited: float) -> CloseReport:
        """How it ended, after somebody waited so many seconds for that; or what keeps it from ending."""
        if self.ended.done():
            report = self.handle.close_report if self.handle is not None else None
            return report or CloseReport(self.name, (), {}, waited)
        if self.name in self._system.trees:
            return close_report.of_blocked_loop(self._system, self.name, waited)
        hangs = f"session_for({self.name!r}) goes on, {waited:.1f} s after it was cancelled"
        return CloseReport(self.name, (), {self.name: hangs}, waited)
