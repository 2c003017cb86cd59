"""``/metrics``: served to who may have it, off unless asked for, and with the rooms of its own supervisor only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from sessionactors import HttpOptions, OptionError, RoomSupervisor, SessionSpec, Telemetry
from sessionactors.service.http import inspection, routes

from tests.service.rooms import Specs

assert inspection
assert routes  # imported before a loop runs, as a program does that has its app in a module
SCRAPER, LOOK = "scraper-0123456789", "look-only-0123456789"
TOKENS = {SCRAPER: ("metrics",), LOOK: ("look",)}


@asynccontextmanager
async def service(**options: Any) -> AsyncIterator[tuple[httpx.AsyncClient, RoomSupervisor]]:
    http = HttpOptions(tokens=TOKENS, **options)
    rooms = RoomSupervisor(Specs(), http=http, telemetry=Telemetry(), drain_deadline=0.0)
    app = FastAPI(lifespan=rooms.lifespan)
    app.include_router(rooms.router)
    async with rooms.lifespan(app):
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            yield client, rooms


def read(text: str) -> dict[tuple[str, ...], float]:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(one.name, *(value for _, value in sorted(one.labels.items()))): one.value for one in samples}


async def scraped(client: httpx.AsyncClient, url: str = "/metrics", token: str = SCRAPER) -> httpx.Response:
    return await client.get(url, headers={"authorization": f"Bearer {token}"})


async def test_rooms_are_counted_and_served_over_http_also_from_the_thread_that_looks_on() -> None:
    async with service(metrics=True) as (client, rooms):
        await rooms.spawn("alices-room")
        _ = await rooms.get("alices-room").session.generate_reply(user_input="Hello")
        seen = read((await scraped(client)).text)
        assert seen["sessionactors_sessions_open",] == 1
        assert seen["sessionactors_actors", "floor"] == 1
        assert sum(count for name, count in seen.items() if name[0] == "sessionactors_speeches_total") == 1
        async with httpx.AsyncClient() as real:
            answer = await scraped(real, f"{rooms.inspection}/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert "alice" not in answer.text
        assert read(answer.text)["sessionactors_sessions_started_total",] == 1
        await rooms.close("alices-room")
        assert read((await scraped(client)).text)["sessionactors_sessions_closed_total", "user_initiated"] == 1


async def test_a_scraper_reads_metrics_and_nothing_else_and_others_read_no_metrics() -> None:
    async with service(metrics=True, inspection_port=None) as (client, _):
        assert (await scraped(client)).status_code == 200
        assert (await scraped(client, "/rooms")).status_code == 403
        assert (await scraped(client, token=LOOK)).status_code == 403
        assert (await client.get("/metrics")).status_code == 401
    async with service(inspection_port=None) as (client, _):
        assert (await scraped(client)).status_code == 404


async def test_two_supervisors_count_their_own_rooms() -> None:
    options = {"metrics": True, "inspection_port": None}
    async with service(**options) as (client, rooms), service(**options) as (other, _):
        await rooms.spawn("a")
        assert read((await scraped(client)).text)["sessionactors_sessions_open",] == 1
        assert read((await scraped(other)).text)["sessionactors_sessions_open",] == 0


async def test_a_room_that_names_its_own_telemetry_keeps_it() -> None:
    own, whole = Telemetry(), Telemetry()
    specs = Specs()

    def session_for(room: str) -> SessionSpec:
        return replace(specs(room), telemetry=own) if room == "own" else specs(room)

    async with RoomSupervisor(session_for, telemetry=whole) as rooms:
        await asyncio.gather(rooms.spawn("own"), rooms.spawn("other"))
    for telemetry in (own, whole):
        with telemetry.reading() as (sums, lives):
            assert (sums.started, lives) == (1, ())


def test_metrics_without_telemetry_are_refused_in_words() -> None:
    with pytest.raises(OptionError, match="telemetry="):
        RoomSupervisor(Specs(), http=HttpOptions(metrics=True))
