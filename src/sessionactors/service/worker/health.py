"""The health endpoint of a worker: ``/`` for who restarts it, ``/worker`` for who wants to know more.

It answers on the actor loop, so that a tool that blocks the loop of the jobs does not make the whole worker look dead;
the runtime names a blocked loop by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from aiohttp import web

from sessionactors.model.errors import OptionError
from sessionactors.telemetry import Telemetry

from .options import WorkerType

T = TypeVar("T")

PROTOCOL_VERSION = 1
KINDS = {WorkerType.ROOM: "JT_ROOM", WorkerType.PUBLISHER: "JT_PUBLISHER"}


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What is told."""

    kind: WorkerType
    agent_name: str
    active_jobs: int
    load: float
    failed: bool
    """The connection to the server was given up."""
    version: str


class HealthEndpoint:
    """Answers to HTTP.

    Args:
        host: address to listen at; empty: all interfaces.
        port: 0: any free one.
        report: what is told; called on ``loop``.
        loop: where it answers.
        telemetry: whose metrics are at ``/metrics``; None: there is no such page.
        metrics_port: listen here too; None: only at ``port``.
    """

    def __init__(
        self,
        host: str,
        port: int,
        report: Callable[[], WorkerReport],
        loop: asyncio.AbstractEventLoop,
        telemetry: Telemetry | None = None,
        metrics_port: int | None = None,
    ) -> None:
        self._host = host
        self._report = report
        self._loop = loop
        self._telemetry = telemetry
        self._ports = (port,) if metrics_port is None else (port, metrics_port)
        self._runner: web.AppRunner | None = None
        self.port = port
        """Where it listens."""
        self.metrics_port = metrics_port
        """Where else."""

    async def start(self) -> None:
        """Listen.

        Raises:
            OptionError: the address cannot be used, or the port is taken.
        """
        await self._there(self._start())

    async def aclose(self) -> None:
        """Stop listening."""
        await self._there(self._stop())

    async def _start(self) -> None:
        app = web.Application()
        app.add_routes([web.get("/", self._health), web.get("/worker", self._worker)])
        if self._telemetry is not None:
            app.add_routes([web.get("/metrics", partial(self._metrics, self._telemetry))])
        self._runner = runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        found = []
        for port in self._ports:
            try:
                site = web.TCPSite(runner, self._host or None, port)
                await site.start()
            except OSError as error:
                await runner.cleanup()
                raise OptionError(
                    f"the health endpoint cannot listen at {self._host or '*'}:{port}: {error.strerror or error}; "
                    "give another host or port, or port=0 for any free one"
                ) from error
            found.append(runner.addresses[-1][1])
        self.port = found[0]
        self.metrics_port = found[1] if len(found) > 1 else None

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _there(self, work: Coroutine[object, object, T]) -> T:
        if asyncio.get_running_loop() is self._loop:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _health(self, _: web.Request) -> web.Response:
        if self._report().failed:
            return web.Response(status=503, text="failed to connect to livekit")
        return web.Response(text="OK")

    @staticmethod
    async def _metrics(telemetry: Telemetry, request: web.Request) -> web.Response:
        try:
            body, content_type = await asyncio.to_thread(telemetry.exposition, request.headers.get("accept", ""))
        except OptionError as error:  # the extra is not installed
            return web.Response(status=501, text=str(error))
        return web.Response(body=body, headers={"content-type": content_type})

    async def _worker(self, _: web.Request) -> web.Response:
        report = self._report()
        return web.json_response(
            {
                "agent_name": report.agent_name,
                "worker_type": KINDS[report.kind],
                "worker_load": report.load,
                "active_jobs": report.active_jobs,
                "sdk_version": report.version,
                "protocol_version": PROTOCOL_VERSION,
            }
        )
