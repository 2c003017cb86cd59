"""The job that a session runs in, if it runs in one: found by its room, else by the context variables of the start.

A job is a program that is run for a room, see ``service/worker``. Sessions that are embedded need none of this.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakKeyDictionary

from sessionactors.interfaces.transport import Transport

from .drop_in import AnyDropIn

if TYPE_CHECKING:
    from .agent_session import AgentSession


class Job(Protocol):
    """What a session tells its job."""

    def session_starts(self, session: AgentSession[object], *, in_room: bool) -> tuple[AnyDropIn, ...]:
        """A session starts, ``in_room`` if it was given the job's room; returns the drop-ins that the job adds."""


current_job: Final[ContextVar[Job | None]] = ContextVar("sessionactors_job", default=None)
"""The job whose program runs here."""

_jobs: WeakKeyDictionary[object, Job] = WeakKeyDictionary()


def job_serves(job: Job, room: object) -> None:
    """Sessions that are started in this room belong to this job."""
    _jobs[room] = job


def as_of_job(room: object | None, transport: Transport | None) -> Transport | None:
    """The transport, as much the job's as the room that it is the way into."""
    job = None if room is None else _jobs.get(room)
    if job is not None and transport is not None:
        _jobs[transport] = job
    return transport


def session_starts(transport: Transport | None, session: AgentSession[object]) -> tuple[AnyDropIn, ...]:
    """Tell the session's job, if it has one; returns the drop-ins that the job adds."""
    of_room = None if transport is None else _jobs.get(transport)
    job = of_room or current_job.get()
    return () if job is None else job.session_starts(session, in_room=of_room is not None)
