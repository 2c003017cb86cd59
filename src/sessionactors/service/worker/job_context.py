"""``JobContext``: what an entry point is given: its room, its job, and what goes with them.

The worker makes one for each job, and the console makes one for the terminal. Everything here is for the loop of the
worker. Nothing needs ``livekit`` before it is asked for.
"""

from __future__ import annotations

import asyncio
import inspect
import tempfile
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, cast, overload

import structlog

from sessionactors.model.errors import SessionStateError
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.drop_in import AnyDropIn
from sessionactors.session.job import current_job, job_serves
from sessionactors.telemetry import Telemetry

from .endpoint import Endpoint
from .job_process import JobProcess
from .job_reports import JobReports
from .joining import AutoSubscribe, join
from .local_job import local_job
from .messages import RunningJobInfo
from .participant_entrypoints import PEOPLE, Kinds, ParticipantEntrypoint, ParticipantEntrypoints, first_participant
from .server_calls import ServerCalls

if TYPE_CHECKING:
    from livekit import api, rtc
    from livekit.api.access_token import Claims
    from livekit.protocol import agent

    from sessionactors.interfaces.transport import Transport

log = structlog.get_logger("sessionactors.service.worker")

ShutdownCallbackT = TypeVar("ShutdownCallbackT", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class JobPlace:
    """What the worker gives to a job of a server."""

    info: RunningJobInfo
    proc: JobProcess
    endpoint: Endpoint = field(repr=False)
    joins: asyncio.Semaphore = field(repr=False)
    """Of all jobs of the worker: so many rooms are joined at once."""
    telemetry: Telemetry | None = field(default=None, repr=False)


class JobContext(ServerCalls, JobReports):
    """Given to an entry point: the room it is called for.

    Args:
        room: give it to ``session.start(room=...)``: a ``livekit.rtc.Room``, or the terminal.
        actors: drop-in actors for the sessions that start in it, besides their own.
        on_session: called with each session that starts in it, before its actors do.
        place: the job, of a worker; None: a job without a server.
    """

    def __init__(
        self,
        room: rtc.Room | Transport,
        *,
        actors: Sequence[AnyDropIn] = (),
        on_session: Callable[[AgentSession[object]], object] | None = None,
        place: JobPlace | None = None,
    ) -> None:
        super().__init__()
        self._room = room
        self._actors = tuple(actors)
        self._on_session = on_session
        self._place, self._info = place, None if place is None else place.info
        self._proc = place.proc if place is not None else JobProcess()
        self.telemetry = None if place is None else place.telemetry
        self._sessions: list[AgentSession[object]] = []
        self._callbacks: list[Callable[[str], object]] = []
        self._entrypoints = ParticipantEntrypoints(self)
        self._log_fields: MutableMapping[str, object] = {}
        self._connecting: asyncio.Task[None] | None = None
        self._shutdown_reason: str | None = None
        self._shutdown_asked = asyncio.Event()
        self._api: api.LiveKitAPI | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        job_serves(self, room)

    # -- what it is --------------------------------------------------------------------------------------------------

    @property
    def job(self) -> agent.Job:
        """The job, as the server describes it; without a server, one that was made up."""
        return self._running_info().job

    @property
    def room(self) -> rtc.Room:
        """The room. :meth:`connect` joins it; before that it has no participants. In the console: the terminal."""
        return cast("rtc.Room", self._room)

    @property
    def proc(self) -> JobProcess:
        """What the jobs of this worker share."""
        return self._proc

    @property
    def worker_id(self) -> str:
        """Of the worker at its server; empty without one."""
        return "" if self._info is None else self._info.worker_id

    @property
    def agent(self) -> rtc.LocalParticipant:
        """The agent in the room, once it is joined."""
        return self.room.local_participant

    @property
    def local_participant_identity(self) -> str:
        """The agent's identity in the room."""
        return self._running_info().accept_arguments.identity

    def token_claims(self) -> Claims:
        """What the token that lets the agent into the room says.

        Raises:
            SessionStateError: there is no token: the job has no server.
        """
        place = self._of_server("token_claims()")
        from livekit.api import TokenVerifier

        endpoint = place.endpoint
        verifier = TokenVerifier(endpoint.api_key or "unused", endpoint.api_secret or "unused")
        return verifier.verify(place.info.token, verify_signature=False)

    @property
    def api(self) -> api.LiveKitAPI:
        """Calls to the server, with the worker's key. Closed when the job ends.

        Raises:
            SessionStateError: the job has no server.
        """
        if self._api is None:
            endpoint = self._of_server("api").endpoint
            from livekit.api import LiveKitAPI

            self._api = LiveKitAPI(endpoint.url, endpoint.api_key, endpoint.api_secret)
        return self._api

    def is_fake_job(self) -> bool:
        """Whether there is no server: the console, tests, ``simulate_job(fake_job=True)``."""
        return self._info is None or self._info.fake_job

    @property
    def session_directory(self) -> Path:
        """A directory for what belongs to this job. It is removed when the job ends."""
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="sessionactors-job-")
        return Path(self._directory.name)

    @property
    def inference_headers(self) -> dict[str, str]:
        """Headers for LiveKit's inference gateway; none, as jobs here are no simulations of it."""
        return {}

    def simulation_context(self) -> None:
        """None: jobs here are no simulations of LiveKit's cloud."""

    @property
    def log_context_fields(self) -> MutableMapping[str, object]:
        """Fields that every log line of this job has, where the worker's logging is used. Change or replace it."""
        return self._log_fields

    @log_context_fields.setter
    def log_context_fields(self, fields: MutableMapping[str, object]) -> None:
        self._log_fields = fields

    # -- its sessions ------------------------------------------------------------------------------------------------

    @property
    def sessions(self) -> tuple[AgentSession[object], ...]:
        """The sessions started in the room."""
        return tuple(self._sessions)

    @property
    def primary_session(self) -> AgentSession[object]:
        """The first session that was started.

        Raises:
            SessionStateError: there is none yet.
        """
        if not self._sessions:
            raise SessionStateError("no AgentSession has been started in this job yet")
        return self._sessions[0]

    def session_starts(self, session: AgentSession[object], *, in_room: bool) -> tuple[AnyDropIn, ...]:
        """Called by the session; returns the drop-ins that the job adds. Joins the room, if that was not done."""
        if in_room and not self.is_fake_job() and self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._join(AutoSubscribe.SUBSCRIBE_ALL))
            self._connecting.add_done_callback(_log_failure)  # the session waits for the room, not for this
        if session not in self._sessions:
            self._sessions.append(session)
        self._observe(session)
        if self._on_session is not None:
            self._on_session(session)
        return self._actors

    # -- the room ----------------------------------------------------------------------------------------------------

    async def connect(
        self,
        *,
        encryption: rtc.E2EEOptions | None = None,
        auto_subscribe: AutoSubscribe = AutoSubscribe.SUBSCRIBE_ALL,
        rtc_config: rtc.RtcConfiguration | None = None,
        single_peer_connection: bool | None = None,
        e2ee: rtc.E2EEOptions | None = None,
    ) -> None:
        """Join the room. Done once: a second call waits for the first, and its arguments do not count.

        Args:
            encryption: end-to-end encryption.
            auto_subscribe: which tracks to subscribe to.
            rtc_config: of WebRTC.
            single_peer_connection: one connection for both directions; None: as the SDK decides.
            e2ee: older name of ``encryption``.

        Raises:
            Exception: what the SDK raised (``rtc.ConnectError``); another call tries again.
        """
        if self._info is None or self._info.fake_job:
            return  # nothing to join: the session that is started in the terminal links it
        if self._connecting is None:
            joining = self._join(
                auto_subscribe,
                encryption=encryption or e2ee,
                rtc_config=rtc_config,
                single_peer_connection=single_peer_connection,
            )
            self._connecting = asyncio.get_running_loop().create_task(joining)
        connecting = self._connecting
        try:
            await asyncio.shield(connecting)
        except BaseException:
            if connecting.done() and self._connecting is connecting:
                self._connecting = None
            raise

    async def _join(
        self,
        auto_subscribe: AutoSubscribe,
        *,
        encryption: rtc.E2EEOptions | None = None,
        rtc_config: rtc.RtcConfiguration | None = None,
        single_peer_connection: bool | None = None,
    ) -> None:
        place, room = self._of_server("connect()"), self.room
        async with place.joins:
            await join(
                room,
                place.info.url,
                place.info.token,
                auto_subscribe,
                encryption=encryption,
                rtc_config=rtc_config,
                single_peer_connection=single_peer_connection,
            )
        self._entrypoints.begin(room)

    @property
    def connected(self) -> bool:
        """Whether the room has been joined, or is being joined."""
        return self._connecting is not None

    async def wait_for_participant(self, *, identity: str | None = None, kind: Kinds = PEOPLE) -> rtc.RemoteParticipant:
        """Somebody in the room, or the next to come; joins the room if that was not done.

        Args:
            identity: only this one.
            kind: only these, of ``rtc.ParticipantKind``.

        Raises:
            SessionStateError: the room was left meanwhile, or the job has none.
        """
        self._of_server("wait_for_participant()")
        await self.connect()
        return await first_participant(self.room, identity, kind)

    def add_participant_entrypoint(self, entrypoint_fnc: ParticipantEntrypoint, *, kind: Kinds = PEOPLE) -> None:
        """Run ``entrypoint_fnc(ctx, participant)`` for each participant, from :meth:`connect` on.

        Args:
            entrypoint_fnc: an async function; cancelled when the job ends.
            kind: only for these, of ``rtc.ParticipantKind``.

        Raises:
            OptionError: it was added before.
        """
        self._entrypoints.add(entrypoint_fnc, kind)

    # -- the end -----------------------------------------------------------------------------------------------------

    def shutdown(self, reason: str = "user requested") -> None:
        """End the job: sessions, the room, the shutdown callbacks. Returns at once; the first reason counts."""
        if self._shutdown_reason is None:
            self._shutdown_reason = reason
            self._shutdown_asked.set()
            if self._place is None:
                for session in self._sessions:
                    session.shutdown()

    async def wait_for_shutdown(self) -> str:
        """Wait until the job is to end; returns the reason."""
        await self._shutdown_asked.wait()
        return self._shutdown_reason or ""

    def add_shutdown_callback(self, callback: ShutdownCallbackT) -> ShutdownCallbackT:
        """Call ``callback()`` or ``callback(reason)`` when the job is over. It may be ``async``.

        All are run at once, when the room has been left, and share ``shutdown_process_timeout``; what one raises is
        logged and hurts no other.
        """
        self._callbacks.append(_of_reason(callback))
        return callback

    @property
    def shutdown_callbacks(self) -> Sequence[Callable[[str], object]]:
        """The callbacks, each taking the reason."""
        return tuple(self._callbacks)

    async def clean_up(self) -> None:
        """For who runs the job: what it started by itself ends here."""
        tasks: list[asyncio.Task[None] | asyncio.Task[object]] = [*self._entrypoints.tasks, *self.calls]
        if self._connecting is not None and not self._connecting.done():
            tasks.append(self._connecting)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        if self._api is not None:
            with suppress(Exception):
                await self._api.aclose()
        if self._directory is not None:
            await asyncio.to_thread(self._directory.cleanup)

    # -- within ------------------------------------------------------------------------------------------------------

    def _running_info(self) -> RunningJobInfo:
        if self._info is None:
            self._info = local_job(getattr(self._room, "label", "console"))
        return self._info

    def _of_server(self, what: str) -> JobPlace:
        if self._place is None or self.is_fake_job():
            raise SessionStateError(f"{what} needs a LiveKit server, and this job has none: see ctx.is_fake_job()")
        return self._place

    def __repr__(self) -> str:
        return f"<JobContext {'without a server' if self._place is None else self._place.info.job.id}>"


@overload
def get_job_context() -> JobContext: ...
@overload
def get_job_context(*, required: Literal[True]) -> JobContext: ...
@overload
def get_job_context(*, required: bool) -> JobContext | None: ...
def get_job_context(*, required: bool = True) -> JobContext | None:
    """The job whose program runs here: in its entry point, and in tools, hooks and callbacks of its sessions.

    Args:
        required: raise if there is none.

    Raises:
        SessionStateError: there is none.
    """
    job = current_job.get()
    if isinstance(job, JobContext):
        return job
    if required:
        raise SessionStateError("no job runs here: get_job_context() is for entry points and what they start")
    return None


def _log_failure(joining: asyncio.Task[None]) -> None:
    if not joining.cancelled() and (error := joining.exception()) is not None:
        log.error("room_not_joined", error=repr(error))


def _of_reason(callback: Callable[..., object]) -> Callable[[str], object]:
    """The callback, taking the reason whether it wants it or not."""
    try:
        inspect.signature(callback).bind("reason")
    except TypeError:
        return lambda _: callback()
    return callback
