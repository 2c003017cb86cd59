"""LiveKit's side of the agent worker protocol on this machine, as its protobuf files and its open server have it.

It is strict: what a worker may not say is a complaint (``WorkerServer.complaints``), a wrong token is a 401. It has two
fronts: ``WorkerServer.dial`` is a connection in memory, for virtual time; ``WorkerServer.listen()`` a real WebSocket.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from aiohttp import WSMsgType, web
from livekit import api
from livekit.protocol import agent, models

from sessionactors.model.errors import APIConnectionError, APIStatusError
from sessionactors.service.worker.endpoint import Endpoint

KEY: Final = "devkey"
SECRET: Final = "a secret of thirty-two characters or more"
AVAILABLE: Final = agent.WorkerStatus.WS_AVAILABLE
FULL: Final = agent.WorkerStatus.WS_FULL
ENDED: Final = {agent.JobStatus.JS_SUCCESS: "success", agent.JobStatus.JS_FAILED: "failed"}


def job(job_id: str, room: str = "") -> agent.Job:
    """A job for a room of its own."""
    return agent.Job(id=job_id, type=agent.JobType.JT_ROOM, room=models.Room(sid=f"RM_{job_id}", name=room or job_id))


@dataclass
class Status:
    """What a worker said of itself."""

    at: float
    full: bool
    load: float
    jobs: int


class Connection:
    """One worker's connection, as the server sees it."""

    def __init__(self, server: WorkerServer, number: int, send: Callable[[bytes | str], None]) -> None:
        self.server = server
        self.worker_id = f"AW_{number}"
        self.registration: agent.RegisterWorkerRequest | None = None
        self.answers: dict[str, agent.AvailabilityResponse] = {}
        self.offered: set[str] = set()
        self.migrated: list[str] = []
        self.statuses: list[Status] = []
        self.opened_at = asyncio.get_running_loop().time()
        self.gone = asyncio.Event()
        self._send = send
        self._known: dict[str, agent.Job] = {}

    # -- what the server says ----------------------------------------------------------------------------------------

    def say(self, message: agent.ServerMessage) -> None:
        """Send it."""
        self._send(message.SerializeToString())

    def raw(self, frame: bytes | str) -> None:
        """Send what is no message."""
        self._send(frame)

    def offer(self, *jobs: agent.Job, resuming: bool = False) -> None:
        """Ask whether the worker takes them."""
        for one in jobs:
            self.offered.add(one.id)
            self._known[one.id] = one
            self.say(agent.ServerMessage(availability=agent.AvailabilityRequest(job=one, resuming=resuming)))

    def assign(self, one: agent.Job) -> None:
        """Give a job."""
        token = (
            api.AccessToken(KEY, SECRET)
            .with_identity(f"agent-{one.id}")
            .with_grants(api.VideoGrants(room_join=True, room=one.room.name, agent=True))
        )
        self.server.jobs[one.id] = "assigned"
        self.say(agent.ServerMessage(assignment=agent.JobAssignment(job=one, token=token.to_jwt())))

    def terminate(self, job_id: str) -> None:
        """Want it ended."""
        self.say(agent.ServerMessage(termination=agent.JobTermination(job_id=job_id)))

    # -- what the worker says ----------------------------------------------------------------------------------------

    def heard(self, frame: bytes) -> None:
        """One frame of the worker."""
        said = agent.WorkerMessage()
        said.ParseFromString(frame)
        kind = said.WhichOneof("message")
        if (self.registration is None) != (kind == "register"):
            self.complain(f"{kind} {'before' if self.registration is None else 'after'} the registration")
        match kind:
            case "register":
                self._register(said.register)
            case "availability":
                self._availability(said.availability)
            case "update_job":
                self._update_job(said.update_job)
            case "update_worker":
                self._update_worker(said.update_worker)
            case "migrate_job":
                self.migrated = list(said.migrate_job.job_ids)
                for job_id in self.migrated:
                    if self.server.jobs.get(job_id) != "running":
                        self.complain(f"job {job_id} migrates and does not run")
            case _:
                self.complain(f"unknown message {kind}")

    def complain(self, what: str) -> None:
        """The worker may not do this."""
        self.server.complaints.append(f"{self.worker_id}: {what}")

    def _register(self, request: agent.RegisterWorkerRequest) -> None:
        self.registration = request
        if not request.version:
            self.complain("registers without a version")
        if not self.server.registers:
            return
        info = models.ServerInfo(version="1.9", protocol=15, region="here")
        response = agent.RegisterWorkerResponse(worker_id=self.worker_id, server_info=info)
        self.say(agent.ServerMessage(register=response))
        self.server.registered.set()

    def _availability(self, answer: agent.AvailabilityResponse) -> None:
        job_id = answer.job_id
        if job_id not in self.offered:
            self.complain(f"answer about job {job_id}, which was not offered")
        if job_id in self.answers and self.answers[job_id] != answer and not self.server.lenient:
            self.complain(f"two answers about job {job_id}")
        if answer.available and not answer.participant_identity:
            self.complain(f"job {job_id} accepted without an identity")
        first = job_id not in self.answers
        self.answers[job_id] = answer
        if answer.available and first and self.server.assigns:
            self.assign(self._known[job_id])

    def _update_job(self, update: agent.UpdateJobStatus) -> None:
        was = self.server.jobs.get(update.job_id)
        if update.status == agent.JobStatus.JS_RUNNING:
            if was != "assigned":
                self.complain(f"job {update.job_id} runs and is {was}")
            self.server.jobs[update.job_id] = "running"
        elif update.status in ENDED:
            if was not in ("running", "assigned"):
                self.complain(f"job {update.job_id} ends and is {was}")
            self.server.jobs[update.job_id] = ENDED[update.status]
            self.server.errors[update.job_id] = update.error
        else:
            self.complain(f"job {update.job_id} in state {update.status}")

    def _update_worker(self, update: agent.UpdateWorkerStatus) -> None:
        at = asyncio.get_running_loop().time()
        if not update.load >= 0:
            self.complain(f"load {update.load}")
        self.statuses.append(Status(at, update.status == FULL, update.load, update.job_count))

    @property
    def accepted(self) -> list[str]:
        """Jobs that the worker takes."""
        return [job_id for job_id, answer in self.answers.items() if answer.available]

    @property
    def refused(self) -> list[str]:
        """Jobs that it does not."""
        return [job_id for job_id, answer in self.answers.items() if not answer.available]


@dataclass
class WorkerServer:
    """A server of workers."""

    registers: bool = True
    """It answers to registrations."""
    assigns: bool = True
    """It gives a job to whom accepts it."""
    lenient: bool = False
    """Two different answers about one job are no complaint."""
    refuse: list[int | None] = field(default_factory=list)
    """How the next attempts to connect end: a status, or None for a connection that is refused."""
    attempts: list[float] = field(default_factory=list)
    """When somebody tried to connect."""
    connections: list[Connection] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)
    """What the server knows of them: assigned, running, success, failed."""
    errors: dict[str, str] = field(default_factory=dict)
    registered: asyncio.Event = field(default_factory=asyncio.Event)
    _lines: list[_Line] = field(default_factory=list)

    @property
    def worker(self) -> Connection:
        """The worker that connected last."""
        return self.connections[-1]

    def ended(self, how: str) -> list[str]:
        """Jobs in this state."""
        return [job_id for job_id, state in self.jobs.items() if state == how]

    def check_token(self, bearer: str) -> bool:
        """Whether this is a worker's."""
        try:
            claims = api.TokenVerifier(KEY, SECRET).verify(bearer)
        except Exception:
            return False
        return bool(claims.video and claims.video.agent)

    def connected(self, send: Callable[[bytes | str], None]) -> Connection:
        """A worker is there."""
        self.registered.clear()
        connection = Connection(self, len(self.connections) + 1, send)
        self.connections.append(connection)
        return connection

    # -- in memory ---------------------------------------------------------------------------------------------------

    async def dial(self, endpoint: Endpoint) -> _Line:
        """Connect in memory."""
        self.attempts.append(asyncio.get_running_loop().time())
        if self.refuse:
            status = self.refuse.pop(0)
            if status is None:
                raise APIConnectionError("nobody listens")
            raise APIStatusError(f"the server answered {status}", status_code=status)
        if not self.check_token(endpoint.worker_jwt()):
            raise APIStatusError("the server answered 401", status_code=401)
        line = _Line(self)
        self._lines.append(line)
        return line

    def break_line(self) -> None:
        """The connection breaks."""
        self._lines[-1].cut()

    # -- over a WebSocket --------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[str]:
        """Serve on loopback; gives the URL."""
        app = web.Application()
        app.add_routes([web.get("/agent", self._serve)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if not self.check_token(request.headers.get("Authorization", "").removeprefix("Bearer ")):
            return web.Response(status=401)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        outgoing: asyncio.Queue[bytes | str | None] = asyncio.Queue()
        connection = self.connected(outgoing.put_nowait)
        writing = asyncio.create_task(_write(socket, outgoing))
        try:
            async for got in socket:
                if got.type is WSMsgType.BINARY:
                    connection.heard(got.data)
                else:
                    connection.complain(f"a frame of type {got.type.name}")
        finally:
            writing.cancel()
            connection.gone.set()
        return socket


async def _write(socket: web.WebSocketResponse, outgoing: asyncio.Queue[bytes | str | None]) -> None:
    while True:
        frame = await outgoing.get()
        if frame is None:
            await socket.close()
        elif isinstance(frame, str):
            await socket.send_str(frame)
        else:
            await socket.send_bytes(frame)


class _Line:
    """The worker's end of a connection in memory."""

    def __init__(self, server: WorkerServer) -> None:
        self._incoming: asyncio.Queue[bytes | str | None] = asyncio.Queue()
        self._connection = server.connected(self._incoming.put_nowait)
        self._cut = False

    async def send(self, frame: bytes) -> None:
        if self._cut:
            raise APIConnectionError("the connection broke")
        self._connection.heard(frame)

    async def receive(self) -> bytes | str:
        frame = await self._incoming.get()
        if frame is None:
            raise APIConnectionError("the connection broke")
        return frame

    async def aclose(self) -> None:
        self._connection.gone.set()

    def cut(self) -> None:
        self._cut = True
        self._incoming.put_nowait(None)
