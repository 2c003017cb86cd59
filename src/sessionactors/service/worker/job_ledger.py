"""The ledger of jobs: each offer is refused, or has one slot until it is refused after all, lost, or run to its end.

The worker's handlers for it. What they may take is decided by ``capacity``; what is said is put into frames by
``wire``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from sessionactors.runtime import EffectPort, Outbox, Overflow

from . import wire
from .capacity import Refusal, refusal
from .job_request import JobRequest
from .messages import (
    AnswerOverdue,
    Assigned,
    AssignmentNews,
    AssignmentOverdue,
    JobAcceptArguments,
    JobAssigned,
    JobEnded,
    JobEnding,
    NotAssigned,
    RequestEnded,
    RunningJobInfo,
    ShutDown,
    WorkerMessage,
)
from .worker_ports import WorkerPorts, WorkerProfile
from .worker_state import Accepted, Link, Offered, Running, WorkerState

if TYPE_CHECKING:
    from livekit.protocol import agent

ASSIGNED_WITHIN: Final = 7.5
"""Seconds that the server may take to give a job that was accepted."""
ANSWER_WITHIN: Final = 10.0
"""Seconds that ``request_fnc`` may take: LiveKit's server waits no longer."""
MUST_NOT_DROP: Final = Overflow.REFUSE
UNKNOWN: Final = "this worker has not accepted the job, or the assignment came too late"


class JobLedger:
    """What happens to the jobs of a worker."""

    def __init__(self, profile: WorkerProfile, ports: WorkerPorts) -> None:
        self._profile = profile
        self._ports = ports

    # -- offers ------------------------------------------------------------------------------------------------------

    def offered(self, state: WorkerState, job: agent.Job, out: Outbox[WorkerMessage]) -> WorkerState:
        """The server asks."""
        match state.jobs.get(job.id):
            case Offered():  # the answer to the first is the answer to both
                return state.count(repeated=1)
            case Accepted(_, arguments):
                self._say(state, out, wire.accept(job.id, arguments, self._profile.agent_name))
                return state.count(repeated=1)
            case Running():
                self._say(state, out, wire.refuse(job.id))
                return state.count(repeated=1)
            case None:
                pass
        why = refusal(self._profile.capacity, state.occupancy)
        if why is not None:
            out.log("job_refused", job_id=job.id, job_room=job.room.name, why=why)
            self._say(state, out, wire.refuse(job.id))
            return state.count(offered=1, refused=1)
        state = state.put(job.id, Offered(job)).count(offered=1)
        ask = self._ports.ask
        if ask is None:
            return self.accepted(state, job.id, JobRequest.default_arguments(job.id), out)
        out.timer(_answer(job.id), ANSWER_WITHIN, AnswerOverdue(job.id))
        out.effect(
            _request(job.id),
            _asking(ask, job),
            done=lambda _: RequestEnded(job.id, None),
            failed=lambda error: RequestEnded(job.id, error),
            user_loop=True,
            inlet_overflow=MUST_NOT_DROP,
        )
        return state

    def accepted(
        self, state: WorkerState, job_id: str, arguments: JobAcceptArguments, out: Outbox[WorkerMessage]
    ) -> WorkerState:
        """``request_fnc`` takes it."""
        entry = state.jobs.get(job_id)
        if not isinstance(entry, Offered):
            return self._too_late(state, job_id, out)
        out.cancel_timer(_answer(job_id))
        out.timer(_assignment(job_id), ASSIGNED_WITHIN, AssignmentOverdue(job_id))
        self._say(state, out, wire.accept(job_id, arguments, self._profile.agent_name))
        return state.put(job_id, Accepted(entry.job, arguments))

    def rejected(self, state: WorkerState, job_id: str, out: Outbox[WorkerMessage], *, terminate: bool) -> WorkerState:
        """``request_fnc`` does not take it."""
        if not isinstance(state.jobs.get(job_id), Offered):
            return self._too_late(state, job_id, out)
        out.cancel_timer(_answer(job_id))
        self._say(state, out, wire.refuse(job_id, terminate=terminate))
        return state.drop(job_id).count(rejected=1)

    def request_ended(
        self, state: WorkerState, job_id: str, error: BaseException | None, out: Outbox[WorkerMessage]
    ) -> WorkerState:
        """``request_fnc`` is over; if it has not said anything, that is a no."""
        if error is not None:
            out.log("request_fnc_failed", job_id=job_id, error=repr(error))
        if not isinstance(state.jobs.get(job_id), Offered):
            return state
        if error is None:
            out.log("request_fnc_gave_no_answer", job_id=job_id, so="the job is rejected: call accept() or reject()")
        return self.rejected(state, job_id, out, terminate=False)

    def answer_overdue(self, state: WorkerState, job_id: str, out: Outbox[WorkerMessage]) -> WorkerState:
        """``request_fnc`` hangs."""
        if not isinstance(state.jobs.get(job_id), Offered):
            return state
        out.log("request_fnc_too_slow", job_id=job_id, seconds=ANSWER_WITHIN)
        out.cancel_effect(_request(job_id))
        return self.rejected(state, job_id, out, terminate=False)

    def assignment_overdue(self, state: WorkerState, job_id: str, out: Outbox[WorkerMessage]) -> WorkerState:
        """The slot of a job that never came is free again."""
        if not isinstance(state.jobs.get(job_id), Accepted):
            return state
        why = f"the server has not assigned job {job_id} within {ASSIGNED_WITHIN:g} s"
        out.log("job_never_assigned", job_id=job_id, seconds=ASSIGNED_WITHIN)
        self._inform(out, job_id, NotAssigned(why))
        return state.drop(job_id).count(never_assigned=1)

    def _too_late(self, state: WorkerState, job_id: str, out: Outbox[WorkerMessage]) -> WorkerState:
        self._inform(out, job_id, NotAssigned(f"the answer about job {job_id} came too late: nobody waits for it"))
        return state

    # -- jobs --------------------------------------------------------------------------------------------------------

    def assigned(self, state: WorkerState, message: JobAssigned, out: Outbox[WorkerMessage]) -> WorkerState:
        """The server gives a job."""
        job = message.job
        match state.jobs.get(job.id):
            case Accepted(_, arguments):
                out.cancel_timer(_assignment(job.id))
                self._say(state, out, wire.job_runs(job.id))
                self._inform(out, job.id, Assigned())
                url = message.url or self._profile.url
                info = RunningJobInfo(arguments, job, url, message.token, state.worker_id, fake_job=False)
                return self._run(state, info, out).count(assigned=1)
            case Running():
                return state.count(repeated=1)
            case _:  # said, so that the server does not believe that somebody serves the room
                out.log("unknown_assignment", job_id=job.id, job_room=job.room.name)
                self._say(state, out, wire.job_ended(job.id, UNKNOWN))
                return state.count(unknown_assignments=1)

    def run_local(self, state: WorkerState, info: RunningJobInfo, out: Outbox[WorkerMessage]) -> WorkerState:
        """Run a job that is started here. It takes a slot as any other."""
        why: Refusal | str | None = refusal(self._profile.capacity, state.occupancy)
        if info.job.id in state.jobs:
            why = "a job of this id runs"
        if why is not None:
            out.reply(why)
            return state
        return self._run(state, info, out).count(local=1)

    def terminated(self, state: WorkerState, job_id: str, out: Outbox[WorkerMessage]) -> WorkerState:
        """The server wants a job ended."""
        match state.jobs.get(job_id):
            case Running(_, "") as entry:
                return self._end(state, job_id, entry, "job terminated", out)
            case Offered() | Accepted():
                return self._take_back(state, job_id, f"the server has terminated job {job_id}", out)
            case _:
                return state.count(repeated=1)

    def ending(self, state: WorkerState, job_id: str, reason: str) -> WorkerState:
        """A job ends, by itself or as it was told."""
        entry = state.jobs.get(job_id)
        if not isinstance(entry, Running) or entry.ending:
            return state
        return state.put(job_id, Running(entry.info, reason))

    def ended(
        self, state: WorkerState, job_id: str, error: BaseException | None, out: Outbox[WorkerMessage]
    ) -> WorkerState:
        """A job is over."""
        entry = state.jobs.get(job_id)
        if not isinstance(entry, Running):
            return state
        state = state.drop(job_id).count(**{"succeeded" if error is None else "failed": 1})
        if error is not None:
            out.log("job_failed", job_id=job_id, error=repr(error))
        if entry.info.local:
            return state
        kind = "" if error is None else type(error).__name__  # its text may have been made of what users said
        if state.link is not Link.REGISTERED:
            return replace(state, unreported=(*state.unreported, (job_id, kind)))
        self._say(state, out, wire.job_ended(job_id, kind))
        return state

    def report(self, state: WorkerState, out: Outbox[WorkerMessage]) -> WorkerState:
        """A new registration: what runs goes on here, and what ended meanwhile has ended."""
        if still := [info.job.id for info in state.running if not info.local]:
            self._say(state, out, wire.migrate(still))
        for job_id, kind in state.unreported:
            self._say(state, out, wire.job_ended(job_id, kind))
        return replace(state, unreported=())

    def server_lost(self, state: WorkerState, out: Outbox[WorkerMessage]) -> WorkerState:
        """The connection is gone: the server forgets what it asked and what it was told; what runs goes on."""
        for job_id, entry in state.jobs.items():
            if not isinstance(entry, Running):
                state = self._take_back(state, job_id, "the connection to the server broke", out)
        return state

    def end_all(self, state: WorkerState, reason: str, out: Outbox[WorkerMessage]) -> WorkerState:
        """The worker closes."""
        for job_id, entry in state.jobs.items():
            if isinstance(entry, Offered):
                self._say(state, out, wire.refuse(job_id))  # somebody else may take it at once
            if not isinstance(entry, Running):
                state = self._take_back(state, job_id, "the worker closes", out)
            elif not entry.ending:
                state = self._end(state, job_id, entry, reason, out)
        return state

    def _run(self, state: WorkerState, info: RunningJobInfo, out: Outbox[WorkerMessage]) -> WorkerState:
        job_id, run_job = info.job.id, self._ports.run_job

        async def run(port: EffectPort[WorkerMessage]) -> None:
            async def ending(reason: str) -> None:
                await port.send(JobEnding(job_id, reason))

            await run_job(info, cast("AsyncIterator[ShutDown]", port.inlet), ending)

        out.effect(
            _job(job_id),
            run,
            done=lambda _: JobEnded(job_id, None),
            failed=lambda error: JobEnded(job_id, error),
            user_loop=True,
            inlet_overflow=MUST_NOT_DROP,
        )
        return state.put(job_id, Running(info))

    def _end(
        self, state: WorkerState, job_id: str, entry: Running, reason: str, out: Outbox[WorkerMessage]
    ) -> WorkerState:
        out.feed(_job(job_id), ShutDown(reason))
        return state.put(job_id, Running(entry.info, reason))

    def _take_back(self, state: WorkerState, job_id: str, why: str, out: Outbox[WorkerMessage]) -> WorkerState:
        """A job that does not run yet will not."""
        if isinstance(state.jobs.get(job_id), Offered):
            out.cancel_effect(_request(job_id))
        self._inform(out, job_id, NotAssigned(why))
        out.cancel_timer(_answer(job_id))
        out.cancel_timer(_assignment(job_id))
        return state.drop(job_id).count(lost=1)

    def _inform(self, out: Outbox[WorkerMessage], job_id: str, news: AssignmentNews) -> None:
        if self._ports.ask is not None:
            out.feed(_request(job_id), news)

    @staticmethod
    def _say(state: WorkerState, out: Outbox[WorkerMessage], frame: bytes) -> None:
        if state.link is Link.REGISTERED:
            out.feed("link", frame)


def _asking(
    ask: Callable[[JobRequest], Awaitable[None]], job: agent.Job
) -> Callable[[EffectPort[WorkerMessage]], Awaitable[None]]:
    async def run(port: EffectPort[WorkerMessage]) -> None:
        request = JobRequest(job, port.send, cast("AsyncIterator[AssignmentNews]", port.inlet))
        try:
            await ask(request)
        finally:
            request.over()

    return run


def _request(job_id: str) -> str:
    return f"request:{job_id}"


def _job(job_id: str) -> str:
    return f"job:{job_id}"


def _answer(job_id: str) -> str:
    return f"answer:{job_id}"


def _assignment(job_id: str) -> str:
    return f"assignment:{job_id}"
