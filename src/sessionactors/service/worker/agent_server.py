"""``AgentServer``: a worker as its program holds it. The work is done by the worker's actor and the jobs it runs.

It lives on the loop of :meth:`AgentServer.run`: there its jobs run, and there it is to be called. What is only read may
be read from any thread.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import fields, replace
from itertools import count
from typing import TYPE_CHECKING, Final, cast

import structlog
from typing_extensions import Unpack

from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given
from sessionactors.runtime import ActorSystem, InternalError, Ref, Scope, awaited
from sessionactors.session import shared_system

from .capacity import Capacity
from .endpoint import Endpoint
from .job_context import JobContext, JobPlace
from .job_life import run_job
from .job_process import JobProcess, set_up
from .local_job import local_job
from .messages import CloseWorker, DrainWorker, RunJob, RunningJobInfo, ShutDown, WorkerMessage
from .options import ServerEnvOption, ServerOptionsGiven, ServerSettings, WorkerOptions
from .server_dispatches import look_after
from .server_program import ServerProgram, WorkerInfo
from .user_functions import LoadFunction, SetupFunction, measured
from .worker_state import Link, WorkerFacts, WorkerStats
from .world import World, identity_in, real_world

if TYPE_CHECKING:
    from livekit.protocol import agent, models

    from sessionactors.telemetry import Telemetry

    from .forsaken_rooms import ForsakenRooms
    from .health import HealthEndpoint, WorkerReport
    from .job_request import JobRequest
    from .worker_ports import Tell

STOPPED_WITHIN: Final = 1.0
"""Seconds for the worker's actor to end when all its jobs have."""
CANCELLED_WITHIN: Final = 2.0
"""Seconds for all of it when :meth:`AgentServer.run` is cancelled."""
CLOSED: Final = "worker closed"
JOINS_AT_ONCE: Final = 8
"""Rooms: joining one costs the SDK a third of a second of CPU, and fifty at once would all be late."""

log = structlog.get_logger("sessionactors.service.worker")
_names = count(1)


class AgentServer(ServerProgram):
    """Takes jobs from a LiveKit server and runs each on this process's loops.

    Args:
        setup_fnc: called once with the :class:`.JobProcess` before the first job.
        load_fnc: measures the load; None: the share of ``max_sessions`` that is taken.
        options: the fields of :class:`.ServerSettings`.

    Raises:
        OptionError: an option is out of range.
    """

    def __init__(
        self,
        *,
        setup_fnc: SetupFunction | None = None,
        load_fnc: LoadFunction | None = None,
        **options: Unpack[ServerOptionsGiven],
    ) -> None:
        super().__init__(ServerSettings(**options), setup_fnc, load_fnc)
        self._proc = JobProcess()
        self._facts = WorkerFacts()
        self._endpoint = Endpoint("", "", "")
        self._devmode = False
        self._world: World | None = None
        self._system: ActorSystem | None = None
        self._ref: Ref[WorkerMessage] | None = None
        self._name = ""
        self._over: asyncio.Future[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._joins = asyncio.Semaphore(JOINS_AT_ONCE)
        self._health: HealthEndpoint | None = None
        self._telemetry: Telemetry | None = None
        self._forsaken: ForsakenRooms | None = None

    @classmethod
    def from_server_options(cls, options: WorkerOptions) -> AgentServer:
        """The server of a program that has its options as one value."""
        server = cls(setup_fnc=options.prewarm_fnc, load_fnc=options.load_fnc)
        server._settings = ServerSettings(
            **{field.name: getattr(options, field.name) for field in fields(ServerSettings)}
        )
        server.rtc_session(
            options.entrypoint_fnc,
            agent_name=options.agent_name,
            type=options.worker_type,
            on_request=options.request_fnc,
        )
        return server

    # -- life --------------------------------------------------------------------------------------------------------

    async def run(self, *, devmode: bool = False, unregistered: bool = False) -> None:
        """Register and serve, until :meth:`aclose`.

        Args:
            devmode: the defaults of ``dev``: no load threshold, any free port.
            unregistered: do not connect to a server; only :meth:`simulate_job` starts jobs.

        Raises:
            SessionStateError: it runs, it has no entry point, or ``setup_fnc`` has not returned in time.
            OptionError: the server's URL, key or secret is missing, or refused.
            APIConnectionError: the connection was given up after ``max_retry`` attempts.
            ImportError: the extra ``livekit-worker`` is not installed.
            Exception: what ``setup_fnc`` raised.
        """
        if self._over is not None:
            raise SessionStateError("this AgentServer runs already, or has been closed")
        entry_point = self.entrypoint_fnc
        self._devmode = devmode
        self._endpoint = Endpoint.of(self._settings)
        if not unregistered:
            self._endpoint.check()
        loop = asyncio.get_running_loop()
        self._over = over = loop.create_future()
        try:
            if self._world is None:
                self._world = await asyncio.to_thread(real_world)
            async with self._starting:  # whoever closes it meanwhile waits for that
                if self._ending is not None:
                    return
                await set_up(self._setup_fnc, self._proc, self._settings.initialize_process_timeout)
                await self._begin(loop, registers=not unregistered)
            log.info("worker_started", name=self._name, agent_name=self._agent_name, entry_point=repr(entry_point))
            self._emit("worker_started")
            await asyncio.shield(over)
        except asyncio.CancelledError:
            await self._cancelled()
            raise
        except BaseException:
            await self.aclose()
            raise

    async def _begin(self, loop: asyncio.AbstractEventLoop, *, registers: bool) -> None:
        from sessionactors import __version__

        from .health import HealthEndpoint
        from .worker_actor import Worker
        from .worker_ports import WorkerPorts, WorkerProfile

        settings = self._settings
        capacity = Capacity(
            settings.max_sessions,
            ServerEnvOption.getvalue(settings.load_threshold, self._devmode),
            self._load_fnc is not None,
        )
        profile = WorkerProfile(
            self._endpoint.url,
            self._agent_name,
            self._kind,
            settings.permissions,
            self._endpoint.deployment,
            __version__,
            capacity,
            settings.max_retry,
            registers,
        )

        def post(call: Callable[..., object], *arguments: object) -> None:
            with suppress(RuntimeError):  # the loop is closed, and with it the program
                loop.call_soon_threadsafe(call, *arguments)

        ports = WorkerPorts(
            link=self._run_link,
            ask=self._ask if self._request_fnc is not None else None,
            run_job=self._run_job,
            measure=self._measure if self._load_fnc is not None else None,
            publish=self._publish,
            registered=lambda worker_id, response: post(self._registered, worker_id, response),
            failed=lambda error: post(self._failed, error),
        )
        self._system = system = await shared_system.acquire(loop)
        number = next(_names)
        self._name = "livekit-worker" if number == 1 else f"livekit-worker-{number}"
        self._ref = await awaited.spawn(
            system, self._name, lambda: Worker(profile, ports), user_loop=loop, user_context=contextvars.copy_context()
        )
        system.when_tree_ended(self._name, lambda: post(self._tree_ended))
        port = ServerEnvOption.getvalue(settings.port, self._devmode)
        self._telemetry = settings.observer()
        other = given(settings.prometheus_port, None)
        self._health = HealthEndpoint(settings.host, port, self._report, system.loop, self._telemetry, other)
        await self._health.start()
        if registers and settings.rescue_every is not None:
            self._forsaken = look_after(self._endpoint, profile, settings.rescue_every, lambda: self._facts)

    async def drain(self, timeout: NotGivenOr[float | None] = NOT_GIVEN) -> None:
        """Take no more jobs, and wait until those that run have ended by themselves.

        Args:
            timeout: seconds; ``drain_timeout`` if not given; None or 0: as long as it takes.

        Raises:
            TimeoutError: some run still. They go on: :meth:`aclose` ends them.
        """
        if self._ref is None or self._ending is not None:
            return
        seconds = given(timeout, self._settings.drain_timeout)
        log.info("worker_drains", name=self._name, jobs=len(self.active_jobs), timeout=seconds)
        async with asyncio.timeout(seconds or None):
            await self._ref.ask(DrainWorker(), block=False, timeout=None)

    async def aclose(self, *, deadline: float | None = None) -> None:
        """End all jobs, report their ends, and leave the server. A second call waits for the first.

        Args:
            deadline: seconds; then what still runs is cancelled. None: each step of each job has its own bound.
        """
        if self._over is None:
            return
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(deadline), name="worker closes")
        await asyncio.shield(self._ending)

    async def _cancelled(self) -> None:
        await self.aclose(deadline=CANCELLED_WITHIN)

    async def _end(self, deadline: float | None) -> None:
        async with self._starting:
            system, ref = self._system, self._ref
        if self._health is not None:
            await self._health.aclose()
        if self._forsaken is not None:
            await self._forsaken.aclose()
        if system is not None:
            if ref is not None and ref.is_alive():
                with suppress(TimeoutError):
                    async with asyncio.timeout(deadline):
                        await ref.ask(CloseWorker(CLOSED), block=False, timeout=None)
            await system.stop_tree(self._name, STOPPED_WITHIN)
            await shared_system.release(system)
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    async def simulate_job(
        self,
        room: str,
        *,
        fake_job: bool = False,
        agent_identity: str | None = None,
        room_info: models.Room | None = None,
        token: str | None = None,
    ) -> None:
        """Run a job that no server gave; returns when it has begun.

        Args:
            room: its room.
            fake_job: there is no such room at a server.
            agent_identity: the agent's; needed unless it is a fake job, or the token says it.
            room_info: the room as the server describes it.
            token: lets the agent in; made of the worker's key if not given.

        Raises:
            OptionError: an identity is needed.
            SessionStateError: the worker does not run, or has no slot.
        """
        if self._ref is None or self._ending is not None:
            raise SessionStateError("simulate_job() needs a server that runs: await it after worker_started")
        endpoint = self._endpoint
        if not agent_identity and not fake_job and token is None:
            raise OptionError("simulate_job() needs agent_identity, or a token that says it, or fake_job=True")
        identity = agent_identity or ("" if token is None else identity_in(token))
        if token is None:
            token = endpoint.room_jwt(room, identity) if endpoint.api_secret and identity else ""
        info = local_job(
            room,
            fake=fake_job,
            identity=identity,
            room=room_info,
            url=endpoint.url,
            token=token,
            worker_id=self.id,
        )
        why = await self._ref.ask(RunJob(info), block=False)
        if why is not None:
            raise SessionStateError(f"the job for room {room!r} was refused: {why}")

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The worker's, as its server named it; ``"unregistered"`` before."""
        return self._facts.id or "unregistered"

    @property
    def active_jobs(self) -> list[RunningJobInfo]:
        """The jobs that run."""
        return list(self._facts.running)

    @property
    def draining(self) -> bool:
        """Whether it takes no more jobs."""
        return self._facts.draining

    @property
    def stats(self) -> WorkerStats:
        """How offers and jobs have ended."""
        return self._facts.stats

    @property
    def worker_load(self) -> float:
        """The load, as the server is told."""
        return self._facts.load

    @property
    def worker_info(self) -> WorkerInfo:
        """Where it can be asked how it is."""
        port = 0 if self._health is None else self._health.port
        return WorkerInfo(port, cloud_agents=bool(self._endpoint.worker_token))

    def __repr__(self) -> str:
        return f"<AgentServer {self.id} {self._facts.link.value}, {len(self._facts.running)} jobs>"

    # -- within ------------------------------------------------------------------------------------------------------

    def _runs(self) -> bool:
        return self._over is not None and not self._over.done()

    def _report(self) -> WorkerReport:
        from sessionactors import __version__

        from .health import WorkerReport

        facts = self._facts
        failed = facts.link is Link.FAILED
        return WorkerReport(self._kind, self._agent_name, len(facts.running), facts.load, failed, __version__)

    def _publish(self, facts: WorkerFacts) -> None:
        self._facts = facts  # on the actor loop; others only read it

    def _registered(self, worker_id: str, response: agent.RegisterWorkerResponse) -> None:
        log.info("worker_registered", id=worker_id, url=self._endpoint.url, region=response.server_info.region)
        self._emit("worker_registered", worker_id, response.server_info)

    def _failed(self, error: BaseException) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_exception(error)

    def _tree_ended(self) -> None:
        if self._ending is None:
            self._failed(InternalError(f"the actor {self._name} failed: please report it, with its log lines"))

    async def _run_link(self, scope: Scope, tell: Tell, outgoing: AsyncIterator[bytes]) -> None:
        from .link import run_link

        await run_link(await self._outside().dial(self._endpoint), scope, tell, outgoing)

    async def _ask(self, request: JobRequest) -> None:
        if self._request_fnc is not None:
            await self._request_fnc(request)
        if request.rejected_for_all:
            self._settle(request.job)

    def _settle(self, job: agent.Job) -> None:
        if self._forsaken is not None and self._ending is None:  # while it closes another worker may go on with it
            self._forsaken.settle(job.dispatch_id, job.room.name)

    async def _measure(self) -> float:
        return await measured(cast("LoadFunction", self._load_fnc), self)

    async def _run_job(
        self, info: RunningJobInfo, orders: AsyncIterator[ShutDown], ending: Callable[[str], Awaitable[None]]
    ) -> None:
        world, settings = self._outside(), self._settings
        endpoint = replace(self._endpoint, url=info.url)
        place = JobPlace(info, self._proc, endpoint, self._joins, self._telemetry)
        ctx = JobContext(world.new_room(info), place=place)
        bounds = replace(
            world.bounds, session_end=settings.session_end_timeout, callbacks=settings.shutdown_process_timeout
        )
        try:
            await run_job(ctx, self.entrypoint_fnc, orders, ending, bounds=bounds, on_session_end=self._session_end_fnc)
        finally:
            self._settle(info.job)

    def _outside(self) -> World:
        if self._world is None:
            raise InternalError("a worker runs without a world: please report it")
        return self._world
