"""The agent worker protocol: protobuf frames to messages, and what the worker says to frames. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from google.protobuf.message import DecodeError
from livekit.protocol import agent, models

from sessionactors.runtime import Scope

from .messages import (
    FrameIgnored,
    FrameRefused,
    JobAcceptArguments,
    JobAssigned,
    JobOffered,
    JobTerminated,
    Registered,
)
from .options import WorkerPermissions, WorkerType

FromServer: TypeAlias = Registered | JobOffered | JobAssigned | JobTerminated | FrameIgnored | FrameRefused

AGENT_NAME_ATTRIBUTE = "lk.agent.name"
ERROR_LENGTH = 200
"""Characters of an error that the server is told."""


def read_frame(frame: bytes | str, scope: Scope) -> FromServer:
    """What a frame of the server says. One that cannot be read is a :class:`FrameRefused`, and costs nothing else."""
    if isinstance(frame, str):
        return FrameRefused(scope, f"text where the protocol is binary, {len(frame)} characters")
    server = agent.ServerMessage()
    try:
        server.ParseFromString(frame)
    except DecodeError as error:
        return FrameRefused(scope, f"no ServerMessage, {len(frame)} bytes: {error}")
    match server.WhichOneof("message"):
        case "register":
            return Registered(scope, server.register.worker_id, server.register)
        case "availability" if server.availability.job.id:
            return JobOffered(scope, server.availability.job, server.availability.resuming)
        case "assignment" if server.assignment.job.id:
            assignment = server.assignment
            return JobAssigned(scope, assignment.job, assignment.url, assignment.token)
        case "termination" if server.termination.job_id:
            return JobTerminated(scope, server.termination.job_id)
        case "availability" | "assignment" | "termination" as kind:
            return FrameRefused(scope, f"{kind} of a job without an id")
        case None:
            return FrameRefused(scope, f"a ServerMessage that says nothing, {len(frame)} bytes")
        case kind:
            return FrameIgnored(scope, kind)


def register(kind: WorkerType, permissions: WorkerPermissions, agent_name: str, deployment: str, version: str) -> bytes:
    """The first frame of a worker."""
    said = agent.WorkerMessage()
    said.register.type = agent.JobType.JT_PUBLISHER if kind is WorkerType.PUBLISHER else agent.JobType.JT_ROOM
    said.register.allowed_permissions.CopyFrom(
        models.ParticipantPermission(
            can_publish=permissions.can_publish,
            can_subscribe=permissions.can_subscribe,
            can_publish_data=permissions.can_publish_data,
            can_update_metadata=permissions.can_update_metadata,
            can_publish_sources=[models.TrackSource.Name(source) for source in permissions.can_publish_sources],
            hidden=permissions.hidden,
            agent=True,
        )
    )
    said.register.agent_name = agent_name
    said.register.deployment = deployment
    said.register.version = version
    return said.SerializeToString()


def accept(job_id: str, arguments: JobAcceptArguments, agent_name: str) -> bytes:
    """Yes to an offer."""
    said = agent.WorkerMessage()
    answer = said.availability
    answer.job_id = job_id
    answer.available = True
    answer.participant_identity = arguments.identity
    answer.participant_name = arguments.name
    answer.participant_metadata = arguments.metadata
    answer.participant_attributes[AGENT_NAME_ATTRIBUTE] = agent_name
    answer.participant_attributes.update(arguments.attributes or {})
    return said.SerializeToString()


def refuse(job_id: str, *, terminate: bool = False) -> bytes:
    """No to an offer; with ``terminate`` nobody else is asked."""
    said = agent.WorkerMessage()
    said.availability.job_id = job_id
    said.availability.available = False
    said.availability.terminate = terminate
    return said.SerializeToString()


def job_runs(job_id: str) -> bytes:
    """A job has begun."""
    return _job(job_id, agent.JobStatus.JS_RUNNING, "")


def job_ended(job_id: str, error: str) -> bytes:
    """A job is over: well, if ``error`` is empty."""
    return _job(job_id, agent.JobStatus.JS_FAILED if error else agent.JobStatus.JS_SUCCESS, error[:ERROR_LENGTH])


def _job(job_id: str, status: agent.JobStatus, error: str) -> bytes:
    said = agent.WorkerMessage(update_job=agent.UpdateJobStatus(job_id=job_id, status=status, error=error))
    return said.SerializeToString()


def migrate(job_ids: Iterable[str]) -> bytes:
    """After a new registration: these go on running here."""
    return agent.WorkerMessage(migrate_job=agent.MigrateJobRequest(job_ids=list(job_ids))).SerializeToString()


def status(*, full: bool, load: float, jobs: int) -> bytes:
    """Load and status."""
    update = agent.UpdateWorkerStatus(
        status=agent.WorkerStatus.WS_FULL if full else agent.WorkerStatus.WS_AVAILABLE, load=load, job_count=jobs
    )
    return agent.WorkerMessage(update_worker=update).SerializeToString()
