"""A worker in virtual time: a server in memory, rooms that are not there, and programs that do as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from livekit import rtc

from sessionactors import AgentServer, JobContext, JobRequest, WorkerPermissions
from sessionactors.service.worker.job_life import JobBounds
from sessionactors.service.worker.messages import RunningJobInfo
from sessionactors.service.worker.world import World
from sessionactors.transports.memory import MemoryTransport

from tests.wire.livekit_worker import KEY, SECRET, WorkerServer


class Person:
    """A participant."""

    def __init__(self, identity: str, kind: int = 0) -> None:
        self.identity = identity
        self.kind = kind
        self.track_publications: dict[str, Any] = {}


class FakeRoom(rtc.EventEmitter[str]):
    """A room of LiveKit's SDK, as far as a job uses it."""

    def __init__(self, info: RunningJobInfo) -> None:
        super().__init__()
        self.name = info.job.room.name
        self.remote_participants: dict[str, Person] = {}
        self.joins: list[tuple[str, str, rtc.RoomOptions]] = []
        self.fail: list[Exception] = []
        self.linked = False
        self.left_at: float | None = None
        self.leave: Callable[[], Awaitable[None]] | None = None

    def isconnected(self) -> bool:
        return self.linked

    async def connect(self, url: str, token: str, options: rtc.RoomOptions) -> None:
        await asyncio.sleep(0.05)
        if self.fail:
            raise self.fail.pop(0)
        self.joins.append((url, token, options))
        self.linked = True

    async def disconnect(self) -> None:
        if self.leave is not None:
            await self.leave()
        if self.linked:
            self.linked = False
            self.left_at = asyncio.get_running_loop().time()
            self.emit("disconnected", rtc.DisconnectReason.CLIENT_INITIATED)

    def join(self, person: Person) -> None:
        self.remote_participants[person.identity] = person
        self.emit("participant_connected", person)

    def lose(self) -> None:
        self.linked = False
        self.emit("disconnected", rtc.DisconnectReason.ROOM_DELETED)


@dataclass
class Serving:
    """What a test holds."""

    server: WorkerServer
    worker: AgentServer
    rooms: dict[str, FakeRoom] = field(default_factory=dict)
    running: asyncio.Task[None] | None = None

    def new_room(self, info: RunningJobInfo) -> rtc.Room | MemoryTransport:
        if info.fake_job:
            return MemoryTransport()
        room = self.rooms[info.job.id] = FakeRoom(info)
        return cast("rtc.Room", room)


async def stay(ctx: JobContext) -> None:
    """A program that joins its room and lives as long as that."""
    await ctx.connect()


@asynccontextmanager
async def serving(
    program: Callable[[JobContext], Awaitable[None]] = stay,
    *,
    server: WorkerServer | None = None,
    on_request: Callable[[JobRequest], Awaitable[None]] | None = None,
    on_session_end: Callable[[JobContext], object] | None = None,
    agent_name: str = "",
    wait: bool = True,
    unregistered: bool = False,
    bounds: JobBounds | None = None,
    **options: Any,
) -> AsyncIterator[Serving]:
    """A worker that runs, and is registered if ``wait``; closed at the end, if it was not."""
    options = {"ws_url": "ws://livekit.test", "api_key": KEY, "api_secret": SECRET, **options}
    worker = AgentServer(permissions=WorkerPermissions(), **options)
    worker.rtc_session(program, agent_name=agent_name, on_request=on_request, on_session_end=on_session_end)
    served = Serving(server or WorkerServer(), worker)
    worker._world = World(served.server.dial, served.new_room, bounds or JobBounds())
    started = asyncio.Event()
    worker.once("worker_started", started.set)
    served.running = asyncio.create_task(worker.run(devmode=True, unregistered=unregistered))
    await started.wait()
    if wait and not unregistered:
        await served.server.registered.wait()
        await quiet()
    try:
        yield served
    finally:
        await worker.aclose()
        await asyncio.wait((served.running,))
    if not served.running.cancelled() and (error := served.running.exception()) is not None:
        raise error


async def quiet() -> None:
    """What can happen without time passing has happened."""
    for _ in range(50):
        await asyncio.sleep(0)
