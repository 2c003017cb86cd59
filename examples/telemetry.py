"""Rooms with metrics, traces and reports.  python examples/telemetry.py, then the curl that it prints.

Needs no account. Traces go to an OTLP receiver at localhost:4318, if you have one (such as Jaeger):

    pip install 'sessionactors[service,prometheus,opentelemetry]' opentelemetry-exporter-otlp-proto-http
    OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 python examples/telemetry.py
"""

from __future__ import annotations

import os
import secrets

import uvicorn
from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from sessionactors import Agent, HttpOptions, RoomSupervisor, SessionReport, SessionSpec, Telemetry
from sessionactors.providers import offline

TOKEN = os.environ.get("DESK_TOKEN") or secrets.token_urlsafe()
SCRAPER = os.environ.get("SCRAPER_TOKEN") or secrets.token_urlsafe()

provider = TracerProvider(resource=Resource.create({"service.name": "front-desk"}))
if "OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ:
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))


def keep(report: SessionReport) -> None:
    """Where a service would store it."""
    print(report.to_json())


def session_for(room: str) -> SessionSpec:
    """What the session of a room is made of."""
    agent = Agent(instructions="You are the front desk of a hotel.")
    return SessionSpec(agent=agent, llm=offline.RuleBasedLLM(offline.FRONT_DESK))


telemetry = Telemetry(tracer_provider=provider, on_report=keep)
http = HttpOptions(tokens={TOKEN: ("look", "talk"), SCRAPER: ("metrics",)}, metrics=True)
rooms = RoomSupervisor(session_for, http=http, telemetry=telemetry)
app = FastAPI(lifespan=rooms.lifespan)
app.include_router(rooms.router, prefix="/sessions")

if __name__ == "__main__":
    print(f"curl -XPOST -H 'Authorization: Bearer {TOKEN}' --json '{{\"room\": \"a\"}}' localhost:8000/sessions/rooms")
    print(f"curl -H 'Authorization: Bearer {SCRAPER}' localhost:8000/sessions/metrics")
    uvicorn.run(app, host="127.0.0.1", port=8000)
