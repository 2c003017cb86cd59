"""The worker over a real WebSocket and HTTP, on loopback: what a connection in memory cannot show."""

from __future__ import annotations

import asyncio
import os
import signal
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha1

import aiohttp
import pytest

from sessionactors import AgentServer, APIConnectionError, APIStatusError, JobContext, OptionError
from sessionactors.cli.worker_commands import serve
from sessionactors.service.worker import link
from sessionactors.service.worker.endpoint import Endpoint
from sessionactors.service.worker.link import dial
from sessionactors.service.worker.world import World

from tests.service.worker.serving import Serving, stay
from tests.wire.livekit_worker import KEY, SECRET, WorkerServer, job


@asynccontextmanager
async def on_loopback(**options: object) -> AsyncIterator[Serving]:
    """A worker and a server that talk over TCP."""
    server = WorkerServer()
    async with server.listen() as url:
        worker = AgentServer(ws_url=url, api_key=KEY, api_secret=SECRET)
        worker.rtc_session(stay)
        served = Serving(server, worker)
        worker._world = World(dial, served.new_room)
        yield served


async def until(true: Callable[[], bool]) -> None:
    """Real sockets and two loops: there is nothing to wait for but what they bring about."""
    async with asyncio.timeout(5.0):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_burst_over_a_real_websocket_and_its_health_endpoint() -> None:
    async with on_loopback() as served:
        served.worker.update_options(max_sessions=50)
        running = asyncio.create_task(served.worker.run(devmode=True))
        await until(served.server.registered.is_set)
        served.server.worker.offer(*(job(f"J{number}") for number in range(200)))
        await until(lambda: len(served.server.worker.answers) == 200)
        await until(lambda: len(served.server.ended("running")) == 50)
        assert len(served.server.worker.accepted) == 50
        base = f"http://127.0.0.1:{served.worker.worker_info.http_port}"
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{base}/") as answer:
                assert (answer.status, await answer.text()) == (200, "OK")
            async with http.get(f"{base}/worker") as answer:
                told = await answer.json()
        assert (told["active_jobs"], told["worker_load"], told["worker_type"]) == (50, 1.0, "JT_ROOM")
        await served.worker.aclose()
        await running
        assert len(served.server.ended("success")) == 50
        assert served.server.worker.gone.is_set()
    assert served.server.complaints == []


async def test_a_wrong_secret_and_a_server_that_is_not_there_are_typed_and_say_no_secret() -> None:
    async with WorkerServer().listen() as url:
        with pytest.raises(APIStatusError, match="answered 401 to a worker") as refused:
            await dial(Endpoint(url, KEY, "a wrong secret of more than thirty-two characters"))
    assert refused.value.status_code == 401
    with pytest.raises(APIConnectionError, match="cannot be reached") as gone:
        await dial(Endpoint(url, KEY, SECRET))
    assert SECRET not in f"{refused.value} {gone.value!r} {Endpoint(url, KEY, SECRET)!r}"


async def test_a_server_that_answers_no_ping_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "HEARTBEAT", 0.05)
    silent = asyncio.Event()

    async def half_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")).split()[1]
        accept = b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        await silent.wait()
        writer.close()

    server = await asyncio.start_server(half_open, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    socket = await dial(Endpoint(f"ws://127.0.0.1:{port}", KEY, SECRET))
    with pytest.raises(APIConnectionError, match="closed the connection"):
        await socket.receive()
    silent.set()
    await socket.aclose()
    server.close()
    await server.wait_closed()


async def test_a_port_that_is_taken_is_said() -> None:
    async with on_loopback() as served:
        taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = taken.sockets[0].getsockname()[1]
        served.worker.update_options(port=port)
        with pytest.raises(OptionError, match=rf"cannot listen at 127.0.0.1:{port}"):
            await served.worker.run(devmode=True)
        taken.close()
        await taken.wait_closed()


async def test_sigterm_drains_and_then_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    async with on_loopback() as served:
        served.worker.update_options(port=0, drain_timeout=0.2)
        serving = asyncio.create_task(serve(served.worker, devmode=False))
        await until(served.server.registered.is_set)
        served.server.worker.offer(job("J1"), job("J2"))
        await until(lambda: len(served.server.ended("running")) == 2)
        served.rooms["J1"].lose()
        await until(lambda: served.server.jobs["J1"] == "success")
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
        assert served.server.worker.statuses[-1].full
        assert served.server.jobs == {"J1": "success", "J2": "success"}
    assert "1 jobs have not ended within 0.2 s" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_what_is_missing_to_register_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        monkeypatch.delenv(name, raising=False)

    async def program(ctx: JobContext) -> None: ...

    worker = AgentServer()
    worker.rtc_session(program)
    with pytest.raises(OptionError, match=r"ws_url is needed to register .* set LIVEKIT_URL"):
        await worker.run()
    monkeypatch.setenv("LIVEKIT_URL", "localhost:7880")
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "secret")
    with pytest.raises(OptionError, match="ws_url must be a URL"):
        await worker.run()
