"""What the worker is made with: who it is, and how it reaches the server and users' code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from sessionactors.runtime import Scope

from .capacity import Capacity
from .messages import LinkOpened, RunningJobInfo, ShutDown
from .options import WorkerPermissions, WorkerType
from .worker_state import WorkerFacts

if TYPE_CHECKING:
    from livekit.protocol import agent

    from .job_request import JobRequest
    from .wire import FromServer

Tell: TypeAlias = "Callable[[LinkOpened | FromServer], Awaitable[None]]"


class RunLink(Protocol):
    """Runs one connection; see :func:`.link.run_link`."""

    async def __call__(self, scope: Scope, tell: Tell, outgoing: AsyncIterator[bytes]) -> None:
        """Connect, send and tell, until ``outgoing`` ends."""


class RunJob(Protocol):
    """Runs one job to its very end; see :mod:`.job_life`."""

    async def __call__(
        self, info: RunningJobInfo, orders: AsyncIterator[ShutDown], ending: Callable[[str], Awaitable[None]]
    ) -> None:
        """Run it; ``ending`` is told why it begins to end.

        Raises:
            BaseException: what its entry point raised.
        """


@dataclass(frozen=True, slots=True)
class WorkerProfile:
    """Who the worker is."""

    url: str
    """The server's; jobs whose assignment names none are there."""
    agent_name: str
    kind: WorkerType
    permissions: WorkerPermissions
    deployment: str
    version: str
    capacity: Capacity
    max_retry: int
    registers: bool
    """False: it serves only jobs that are started here."""


@dataclass(frozen=True, slots=True)
class WorkerPorts:
    """How it reaches the world. All but the last two are effects; those return at once."""

    link: RunLink
    ask: Callable[[JobRequest], Awaitable[None]] | None
    """``request_fnc``; None: all jobs are accepted."""
    run_job: RunJob
    measure: Callable[[], Awaitable[float]] | None
    """``load_fnc``."""
    publish: Callable[[WorkerFacts], object]
    registered: Callable[[str, agent.RegisterWorkerResponse], object]
    failed: Callable[[BaseException], object]
    """The connection was given up."""
