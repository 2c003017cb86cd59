"""``start``, ``dev`` and ``connect`` as they are typed, and what a signal does."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import cast

import pytest
from livekit import rtc
from livekit.protocol import models
from typer.testing import CliRunner

from sessionactors import AgentServer, JobContext, WorkerOptions
from sessionactors.cli import log_lines
from sessionactors.cli.app import app_for
from sessionactors.cli.worker_commands import connect, serve, this_command
from sessionactors.service.worker import world
from sessionactors.service.worker.endpoint import Endpoint
from sessionactors.service.worker.world import World

from tests.service.worker.serving import Serving, stay
from tests.wire.livekit_worker import KEY, SECRET, WorkerServer, job


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)


def in_memory() -> Serving:
    worker = AgentServer(ws_url="ws://livekit.test", api_key=KEY, api_secret=SECRET, port=0)
    worker.rtc_session(stay)
    served = Serving(WorkerServer(), worker)
    worker._world = World(served.server.dial, served.new_room)
    return served


@pytest.mark.parametrize(
    "arguments, what",
    [
        (["start"], "OptionError: ws_url is needed to register with a LiveKit server: give it, or set LIVEKIT_URL"),
        (["start", "--url", "ws://x"], "OptionError: api_key is needed"),
        (["dev", "--no-reload"], "OptionError: ws_url is needed"),
        (["connect", "--room", "lobby", "--url", "ws://x", "--api-key", "k"], "OptionError: api_secret is needed"),
        (["start", "--log-level", "loud"], "OptionError: log_level 'loud' is unknown; there are: TRACE"),
        (["start", "--drain-timeout", "-5"], "OptionError: drain_timeout must be >= 0 seconds, got -5"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(arguments: list[str], what: str) -> None:
    result = CliRunner().invoke(app_for(WorkerOptions(stay)), arguments)
    assert (result.exit_code, what in result.output) == (1, True), result.output
    assert "Traceback" not in result.output


def test_dev_starts_the_program_anew_when_a_file_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[tuple[object, object]] = []
    monkeypatch.setattr("watchfiles.run_process", lambda path, *, target, **_: ran.append((path, target)))
    monkeypatch.setattr("sys.orig_argv", ["python", "my agent.py", "dev"])
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app_for(AgentServer()), ["dev", "--url", "ws://x", "--api-secret", "s"])
    assert result.exit_code == 0, result.output
    ((path, target),) = ran
    assert path == tmp_path
    assert str(target).endswith("'my agent.py' dev --no-reload")
    assert this_command()[1:] == ["my agent.py", "dev"]
    assert os.environ.pop("LIVEKIT_API_SECRET") == "s"  # not on the command line, where everybody sees it
    assert os.environ.pop("LIVEKIT_URL") == "ws://x"


async def test_connect_serves_one_room_until_its_job_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    served = in_memory()

    async def make_room(endpoint: Endpoint, name: str) -> models.Room:
        return models.Room(sid="RM_1", name=name)

    monkeypatch.setattr(world, "make_room", make_room)
    running = asyncio.create_task(connect(served.worker, "lobby", "desk"))
    async with asyncio.timeout(5):
        while not (served.rooms and next(iter(served.rooms.values())).linked):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        (room,) = served.rooms.values()
        assert room.name == "lobby"
        (info,) = served.worker.active_jobs
        assert (info.accept_arguments.identity, info.fake_job, info.job.room.sid) == ("desk", False, "RM_1")
        room.lose()
        await running
    assert served.server.connections == []


async def test_the_second_signal_ends_the_process_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    exits: list[int] = []
    monkeypatch.setattr(os, "_exit", exits.append)
    served = in_memory()
    serving = asyncio.create_task(serve(served.worker, devmode=False))
    async with asyncio.timeout(5):
        await served.server.registered.wait()
        served.server.worker.offer(job("J1"))
        while "running" not in served.server.jobs.values():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        os.kill(os.getpid(), signal.SIGTERM)
        while not served.worker.draining:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        assert exits == []
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0)
        assert exits == [128 + signal.SIGINT]
        served.rooms["J1"].lose()
        await serving


def test_log_lines_have_the_fields_of_their_job(capsys: pytest.CaptureFixture[str]) -> None:
    import contextvars

    import structlog

    from sessionactors.session.job import current_job

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        log_lines.configure_worker("INFO")

        def in_a_job() -> None:
            ctx = JobContext(cast("rtc.Room", FakeRoomForLogs()))
            ctx.log_context_fields["caller"] = "ann"
            current_job.set(ctx)
            logging.getLogger("my.agent").info("hello")
            structlog.get_logger("sessionactors").info("something_happened")

        contextvars.copy_context().run(in_a_job)
        logging.getLogger("my.agent").info("outside")
        logging.getLogger("my.agent").debug("too little")
    finally:
        root.handlers[:], root.level = handlers, level
    lines = capsys.readouterr().err.splitlines()
    assert [("caller=ann" in line.replace("\x1b[0m", ""), "outside" in line) for line in lines] == [
        (True, False),
        (True, False),
        (False, True),
    ]


class FakeRoomForLogs:
    """A room by nothing but its name."""

    label = "lobby"
