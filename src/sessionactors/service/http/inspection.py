"""The inspection endpoint: rooms are looked into from a thread and a socket of its own, also while a loop is blocked.

A blocked loop is when one wants to look, and it is when the loop that serves the router answers nothing. The reading
asks no actor and no loop, so this thread needs neither.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

import structlog
import uvicorn
from fastapi import FastAPI

from sessionactors.model.errors import OptionError
from sessionactors.telemetry import Telemetry

from .gate import Gate
from .impatient import ImpatientProtocol
from .looking import looking
from .metrics import metrics
from .options import HttpOptions
from .whereabouts import Announcement, announce

if TYPE_CHECKING:
    from sessionactors.service.room_supervisor import RoomSupervisor

START_WITHIN = 5.0
"""Seconds in which the thread must listen."""
MOST = 2048
"""Connections at once: so many may hang half open for as long as the protocol lets them, and one more is answered."""

log = structlog.get_logger("sessionactors.service")


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


class InspectionEndpoint:
    """Serves what can be seen of rooms, and nothing that changes them.

    Args:
        rooms: what is looked into.
        options: tokens and limits, as for the router; host and port.
        port: where to listen; 0: any free one.
        telemetry: whose metrics are served here too.

    Raises:
        OptionError: the address cannot be used, or the port is taken.
    """

    def __init__(
        self, rooms: RoomSupervisor, options: HttpOptions, port: int, telemetry: Telemetry | None = None
    ) -> None:
        host = options.inspection_host
        try:
            self._socket = socket.create_server((host, port), backlog=MOST)
        except OSError as error:
            raise OptionError(
                f"the inspection endpoint cannot listen at {host}:{port}: {error.strerror or error}; give another "
                "inspection_port, 0 for any free one, or None for none"
            ) from error
        self._port = self._socket.getsockname()[1]
        self._announcement: Announcement | None = None
        self.address = f"http://{host}:{self._port}"
        app = FastAPI(title="sessionactors inspection", docs_url=None, redoc_url=None)
        gate = Gate(options)
        app.include_router(looking(rooms, gate))
        if telemetry is not None:
            app.include_router(metrics(telemetry, gate))
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=ImpatientProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            limit_concurrency=MOST,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="sessionactors inspection", daemon=True
        )

    async def start(self) -> None:
        """Listen."""
        self._thread.start()
        if not await asyncio.to_thread(self._server.listens.wait, START_WITHIN):
            log.error("inspection_not_listening", room="", actor="", message_id=0, address=self.address)
        try:
            self._announcement = await asyncio.to_thread(announce, self.address, self._port)
        except OSError as error:  # the command line then has to be told the address
            log.warning("inspection_not_announced", room="", actor="", message_id=0, error=str(error))
        log.info("inspection_listens", room="", actor="", message_id=0, address=self.address)

    async def aclose(self) -> None:
        """Listen no more."""
        if self._announcement is not None:
            await asyncio.to_thread(self._announcement.withdraw)
        self._server.should_exit = True
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, START_WITHIN)
        self._socket.close()
