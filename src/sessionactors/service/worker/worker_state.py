"""What the worker knows: its connection, the ledger of its jobs, and how each offer has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, unique
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from sessionactors.runtime import ReplyTo, Scope

from .capacity import Occupancy
from .messages import JobAcceptArguments, RunningJobInfo

if TYPE_CHECKING:
    from livekit.protocol import agent

NO_JOBS: Final[Mapping[str, JobEntry]] = MappingProxyType({})


@unique
class Link(Enum):
    """Where the connection is."""

    DOWN = "down"
    """None, and none is wanted: before the start, of a worker that does not register, after the end."""
    CONNECTING = "connecting"
    REGISTERING = "registering"
    REGISTERED = "registered"
    WAITING = "waiting"
    """Before the next attempt."""
    LEAVING = "leaving"
    """What is still to be said is sent, then it closes."""
    FAILED = "failed"
    """Given up."""


@dataclass(frozen=True, slots=True)
class Offered:
    """``request_fnc`` looks at it."""

    job: agent.Job


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server was told yes, and has not given the job yet."""

    job: agent.Job
    arguments: JobAcceptArguments


@dataclass(frozen=True, slots=True)
class Running:
    """It runs here."""

    info: RunningJobInfo
    ending: str = ""
    """Why it is coming to its end; empty: it is not."""


JobEntry: TypeAlias = Offered | Accepted | Running


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """How offers and jobs have ended, of a worker's whole life.

    ``offered == refused + rejected + never_assigned + lost + assigned`` and those that are open;
    ``assigned + local == succeeded + failed`` and those that run.
    """

    offered: int = 0
    """Offers, those said twice not counted again."""
    refused: int = 0
    """Refused without a look, for want of a slot or while draining."""
    rejected: int = 0
    """``request_fnc`` did not want them, raised, or said nothing."""
    never_assigned: int = 0
    """Accepted, and not given within 7.5 s."""
    lost: int = 0
    """Open when the connection broke, or when the server or the worker took them back."""
    assigned: int = 0
    """Given by the server, and run."""
    local: int = 0
    """Run without a server having given them."""
    succeeded: int = 0
    failed: int = 0
    """The entry point raised."""
    unknown_assignments: int = 0
    """Jobs that came without having been accepted, or too late; each was reported as failed."""
    repeated: int = 0
    """Offers, assignments and terminations that were said twice."""
    frames_refused: int = 0
    """Frames that could not be read, or came before the registration."""
    connections: int = 0
    """Times that the worker was registered."""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """Owned by the worker."""

    link: Link = Link.DOWN
    scope: Scope | None = None
    """The connection's."""
    failures: int = 0
    """Attempts in a row that led to no lasting connection."""
    registered_at: int = 0
    """Kernel clock, ns."""
    worker_id: str = ""
    jobs: Mapping[str, JobEntry] = field(default_factory=lambda: NO_JOBS)
    load: float = 0.0
    draining: bool = False
    closing: str = ""
    """Why the worker is closing; empty: it is not."""
    full: bool = False
    """What the server was told last."""
    unreported: tuple[tuple[str, str], ...] = ()
    """Jobs that ended while there was no server to tell: id and error."""
    waits_for_drain: tuple[ReplyTo, ...] = ()
    waits_for_close: tuple[ReplyTo, ...] = ()
    stats: WorkerStats = field(default_factory=WorkerStats)

    def put(self, job_id: str, entry: JobEntry) -> WorkerState:
        """With this entry in the ledger."""
        return replace(self, jobs=MappingProxyType({**self.jobs, job_id: entry}))

    def drop(self, job_id: str) -> WorkerState:
        """Without this entry."""
        return replace(self, jobs=MappingProxyType({key: job for key, job in self.jobs.items() if key != job_id}))

    def count(self, **more: int) -> WorkerState:
        """With these counts raised."""
        counts = {name: getattr(self.stats, name) + by for name, by in more.items()}
        return replace(self, stats=replace(self.stats, **counts))

    @property
    def running(self) -> tuple[RunningJobInfo, ...]:
        """Jobs that run, in the order of their beginning."""
        return tuple(entry.info for entry in self.jobs.values() if isinstance(entry, Running))

    @property
    def occupancy(self) -> Occupancy:
        """What is taken."""
        running = sum(isinstance(entry, Running) for entry in self.jobs.values())
        return Occupancy(running, len(self.jobs) - running, self.load, self.draining)


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What others may know of a worker, as of the last message it handled."""

    id: str = ""
    link: Link = Link.DOWN
    draining: bool = False
    load: float = 0.0
    """As the server is told."""
    running: tuple[RunningJobInfo, ...] = ()
    reserved: int = 0
    """Slots of jobs that do not run yet."""
    stats: WorkerStats = field(default_factory=WorkerStats)
