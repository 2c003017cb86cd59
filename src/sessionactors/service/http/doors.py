"""What a supervisor has of the HTTP API: made when it is asked for, since most processes serve none.

Imports nothing of FastAPI before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.model.errors import OptionError
from sessionactors.telemetry import Telemetry

from .options import HttpOptions

if TYPE_CHECKING:
    from fastapi import APIRouter

    from sessionactors.service.room_supervisor import RoomSupervisor

    from .inspection import InspectionEndpoint


class HttpDoors:
    """The router of a supervisor, and its inspection endpoint.

    Args:
        rooms: the supervisor.
        options: who may use it; None: nobody.
        telemetry: whose metrics are served, if the options ask for that.

    Raises:
        OptionError: the options ask for metrics, and there are none.
    """

    def __init__(self, rooms: RoomSupervisor, options: HttpOptions | None, telemetry: Telemetry | None = None) -> None:
        self._rooms = rooms
        self._options = options or HttpOptions()
        self.telemetry = telemetry
        """Whose metrics are served; None: none are."""
        if self._options.metrics:
            if telemetry is None:
                raise OptionError(
                    "HttpOptions(metrics=True) has no metrics to serve: RoomSupervisor(telemetry=Telemetry())"
                )
            _ = telemetry.registry  # says now, in words, if the extra is not installed
        else:
            self.telemetry = None
        self._router: APIRouter | None = None
        self._endpoint: InspectionEndpoint | None = None

    @property
    def router(self) -> APIRouter:
        """The routes; the same each time.

        Raises:
            OptionError: the extra is not installed.
        """
        if self._router is None:
            try:
                from . import inspection  # noqa: F401, PLC0415  an extra; open() is for a running loop
                from .gate import Gate  # noqa: PLC0415
                from .routes import router_of  # noqa: PLC0415  an extra
            except ModuleNotFoundError as missing:
                raise OptionError(
                    f"the HTTP API needs {missing.name}: pip install 'sessionactors[service]'"
                ) from missing
            self._router = router_of(self._rooms, Gate(self._options), self.telemetry)
        return self._router

    @property
    def inspection(self) -> str | None:
        """The address of the inspection endpoint, while it listens."""
        return None if self._endpoint is None else self._endpoint.address

    async def open(self) -> None:
        """Let the inspection endpoint listen, if there is a router and a port for it.

        Raises:
            OptionError: the port is taken.
        """
        port = self._options.inspection_port
        if self._router is None or port is None:
            return
        from .inspection import InspectionEndpoint  # noqa: PLC0415  an extra

        self._endpoint = InspectionEndpoint(self._rooms, self._options, port, self.telemetry)
        await self._endpoint.start()

    async def close(self) -> None:
        """It listens no more."""
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            await endpoint.aclose()
