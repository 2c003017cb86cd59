"""The job that a session runs in, if it runs in one: found by its room, else by the context variables of the start.

A job is a program that is run for a room, see ``service/worker``. Sessions that are embedded need none of this.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakKeyDictionary, ref

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

_jobs: WeakKeyDictionary[object, ref[Job]] = WeakKeyDictionary()
"""By room. Weak both ways: a job holds its room, and would keep its own entry alive."""


def job_serves(job: Job, room: object) -> None:
    """Sessions that are started in this room belong to this job."""
    _jobs[room] = ref(job)


def as_of_job(room: object | None, transport: Transport | None) -> Transport | None:
    """The transport, as much the job's as the room that it is the way into."""
    job = _job_of(room)
    if job is not None and transport is not None:
        _jobs[transport] = ref(job)
    return transport


def session_starts(transport: Transport | None, session: AgentSession[object]) -> tuple[AnyDropIn, ...]:
    """Tell the session's job, if it has one; returns the drop-ins that the job adds."""
    of_room = _job_of(transport)
    job = of_room or current_job.get()
    return () if job is None else job.session_starts(session, in_room=of_room is not None)


def _job_of(room: object | None) -> Job | None:
    found = None if room is None else _jobs.get(room)
    return None if found is None else found()
