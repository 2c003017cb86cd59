"""A worker's health endpoint serves metrics of the sessions of its jobs, and jobs make reports of them."""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from sessionactors import Agent, AgentServer, AgentSession, JobContext, OptionError, SessionReport, Telemetry
from sessionactors.model.errors import SessionStateError

from tests.service.worker.serving import serving


async def page(port: int, path: str = "/metrics") -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


def values(text: str) -> dict[str, float]:
    return {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples if not s.labels}


async def test_jobs_are_observed_counted_and_reported() -> None:
    reports: list[SessionReport] = []
    running = asyncio.Event()

    async def program(ctx: JobContext) -> None:
        session: AgentSession[object] = AgentSession()
        await session.start(Agent(instructions="x"), room=ctx.room)
        running.set()

    def at_the_end(ctx: JobContext) -> None:
        reports.append(ctx.make_session_report())

    telemetry = Telemetry()
    options = {"telemetry": telemetry, "prometheus_port": 0, "unregistered": True, "on_session_end": at_the_end}
    async with serving(program, **options) as served:  # type: ignore[arg-type]
        job = asyncio.create_task(served.worker.simulate_job("desk", fake_job=True))
        async with asyncio.timeout(5.0):
            await running.wait()
        health = served.worker._health
        assert health is not None
        assert health.metrics_port is not None
        for port in (health.port, health.metrics_port):
            status, text = await page(port)
            assert status == 200
            assert values(text)["sessionactors_sessions_open"] == 1
        assert (await page(health.metrics_port, "/"))[0] == 200
    await job
    (report,) = reports
    assert report.job is not None
    assert report.room
    assert report.close_reason == "job_shutdown"


async def test_without_telemetry_there_is_no_page_and_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[str] = []

    async def program(ctx: JobContext) -> None:
        with pytest.raises(SessionStateError, match="AgentServer\\(telemetry=") as error:
            ctx.make_session_report()
        refused.append(str(error.value))
        ctx.shutdown()

    async with serving(program, unregistered=True) as served:
        await served.worker.simulate_job("desk", fake_job=True)
        assert (await page(served.worker.worker_info.http_port))[0] == 404
    assert refused
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(OptionError, match="prometheus"):
        AgentServer(prometheus_port=0)._settings.observer()
    assert AgentServer(prometheus_port=None)._settings.observer() is None
    async with serving(program, unregistered=True, telemetry=Telemetry()) as served:
        status, text = await page(served.worker.worker_info.http_port)
        assert (status, "sessionactors[prometheus]" in text) == (501, True)
