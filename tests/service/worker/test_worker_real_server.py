"""The worker of a real LiveKit server: dispatch, jobs, a worker that is killed, several rooms in one process."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from livekit import api, rtc

from sessionactors import AgentServer, JobContext

from benchmarks.livekit_server import Server, running

pytestmark = [
    pytest.mark.livekit,
    pytest.mark.leaves_behind("the SDK's native library keeps its threads"),
    pytest.mark.may_block("the SDK asks its native library on the loop"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    try:
        with running() as found:
            yield found
    except FileNotFoundError as missing:
        pytest.skip(str(missing))


async def stay(ctx: JobContext) -> None:
    await ctx.connect()


@asynccontextmanager
async def worker_of(
    server: Server,
    program: Callable[[JobContext], Awaitable[None]] = stay,
    *,
    name: str,
    slots: int = 200,
    rescue_every: float | None = None,
) -> AsyncIterator[AgentServer]:
    """A worker that is registered."""
    worker = AgentServer(
        ws_url=server.url,
        api_key=server.key,
        api_secret=server.secret,
        max_sessions=slots,
        rescue_every=rescue_every,
    )
    worker.rtc_session(program, agent_name=name)
    registered = asyncio.Event()
    worker.once("worker_registered", lambda *_: registered.set())
    serving = asyncio.create_task(worker.run(devmode=True))
    try:
        async with asyncio.timeout(10):
            await registered.wait()
        yield worker
    finally:
        await worker.aclose()
        await serving


@asynccontextmanager
async def calls_of(server: Server) -> AsyncIterator[api.LiveKitAPI]:
    async with api.LiveKitAPI(server.url, server.key, server.secret) as calls:
        yield calls


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """A real server tells nobody when it has done something."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def unique(name: str) -> str:
    return f"{name}-{time.time_ns()}"


async def agents_in(calls: api.LiveKitAPI, room: str) -> list[str]:
    listed = await calls.room.list_participants(api.ListParticipantsRequest(room=room))
    return [participant.identity for participant in listed.participants]


async def test_a_dispatch_becomes_a_job_that_joins_its_room_until_that_is_deleted(server: Server) -> None:
    name, room = unique("desk"), unique("room")
    seen: list[JobContext] = []
    reasons: list[str] = []

    async def program(ctx: JobContext) -> None:
        ctx.add_shutdown_callback(reasons.append)
        await ctx.connect()
        seen.append(ctx)

    async with worker_of(server, program, name=name) as worker, calls_of(server) as calls:
        await calls.room.create_room(api.CreateRoomRequest(name=room))
        await calls.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(agent_name=name, room=room, metadata="vip")
        )
        await until(lambda: len(seen) == 1)
        (ctx,) = seen
        assert (ctx.job.metadata, ctx.job.agent_name, ctx.room.name, ctx.worker_id) == ("vip", name, room, worker.id)
        assert await agents_in(calls, room) == [f"agent-{ctx.job.id}"] == [ctx.local_participant_identity]
        await ctx.delete_room()
        await until(lambda: worker.stats.succeeded == 1)
        assert reasons == ["room disconnected"]


SERVE = """
import asyncio, sys
from sessionactors import AgentServer
url, key, secret, name = sys.argv[1:]
worker = AgentServer(ws_url=url, api_key=key, api_secret=secret)
worker.on("worker_registered", lambda *_: print("registered", flush=True))
worker.rtc_session(lambda ctx: ctx.connect(), agent_name=name)
asyncio.run(worker.run(devmode=True))
"""


async def test_when_a_worker_is_killed_the_next_dispatch_of_the_room_goes_to_another(server: Server) -> None:
    """LiveKit's open server does not dispatch by itself again: it forgets the jobs of a worker that is gone."""
    name, room = unique("desk"), unique("room")
    request = api.CreateAgentDispatchRequest(agent_name=name, room=room)
    first = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, server.url, server.key, server.secret, name, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert first.stdout is not None
        async with asyncio.timeout(20), calls_of(server) as calls:
            while await first.stdout.readline() != b"registered\n":  # log lines come before
                assert first.returncode is None
            await calls.agent_dispatch.create_dispatch(request)
            while not (before := await agents_in(calls, room)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            async with worker_of(server, name=name) as second:
                first.kill()
                await first.wait()
                await asyncio.sleep(0.1)  # the server reads the end of the socket
                await calls.agent_dispatch.create_dispatch(request)
                await until(lambda: bool(second.active_jobs))
                mine = second.active_jobs[0].accept_arguments.identity
                while mine not in await agents_in(calls, room):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                assert mine not in before
    finally:
        if first.returncode is None:
            first.kill()
            await first.wait()


@pytest.mark.parametrize("named", [True, False])
async def test_a_worker_that_looks_takes_over_the_rooms_of_one_that_was_killed(
    server: Server, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessionactors.service.worker.forsaken_rooms.YOUNG", 0.5)
    name, room = unique("desk") if named else "", unique("room")
    first = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, server.url, server.key, server.secret, name, stdout=asyncio.subprocess.PIPE
    )
    caller = rtc.Room()
    try:
        assert first.stdout is not None
        async with asyncio.timeout(40), calls_of(server) as calls:
            while await first.stdout.readline() != b"registered\n":  # log lines come before
                assert first.returncode is None
            if named:
                request = api.CreateAgentDispatchRequest(agent_name=name, room=room, metadata="vip")
                await calls.agent_dispatch.create_dispatch(request)
            await caller.connect(server.url, server.token(room, "caller"))
            while len(await agents_in(calls, room)) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            first.kill()
            await first.wait()
            async with worker_of(server, name=name, rescue_every=0.3) as second:
                await until(lambda: any(job.job.room.name == room for job in second.active_jobs))
                (job,) = [job for job in second.active_jobs if job.job.room.name == room]
                assert job.job.metadata == ("vip" if named else "")
                while job.accept_arguments.identity not in await agents_in(calls, room):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                await asyncio.sleep(1.0)  # three looks
                assert len(await agents_in(calls, room)) == 2
                assert second.stats.offered == len(second.active_jobs)
    finally:
        await caller.disconnect()
        if first.returncode is None:
            first.kill()
            await first.wait()


async def test_a_job_that_ended_on_purpose_is_not_taken_up_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessionactors.service.worker.forsaken_rooms.YOUNG", 0.3)
    name, room = unique("desk"), unique("room")

    async def program(ctx: JobContext) -> None:
        await ctx.connect()
        ctx.shutdown("done")

    caller = rtc.Room()
    async with worker_of(server, program, name=name, rescue_every=0.2) as worker, calls_of(server) as calls:
        await caller.connect(server.url, server.token(room, "caller"))
        await calls.agent_dispatch.create_dispatch(api.CreateAgentDispatchRequest(agent_name=name, room=room))
        await until(lambda: worker.stats.succeeded == 1)
        await asyncio.sleep(1.5)
        assert worker.stats.offered == 1
        named = [each for each in await calls.agent_dispatch.list_dispatch(room) if each.agent_name == name]
        assert named == []
    await caller.disconnect()


async def test_as_many_rooms_as_there_are_slots_and_not_one_more(server: Server) -> None:
    name = unique("desk")
    joined: list[str] = []

    async def program(ctx: JobContext) -> None:
        await ctx.connect()
        joined.append(ctx.room.name)

    async with worker_of(server, program, name=name, slots=8) as worker, calls_of(server) as calls:
        await asyncio.gather(
            *(
                calls.agent_dispatch.create_dispatch(
                    api.CreateAgentDispatchRequest(agent_name=name, room=f"{name}-{number}")
                )
                for number in range(16)
            )
        )
        await until(lambda: len(joined) == 8)
        assert len(worker.active_jobs) == 8
        assert worker.stats.offered - worker.stats.refused == 8
    assert (worker.stats.succeeded, worker.stats.failed) == (8, 0)
