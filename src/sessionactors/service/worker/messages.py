"""What is told to the worker: by its connection, its timers, users' code that it runs, and the ``AgentServer``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from sessionactors.runtime import Lane, Scope, message

if TYPE_CHECKING:
    from livekit.protocol import agent

# -- values ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JobAcceptArguments:
    """How the agent shall appear in the room."""

    name: str
    identity: str
    metadata: str
    attributes: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RunningJobInfo:
    """A job as it is run."""

    accept_arguments: JobAcceptArguments
    job: agent.Job
    url: str
    """Of the server that the room is on."""
    token: str = field(repr=False)
    """Lets the agent into the room."""
    worker_id: str
    fake_job: bool
    """It has no room at a server."""
    local: bool = False
    """Started here, by :meth:`AgentServer.simulate_job`: the server knows nothing of it."""


@dataclass(frozen=True, slots=True)
class ShutDown:
    """An order to a running job: come to your end."""

    reason: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """News for who accepted a job: it is theirs, and runs."""


@dataclass(frozen=True, slots=True)
class NotAssigned:
    """News for who accepted a job: it will not come."""

    why: str


AssignmentNews: TypeAlias = Assigned | NotAssigned

# -- the connection: each belongs to one of them (its scope), and is worth nothing after it ----------------------------


@message(fenced=True)
class LinkOpened:
    """``link`` effect: the WebSocket is open."""

    scope: Scope


@message(fenced=True)
class Registered:
    """The server has taken the worker in."""

    scope: Scope
    worker_id: str
    response: agent.RegisterWorkerResponse


@message(fenced=True)
class JobOffered:
    """The server asks whether the worker takes a job."""

    scope: Scope
    job: agent.Job
    resuming: bool


@message(fenced=True)
class JobAssigned:
    """The server gives a job that was accepted."""

    scope: Scope
    job: agent.Job
    url: str
    token: str = field(repr=False)


@message(fenced=True)
class JobTerminated:
    """The server wants a job ended."""

    scope: Scope
    job_id: str


@message(fenced=True)
class FrameIgnored:
    """A frame that says nothing to this worker."""

    scope: Scope
    kind: str


@message(fenced=True)
class FrameRefused:
    """A frame that cannot be read."""

    scope: Scope
    why: str


@message()
class LinkEnded:
    """``link`` effect: the connection is over; ``error`` is None if the worker wanted that."""

    scope: Scope
    error: BaseException | None


# -- timers ----------------------------------------------------------------------------------------------------------


@message()
class ConnectNow:
    """Try again."""


@message(fenced=True)
class RegistrationOverdue:
    """The server has not answered to the registration."""

    scope: Scope


@message()
class StatusDue:
    """Tell the server load and status."""


@message()
class LoadDue:
    """Measure the load."""


@message()
class AssignmentOverdue:
    """A job that was accepted has not come."""

    job_id: str


@message()
class AnswerOverdue:
    """``request_fnc`` has said nothing about a job, and the server waits no longer."""

    job_id: str


@message()
class LeaveOverdue:
    """The connection does not take leave."""

    scope: Scope


# -- users' code -----------------------------------------------------------------------------------------------------


@message()
class RequestAccepted:
    """``request_fnc`` takes the job."""

    job_id: str
    arguments: JobAcceptArguments


@message()
class RequestRejected:
    """``request_fnc`` does not take the job; ``terminate``: and nobody else shall."""

    job_id: str
    terminate: bool


@message()
class RequestEnded:
    """``request_fnc`` has returned, or raised."""

    job_id: str
    error: BaseException | None


@message()
class JobEnding:
    """A job has begun to end, by whatever cause."""

    job_id: str
    reason: str


@message()
class JobEnded:
    """A job is over; ``error`` is what its entry point raised."""

    job_id: str
    error: BaseException | None


@message()
class LoadMeasured:
    """``load_fnc`` has returned."""

    load: float


@message()
class LoadFailed:
    """``load_fnc`` raised."""

    error: BaseException


# -- the AgentServer -------------------------------------------------------------------------------------------------


@message(lane=Lane.CONTROL)
class RunJob:
    """Run a job that no server gave. The reply is None, or why it is refused."""

    running: RunningJobInfo


@message(lane=Lane.CONTROL)
class DrainWorker:
    """Take no more jobs; the reply comes when all are over."""


@message(lane=Lane.CONTROL)
class CloseWorker:
    """End all jobs and leave the server; the reply comes when that is done."""

    reason: str


WorkerMessage: TypeAlias = (
    LinkOpened
    | Registered
    | JobOffered
    | JobAssigned
    | JobTerminated
    | FrameIgnored
    | FrameRefused
    | LinkEnded
    | ConnectNow
    | RegistrationOverdue
    | StatusDue
    | LoadDue
    | AssignmentOverdue
    | AnswerOverdue
    | LeaveOverdue
    | RequestAccepted
    | RequestRejected
    | RequestEnded
    | JobEnding
    | JobEnded
    | LoadMeasured
    | LoadFailed
    | RunJob
    | DrainWorker
    | CloseWorker
)
"""What the worker understands."""
