"""The service of the example: opened, asked something, closed; and its thirty lines."""

from __future__ import annotations

from pathlib import Path

import httpx

from examples import fastapi_service

PROGRAM = Path(__file__).parents[2] / "examples" / "fastapi_service.py"


async def test_the_service_answers_in_thirty_lines() -> None:
    assert len(PROGRAM.read_text().splitlines()) <= 30
    app = fastapi_service.app
    async with fastapi_service.rooms.lifespan(app):
        asked = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
        headers = {"authorization": f"Bearer {fastapi_service.TOKEN}"}
        async with httpx.AsyncClient(transport=asked, base_url="http://desk/sessions", headers=headers) as http:
            assert (await http.post("/rooms", json={"room": "room-42"})).status_code == 201
            body = {"text": "What are your opening hours?", "wait": 5}
            (said,) = (await http.post("/rooms/room-42/text", json=body)).json()["said"]
            assert "open day and night" in said
            assert (await http.get("/rooms", headers={"authorization": ""})).status_code == 401
            assert (await http.delete("/rooms/room-42")).is_success
        async with httpx.AsyncClient(transport=asked, base_url="http://desk") as http:
            paths = (await http.get("/openapi.json")).json()["paths"]
            assert "/sessions/rooms/{room}/why" in paths
