"""The example: a room is counted for the scraper, and reported when it is over."""

from __future__ import annotations

import json

import httpx
import pytest

from examples import telemetry as example


async def test_rooms_of_the_example_are_counted_and_reported(capsys: pytest.CaptureFixture[str]) -> None:
    async with example.rooms.lifespan(example.app):
        asked = httpx.ASGITransport(app=example.app, client=("127.0.0.1", 1))
        talk, scrape = ({"authorization": f"Bearer {token}"} for token in (example.TOKEN, example.SCRAPER))
        async with httpx.AsyncClient(transport=asked, base_url="http://desk/sessions") as http:
            assert (await http.post("/rooms", json={"room": "a"}, headers=talk)).status_code == 201
            text = (await http.get("/metrics", headers=scrape)).text
            assert "sessionactors_sessions_open 1.0" in text
            assert (await http.delete("/rooms/a", headers=talk)).is_success
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (report["room"], report["close_reason"], report["version"]) == ("a", "user_initiated", 1)
