"""What a worker is told before it runs. Nothing here needs ``livekit``."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, unique
from typing import Final, Generic, Literal, TypeAlias, TypeVar

import structlog
from typing_extensions import TypedDict

from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import NOT_GIVEN, NotGiven, NotGivenOr, given
from sessionactors.telemetry import Telemetry

from .user_functions import EntryPoint, LoadFunction, RequestFunction, SetupFunction

log = structlog.get_logger("sessionactors.service.worker")

T = TypeVar("T")

DEFAULT_MAX_SESSIONS: Final = 200
"""Jobs at once: as many sessions as one actor loop was measured to carry (docs/architecture.md)."""
DRAIN_TIMEOUT: Final = 3600
DEFAULT_HOST: Final = "127.0.0.1"
LOG_LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL")


@unique
class WorkerType(Enum):
    """For what a job is made: for each room, or for each participant who publishes something."""

    ROOM = "room"
    PUBLISHER = "publisher"


ServerType: TypeAlias = WorkerType


@unique
class JobExecutorType(Enum):
    """How LiveKit's workers run jobs. Here each is a program on this process's loops: nearest to ``THREAD``."""

    PROCESS = "process"
    THREAD = "thread"


@dataclass(frozen=True, slots=True)
class WorkerPermissions:
    """What the agents of a worker may do in a room."""

    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    can_update_metadata: bool = True
    can_publish_sources: Sequence[int] = ()
    """Values of ``livekit.protocol.models.TrackSource``; empty: all."""
    hidden: bool = False
    """Other participants do not see the agent."""


@dataclass(frozen=True, slots=True)
class ServerEnvOption(Generic[T]):
    """An option with one default for ``dev`` and another for ``start``."""

    dev_default: T
    prod_default: T

    @staticmethod
    def getvalue(opt: T | ServerEnvOption[T], devmode: bool) -> T:
        """The value that holds."""
        if isinstance(opt, ServerEnvOption):
            return opt.dev_default if devmode else opt.prod_default
        return opt


LOAD_THRESHOLD: Final = ServerEnvOption(dev_default=math.inf, prod_default=0.7)
LOG_LEVEL: Final = ServerEnvOption(dev_default="DEBUG", prod_default="INFO")
PORT: Final = ServerEnvOption(dev_default=0, prod_default=8081)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The options that :class:`WorkerOptions` and :class:`AgentServer` share."""

    load_threshold: float | ServerEnvOption[float] = LOAD_THRESHOLD
    """Load, as ``load_fnc`` measures it, from which on no job is taken. Without a ``load_fnc`` only ``max_sessions``
    counts."""
    max_sessions: int = DEFAULT_MAX_SESSIONS
    """Jobs at once, >= 1: never one more, however many are offered in one moment."""
    drain_timeout: float = DRAIN_TIMEOUT
    """Seconds that running jobs get after SIGTERM; 0: for ever."""
    shutdown_process_timeout: float = 10.0
    """Seconds that the shutdown callbacks of a job get, all together."""
    session_end_timeout: float = 300.0
    """Seconds that ``on_session_end`` gets."""
    initialize_process_timeout: float = 10.0
    """Seconds that ``setup_fnc`` (``prewarm_fnc``) gets, if it is ``async``."""
    permissions: WorkerPermissions = field(default_factory=WorkerPermissions)
    """What agents may do in their rooms."""
    max_retry: int = 16
    """Attempts to connect again before the worker gives up."""
    rescue_every: float | None = None
    """Seconds > 0 between two looks for rooms whose agent went with its worker: they are dispatched again. None: no
    looks. For workers of the type ``ROOM``; give it to all workers of an ``agent_name``, or to none."""
    ws_url: str | None = None
    """``ws://``, ``wss://``, ``http://`` or ``https://``; environment: ``LIVEKIT_URL``."""
    api_key: str | None = field(default=None, repr=False)
    """Environment: ``LIVEKIT_API_KEY``."""
    api_secret: str | None = field(default=None, repr=False)
    """Environment: ``LIVEKIT_API_SECRET``."""
    log_level: str | ServerEnvOption[str] = LOG_LEVEL
    """TRACE, DEBUG, INFO, WARN, ERROR or CRITICAL; environment: ``LIVEKIT_LOG_LEVEL``."""
    host: str = DEFAULT_HOST
    """Address of the health endpoint: this machine only; ``""`` or ``"0.0.0.0"`` for all interfaces."""
    port: int | ServerEnvOption[int] = PORT
    """Port of the health endpoint; 0: any free one."""
    http_proxy: NotGivenOr[str | None] = NOT_GIVEN
    """For the connection to the server; environment: ``HTTPS_PROXY``, ``HTTP_PROXY``."""
    telemetry: Telemetry | None = None
    """Observes the sessions of all jobs; ``/metrics`` of the health endpoint serves its metrics."""
    prometheus_port: NotGivenOr[int | None] = NOT_GIVEN
    """Serve ``/metrics`` here too, 0: at any free port; without ``telemetry`` of one that only counts."""
    job_executor_type: NotGivenOr[JobExecutorType] = NOT_GIVEN
    """Without effect, as all that follow but the limit: a job is no process of its own."""
    num_idle_processes: NotGivenOr[int | ServerEnvOption[int]] = NOT_GIVEN
    multiprocessing_context: NotGivenOr[Literal["spawn", "forkserver"]] = NOT_GIVEN
    preload_modules: NotGivenOr[list[str] | None] = NOT_GIVEN
    job_memory_warn_mb: NotGivenOr[float] = NOT_GIVEN
    prometheus_multiproc_dir: NotGivenOr[str | None] = NOT_GIVEN
    job_memory_limit_mb: float = 0
    """Must be 0: one job of a process cannot be killed for its memory."""

    def __post_init__(self) -> None:
        self._check_numbers()
        _check_log_level(self.log_level)
        if self.job_memory_limit_mb:
            raise OptionError(
                f"job_memory_limit_mb={self.job_memory_limit_mb!r}: all jobs of a worker share one process, and none "
                "can be killed for its memory alone; limit the memory of the container, and max_sessions"
            )
        if idle := [name for name in WITHOUT_EFFECT if not isinstance(getattr(self, name), NotGiven)]:
            log.warning(
                "worker_options_without_effect",
                options=idle,
                why="jobs are sessions on this process's actor loop, not processes",
            )

    def observer(self) -> Telemetry | None:
        """Who observes the sessions; None: nobody.

        Raises:
            OptionError: the extra ``prometheus`` is not installed.
        """
        telemetry = self.telemetry
        if given(self.prometheus_port, None) is not None:
            telemetry = telemetry or Telemetry(traces=False)
            _ = telemetry.registry
        return telemetry

    def _check_numbers(self) -> None:
        number: object = self.max_sessions
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise OptionError(f"max_sessions must be a whole number >= 1, got {number!r}")
        for name in ("drain_timeout", "shutdown_process_timeout", "session_end_timeout", "initialize_process_timeout"):
            if not getattr(self, name) >= 0:
                raise OptionError(f"{name} must be >= 0 seconds, got {getattr(self, name)!r}")
        if self.rescue_every is not None and not self.rescue_every > 0:
            raise OptionError(f"rescue_every must be > 0 seconds or None, got {self.rescue_every!r}")
        if self.max_retry < 0:
            raise OptionError(f"max_retry must be >= 0, got {self.max_retry!r}")
        thresholds = [ServerEnvOption.getvalue(self.load_threshold, devmode) for devmode in (True, False)]
        if not all(threshold > 0 for threshold in thresholds):
            raise OptionError(f"load_threshold must be > 0, got {min(thresholds)!r}")


WITHOUT_EFFECT: Final = (
    "job_executor_type",
    "num_idle_processes",
    "multiprocessing_context",
    "preload_modules",
    "job_memory_warn_mb",
    "prometheus_multiproc_dir",
)


class ServerOptionsGiven(TypedDict, total=False):
    """The fields of :class:`ServerSettings`, as keyword arguments."""

    load_threshold: float | ServerEnvOption[float]
    max_sessions: int
    drain_timeout: float
    shutdown_process_timeout: float
    session_end_timeout: float
    initialize_process_timeout: float
    permissions: WorkerPermissions
    max_retry: int
    rescue_every: float | None
    ws_url: str | None
    api_key: str | None
    api_secret: str | None
    log_level: str | ServerEnvOption[str]
    host: str
    port: int | ServerEnvOption[int]
    http_proxy: NotGivenOr[str | None]
    job_executor_type: NotGivenOr[JobExecutorType]
    num_idle_processes: NotGivenOr[int | ServerEnvOption[int]]
    multiprocessing_context: NotGivenOr[Literal["spawn", "forkserver"]]
    preload_modules: NotGivenOr[list[str] | None]
    job_memory_warn_mb: NotGivenOr[float]
    telemetry: Telemetry | None
    prometheus_port: NotGivenOr[int | None]
    prometheus_multiproc_dir: NotGivenOr[str | None]
    job_memory_limit_mb: float


@dataclass(frozen=True, slots=True)
class WorkerOptions(ServerSettings):
    """What ``cli.run_app`` runs: an entry point, and how its worker behaves.

    Raises:
        OptionError: a function cannot be called, or an option is out of range.
    """

    entrypoint_fnc: EntryPoint
    """Called once for each job, on the loop of the worker."""
    request_fnc: RequestFunction | None = None
    """Looks at each job that is offered and accepts or rejects it; None accepts all."""
    prewarm_fnc: SetupFunction | None = None
    """Called once with the :class:`JobProcess` before the first job: load here what all jobs share."""
    load_fnc: LoadFunction | None = None
    """Measures the load, 0 to 1, each half second in a thread; None: the share of ``max_sessions`` that is taken."""
    agent_name: str = ""
    """Named: only jobs that ask for this name. Environment: ``LIVEKIT_AGENT_NAME``."""
    worker_type: WorkerType = WorkerType.ROOM
    """A job for each room, or for each publisher."""

    def __post_init__(self) -> None:
        ServerSettings.__post_init__(self)  # super() would look for the class as it was before its slots
        if not callable(self.entrypoint_fnc):
            raise OptionError(f"entrypoint_fnc must be an async function of a JobContext, got {self.entrypoint_fnc!r}")
        for name in ("request_fnc", "prewarm_fnc", "load_fnc"):
            function = getattr(self, name)
            if function is not None and not callable(function):
                raise OptionError(f"{name} must be a function or None, got {function!r}")


ServerOptions: TypeAlias = WorkerOptions


def _check_log_level(level: str | ServerEnvOption[str]) -> None:
    for name in (level.dev_default, level.prod_default) if isinstance(level, ServerEnvOption) else (level,):
        if name.upper() not in LOG_LEVELS:
            raise OptionError(f"log_level {name!r} is unknown; there are: {', '.join(LOG_LEVELS)}")


def agent_name_for(given: str) -> str:
    """The name that holds: ``LIVEKIT_AGENT_NAME_OVERRIDE``, or what was given, or ``LIVEKIT_AGENT_NAME``."""
    return os.environ.get("LIVEKIT_AGENT_NAME_OVERRIDE") or given or os.environ.get("LIVEKIT_AGENT_NAME", "")
