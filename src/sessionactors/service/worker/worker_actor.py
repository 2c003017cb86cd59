"""``livekit-worker``: the worker of a LiveKit server. Owns the connection and, by ``job_ledger``, the jobs.

One handler sees every offer, answer, assignment and end, one after the other: that is the whole of why a burst of
offers cannot take one slot twice. The socket, ``request_fnc`` and the jobs themselves are its effects.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import assert_never, cast

from sessionactors.model.errors import APIConnectionError, APIStatusError, OptionError
from sessionactors.runtime import NS, Actor, EffectPort, MailboxBounds, Outbox

from . import job_ledger as ledger
from . import wire
from .capacity import refusal, retry_delay, told_load
from .messages import (
    AnswerOverdue,
    AssignmentOverdue,
    CloseWorker,
    ConnectNow,
    DrainWorker,
    FrameIgnored,
    FrameRefused,
    JobAssigned,
    JobEnded,
    JobEnding,
    JobOffered,
    JobTerminated,
    LeaveOverdue,
    LinkEnded,
    LinkOpened,
    LoadDue,
    LoadFailed,
    LoadMeasured,
    Registered,
    RegistrationOverdue,
    RequestAccepted,
    RequestEnded,
    RequestRejected,
    RunJob,
    StatusDue,
    WorkerMessage,
)
from .worker_ports import WorkerPorts, WorkerProfile
from .worker_state import Link, WorkerFacts, WorkerState

STATUS_EVERY = 2.5
LOAD_EVERY = 0.5
REGISTERED_WITHIN = 10.0
"""Seconds that the server may take to answer to a registration; as long as it gives the worker for asking."""
LASTING = 10.0
"""Seconds after which a connection counts as a good one: the next attempt is again the first."""
LEAVE_WITHIN = 5.0
"""Seconds for the last frames and the close of the connection."""
FRAMES_WAITING = 4096
"""Frames that may wait to be sent; more, and the connection is given up as stuck."""
LINK = "link"


class Worker(Actor[WorkerState, WorkerMessage]):
    """Serves one server."""

    bounds = MailboxBounds(control=64, data=4096)

    def __init__(self, profile: WorkerProfile, ports: WorkerPorts) -> None:
        self._profile = profile
        self._ports = ports
        self._jobs = ledger.JobLedger(profile, ports)

    def initial(self) -> WorkerState:
        """Not connected."""
        return WorkerState()

    def started(self, state: WorkerState, out: Outbox[WorkerMessage]) -> WorkerState:
        """Connect, and begin to measure."""
        if self._ports.measure is not None:
            out.tell(out.myself, LoadDue())
        return self._connect(state, out) if self._profile.registers else state

    def summary(self, state: WorkerState) -> Mapping[str, object]:
        """For people who inspect it."""
        now = state.occupancy
        return {
            "link": state.link.value,
            "running": now.running,
            "reserved": now.reserved,
            "slots": self._profile.capacity.max_sessions,
            "draining": state.draining,
            "failures": state.failures,
        }

    def receive(self, state: WorkerState, message: WorkerMessage, out: Outbox[WorkerMessage]) -> WorkerState:
        """One message; then what follows from the ledger as it is now."""
        return self._settled(state, self._handled(state, message, out), out)

    def _handled(self, state: WorkerState, message: WorkerMessage, out: Outbox[WorkerMessage]) -> WorkerState:
        jobs = self._jobs
        match message:
            case LinkOpened() | Registered() | LinkEnded() | ConnectNow() | RegistrationOverdue() | LeaveOverdue():
                return self._on_link(state, message, out)
            case FrameIgnored(_, kind):
                out.log("worker_frame_ignored", kind=kind)
                return state
            case FrameRefused(_, why):
                out.log("worker_frame_refused", why=why)
                return state.count(frames_refused=1)
            case JobOffered() | JobAssigned() | JobTerminated() if state.link is not Link.REGISTERED:
                out.log("worker_frame_refused", why=f"{type(message).__name__} before the registration")
                return state.count(frames_refused=1)
            case JobOffered(_, job):
                return jobs.offered(state, job, out)
            case JobAssigned():
                return jobs.assigned(state, message, out)
            case JobTerminated(_, job_id):
                return jobs.terminated(state, job_id, out)
            case AssignmentOverdue(job_id):
                return jobs.assignment_overdue(state, job_id, out)
            case AnswerOverdue(job_id):
                return jobs.answer_overdue(state, job_id, out)
            case RequestAccepted(job_id, arguments):
                return jobs.accepted(state, job_id, arguments, out)
            case RequestRejected(job_id, terminate):
                return jobs.rejected(state, job_id, out, terminate=terminate)
            case RequestEnded(job_id, error):
                return jobs.request_ended(state, job_id, error, out)
            case JobEnding(job_id, reason):
                return jobs.ending(state, job_id, reason)
            case JobEnded(job_id, error):
                return jobs.ended(state, job_id, error, out)
            case RunJob(running):
                return jobs.run_local(state, running, out)
            case StatusDue():
                return self._tell_status(state, out)
            case LoadDue() | LoadMeasured() | LoadFailed():
                return self._on_load(state, message, out)
            case DrainWorker():
                waiting = (*state.waits_for_drain, out.reply_later())
                return self._tell_status(replace(state, draining=True, waits_for_drain=waiting), out)
            case CloseWorker(reason):
                waiting = (*state.waits_for_close, out.reply_later())
                state = replace(state, draining=True, waits_for_close=waiting)
                return state if state.closing else jobs.end_all(replace(state, closing=reason), reason, out)
            case _:
                assert_never(message)

    # -- the connection ----------------------------------------------------------------------------------------------

    def _on_link(
        self,
        state: WorkerState,
        message: LinkOpened | Registered | LinkEnded | ConnectNow | RegistrationOverdue | LeaveOverdue,
        out: Outbox[WorkerMessage],
    ) -> WorkerState:
        match message:
            case ConnectNow():
                return self._connect(state, out) if state.link is Link.WAITING else state
            case _ if message.scope is not state.scope:  # of a connection before
                return state
            case LinkOpened():
                profile = self._profile
                frame = wire.register(
                    profile.kind, profile.permissions, profile.agent_name, profile.deployment, profile.version
                )
                out.feed(LINK, frame)
                out.timer("register", REGISTERED_WITHIN, RegistrationOverdue(message.scope))
                return replace(state, link=Link.REGISTERING)
            case Registered():
                return self._registered(state, message, out)
            case RegistrationOverdue():
                out.cancel_effect(LINK)
                silent = APIConnectionError(
                    f"the LiveKit server at {self._profile.url} has not answered to the registration within "
                    f"{REGISTERED_WITHIN:g} s"
                )
                return self._broken(state, silent, out)
            case LeaveOverdue():
                out.cancel_effect(LINK)
                return self._left(state, out)
            case LinkEnded(_, error):
                if state.link is Link.LEAVING:
                    return self._left(state, out)
                return self._broken(state, error or APIConnectionError("the connection ended"), out)
            case _:
                assert_never(message)

    def _connect(self, state: WorkerState, out: Outbox[WorkerMessage]) -> WorkerState:
        scope = out.open_scope(out.new_id("link"))
        run = self._ports.link

        async def link(port: EffectPort[WorkerMessage]) -> None:
            await run(scope, port.send, cast("AsyncIterator[bytes]", port.inlet))

        out.effect(
            LINK,
            link,
            done=lambda _: LinkEnded(scope, None),
            failed=lambda error: LinkEnded(scope, error),
            window=64,
            inlet=FRAMES_WAITING,
            inlet_overflow=ledger.MUST_NOT_DROP,
        )
        return replace(state, link=Link.CONNECTING, scope=scope)

    def _registered(self, state: WorkerState, message: Registered, out: Outbox[WorkerMessage]) -> WorkerState:
        if state.link is not Link.REGISTERING:  # said twice, or after the worker began to leave
            return state.count(repeated=1)
        out.cancel_timer("register")
        out.port(self._ports.registered, message.worker_id, message.response)
        state = replace(state, link=Link.REGISTERED, worker_id=message.worker_id, registered_at=out.now).count(
            connections=1
        )
        return self._tell_status(self._jobs.report(state, out), out)

    def _broken(self, state: WorkerState, error: BaseException, out: Outbox[WorkerMessage]) -> WorkerState:
        if state.link is Link.REGISTERED and out.now - state.registered_at >= LASTING * NS:
            state = replace(state, failures=0)
        state = self._jobs.server_lost(self._cut(state, out), out)
        final = _final_for_new_worker(error) and not state.stats.connections
        if final or state.failures >= self._profile.max_retry:
            out.log("worker_connection_failed", error=repr(error), attempts=state.failures + 1)
            out.port(self._ports.failed, _failure(self._profile, error, state.failures + 1, final=final))
            return replace(state, link=Link.FAILED)
        delay = retry_delay(state.failures)
        out.log("worker_reconnects", error=repr(error), delay=delay, attempt=state.failures + 1)
        out.timer("retry", delay, ConnectNow())
        return replace(state, link=Link.WAITING, failures=state.failures + 1)

    def _cut(self, state: WorkerState, out: Outbox[WorkerMessage]) -> WorkerState:
        for timer in ("register", "status", "leave", "retry"):
            out.cancel_timer(timer)
        if state.scope is not None:
            out.close_scope(state.scope)
        return replace(state, scope=None, link=Link.DOWN)

    def _leave(self, state: WorkerState, out: Outbox[WorkerMessage]) -> WorkerState:
        if state.link is Link.REGISTERED and state.scope is not None:
            out.end_inlet(LINK)
            out.timer("leave", LEAVE_WITHIN, LeaveOverdue(state.scope))
            return replace(state, link=Link.LEAVING)
        out.cancel_effect(LINK)
        return self._left(state, out)

    def _left(self, state: WorkerState, out: Outbox[WorkerMessage]) -> WorkerState:
        for waiting in state.waits_for_close:
            out.reply(None, waiting)
        return replace(self._cut(state, out), waits_for_close=())

    # -- load and status ---------------------------------------------------------------------------------------------

    def _on_load(
        self, state: WorkerState, message: LoadDue | LoadMeasured | LoadFailed, out: Outbox[WorkerMessage]
    ) -> WorkerState:
        measure = self._ports.measure
        match message:
            case LoadDue():
                if measure is not None:

                    async def run(_: EffectPort[WorkerMessage]) -> float:
                        return await measure()

                    out.effect("load", run, done=LoadMeasured, failed=LoadFailed, user_loop=True)
                return state
            case LoadMeasured(load):
                out.timer("load", LOAD_EVERY, LoadDue())
                return replace(state, load=load)
            case LoadFailed(error):
                out.log("load_fnc_failed", error=repr(error), load_kept=state.load)
                out.timer("load", LOAD_EVERY, LoadDue())
                return state
            case _:
                assert_never(message)

    def _full(self, state: WorkerState) -> bool:
        return refusal(self._profile.capacity, state.occupancy) is not None

    def _tell_status(self, state: WorkerState, out: Outbox[WorkerMessage]) -> WorkerState:
        full = self._full(state)
        if state.link is Link.REGISTERED:
            now = state.occupancy
            out.feed(LINK, wire.status(full=full, load=told_load(self._profile.capacity, now), jobs=now.running))
            out.timer("status", STATUS_EVERY, StatusDue())
        return replace(state, full=full)

    # -- after each message ------------------------------------------------------------------------------------------

    def _settled(self, before: WorkerState, state: WorkerState, out: Outbox[WorkerMessage]) -> WorkerState:
        if self._full(state) != state.full:
            state = self._tell_status(state, out)  # at once: until it knows, the server offers what is refused
        if state.draining and not state.jobs:
            for waiting in state.waits_for_drain:
                out.reply(None, waiting)
            state = replace(state, waits_for_drain=())
            if state.waits_for_close and state.link is not Link.LEAVING:
                state = self._leave(state, out)
        facts = self._facts(state)
        if facts != self._facts(before):
            out.port(self._ports.publish, facts)
        return state

    def _facts(self, state: WorkerState) -> WorkerFacts:
        now = state.occupancy
        load = told_load(self._profile.capacity, now)
        return WorkerFacts(state.worker_id, state.link, state.draining, load, state.running, now.reserved, state.stats)


def _final_for_new_worker(error: BaseException) -> bool:
    """Whether an answer to a worker that was never taken in will stay the same: its key or secret is wrong."""
    return isinstance(error, APIStatusError) and error.status_code in (401, 403)


def _failure(profile: WorkerProfile, error: BaseException, attempts: int, *, final: bool) -> Exception:
    if final:
        failure: Exception = OptionError(
            f"the LiveKit server at {profile.url} refuses this worker: check api_key and api_secret ({error})"
        )
    else:
        failure = APIConnectionError(
            f"the LiveKit server at {profile.url} could not be reached in {attempts} attempts; the last: {error}"
        )
    failure.__cause__ = error
    return failure
