"""What a worker can be told, and what is said about what it cannot do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import structlog

from sessionactors import (
    AgentServer,
    JobContext,
    JobExecutorType,
    OptionError,
    ServerEnvOption,
    ServerOptions,
    ServerType,
    SessionStateError,
    WorkerOptions,
    WorkerType,
)
from sessionactors.service.worker.capacity import Capacity, Occupancy, expected_load, refusal, retry_delay, told_load
from sessionactors.service.worker.endpoint import Endpoint
from sessionactors.service.worker.options import ServerSettings

WORKER = Path(__file__).parents[3] / "src" / "sessionactors" / "service" / "worker"


async def program(ctx: JobContext) -> None:
    await ctx.connect()


def test_names_and_defaults_are_those_of_livekit() -> None:
    options = WorkerOptions(program)
    assert ServerOptions is WorkerOptions
    assert ServerType is WorkerType
    assert (options.drain_timeout, options.max_retry, options.shutdown_process_timeout) == (3600, 16, 10.0)
    assert (options.session_end_timeout, options.initialize_process_timeout) == (300.0, 10.0)
    assert ServerEnvOption.getvalue(options.load_threshold, False) == 0.7
    assert ServerEnvOption.getvalue(options.load_threshold, True) == float("inf")
    assert (ServerEnvOption.getvalue(options.port, False), ServerEnvOption.getvalue(options.port, True)) == (8081, 0)


@pytest.mark.parametrize(
    "options, what",
    [
        ({"max_sessions": 0}, "max_sessions must be a whole number >= 1, got 0"),
        ({"drain_timeout": -1}, "drain_timeout must be >= 0 seconds, got -1"),
        ({"max_retry": -1}, "max_retry must be >= 0, got -1"),
        ({"load_threshold": 0.0}, "load_threshold must be > 0, got 0.0"),
        ({"log_level": "LOUD"}, "log_level 'LOUD' is unknown; there are: TRACE"),
        ({"job_memory_limit_mb": 500}, "all jobs of a worker share one process"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, object], what: str) -> None:
    with pytest.raises(OptionError, match=what.replace("(", r"\(")):
        WorkerOptions(program, **options)  # type: ignore[arg-type]
    with pytest.raises(OptionError):
        AgentServer(**options)  # type: ignore[arg-type]


def test_options_of_processes_are_taken_with_one_warning() -> None:
    with structlog.testing.capture_logs() as lines:
        WorkerOptions(program, job_executor_type=JobExecutorType.PROCESS, num_idle_processes=4)
    assert [line["options"] for line in lines] == [["job_executor_type", "num_idle_processes"]]


def test_a_server_has_one_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_AGENT_NAME", "from the environment")
    server = AgentServer()

    @server.rtc_session()
    async def first(ctx: JobContext) -> None: ...

    assert server.entrypoint_fnc is first
    assert server._agent_name == "from the environment"
    with pytest.raises(SessionStateError, match="has one rtc_session"):
        server.rtc_session(program)
    with pytest.raises(OptionError, match="no event named 'worker_stopped'"):
        server.on("worker_stopped")  # type: ignore[call-overload]
    with pytest.raises(OptionError, match="load_fnc must be a function"):
        server.load_fnc = 7  # type: ignore[assignment]


def test_secrets_are_not_shown() -> None:
    options = WorkerOptions(program, api_key="the key", api_secret="the secret")
    server = AgentServer.from_server_options(options)
    assert "the secret" not in f"{options!r} {server!r} {Endpoint.of(options)!r}"
    assert "the key" not in f"{options!r} {server!r} {Endpoint.of(options)!r}"


@pytest.mark.parametrize(
    "url, agent_url",
    [
        ("ws://localhost:7880", "ws://localhost:7880/agent"),
        ("https://x.livekit.cloud/", "wss://x.livekit.cloud/agent"),
        ("wss://proxy/livekit", "wss://proxy/livekit/agent"),
    ],
)
def test_workers_have_a_socket_of_their_own(url: str, agent_url: str) -> None:
    assert Endpoint(url, "", "").agent_url == agent_url


LIMITED = Capacity(4)
MEASURED = Capacity(10, 0.7, measures=True)


@pytest.mark.parametrize(
    "capacity, now, why",
    [
        (LIMITED, Occupancy(0, 0, 0.0, draining=False), None),
        (LIMITED, Occupancy(2, 1, 0.0, draining=False), None),
        (LIMITED, Occupancy(2, 2, 0.0, draining=False), "full"),
        (LIMITED, Occupancy(0, 0, 0.0, draining=True), "draining"),
        (LIMITED, Occupancy(0, 0, 5.0, draining=False), None),
        (MEASURED, Occupancy(2, 0, 0.69, draining=False), None),
        (MEASURED, Occupancy(2, 0, 0.7, draining=False), "load"),
        (MEASURED, Occupancy(2, 1, 0.5, draining=False), "load"),
        (MEASURED, Occupancy(0, 9, 0.0, draining=False), None),
        (Capacity(10, measures=True), Occupancy(0, 3, 9.0, draining=False), None),
    ],
)
def test_who_is_refused(capacity: Capacity, now: Occupancy, why: str | None) -> None:
    assert refusal(capacity, now) == why


def test_loads_and_delays() -> None:
    assert told_load(LIMITED, Occupancy(1, 2, 0.3, draining=False)) == 0.75
    assert told_load(MEASURED, Occupancy(1, 2, 0.3, draining=False)) == 0.3
    assert expected_load(MEASURED, Occupancy(2, 1, 0.5, draining=False)) == pytest.approx(0.75)
    assert [retry_delay(failures) for failures in range(7)] == [0, 2, 4, 6, 8, 10, 10]


def test_options_are_made_without_livekit() -> None:
    """What `from sessionactors import WorkerOptions, AgentServer` imports does not import LiveKit's SDKs."""
    seen: set[str] = set()
    waiting = ["options", "agent_server", "job_context", "job_request"]
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for node in ast.parse((WORKER / f"{name}.py").read_text()).body:
            if isinstance(node, ast.Import):
                assert not {alias.name.split(".")[0] for alias in node.names} & {"livekit", "aiohttp", "google"}, name
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                assert module.split(".")[0] not in {"livekit", "aiohttp", "google"}, name
                if node.level == 1:
                    waiting.extend({module or alias.name for alias in node.names} - seen)
    assert "job_life" in seen


def test_settings_are_the_same_for_both() -> None:
    options = WorkerOptions(program, max_sessions=3, host="0.0.0.0", port=1)
    server = AgentServer.from_server_options(options)
    assert server.settings == ServerSettings(max_sessions=3, host="0.0.0.0", port=1)
