"""Metrics for Prometheus, behind the gate. They name no room: the right to them is less than the right to look."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sessionactors.telemetry import Telemetry

from .gate import Gate
from .guarded_route import RIGHT, guarded
from .looking import PROBLEMS
from .options import Right

METRICS = {RIGHT: Right.METRICS.value}


def metrics(telemetry: Telemetry, gate: Gate) -> APIRouter:
    """The route, behind this gate."""
    router = APIRouter(route_class=guarded(gate), responses=PROBLEMS)

    @router.get("/metrics", tags=["metrics"], openapi_extra=METRICS, response_class=Response)
    def scrape(request: Request) -> Response:  # not async: it is run in a thread, and no loop waits for it
        """All metrics, in Prometheus's text format, or OpenMetrics for those who ask for it."""
        body, content_type = telemetry.exposition(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    return router
