"""The health endpoint of a worker: ``/`` for who restarts it, ``/worker`` for who wants to know more.

It answers on the actor loop, so that a tool that blocks the loop of the jobs does not make the whole worker look dead;
the runtime names a blocked loop by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from sessionactors.model.errors import OptionError

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
    """

    def __init__(
        self, host: str, port: int, report: Callable[[], WorkerReport], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._host = host
        self._report = report
        self._loop = loop
        self._runner: web.AppRunner | None = None
        self.port = port
        """Where it listens."""

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
        self._runner = runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, self._host or None, self.port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise OptionError(
                f"the health endpoint cannot listen at {self._host or '*'}:{self.port}: {error.strerror or error}; "
                "give another host or port, or port=0 for any free one"
            ) from error
        self.port = runner.addresses[0][1]

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
