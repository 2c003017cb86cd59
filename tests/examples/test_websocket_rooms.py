"""The server with a page: the page is given to browsers, the rest is a room, and both know the same messages."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from asyncio import to_thread

import pytest

from sessionactors import Agent, CloseCode, SessionSpec
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.testing.websocket_clients import NativeClient
from sessionactors.transports.websocket import control

from examples import websocket_rooms


def session_for(room: str) -> SessionSpec:
    return SessionSpec(
        agent=Agent(instructions="Be brief."), llm=ScriptedLLM(otherwise=ScriptedReply("Yes.", ttft=0.0))
    )


def fetched(url: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], ""


async def test_the_page_is_served_beside_the_rooms_which_want_the_token() -> None:
    async with websocket_rooms.serving(session_for, 0, "swordfish") as server:
        address = f"http://{server.host}:{server.port}"
        status, kind, text = await to_thread(fetched, f"{address}/")
        assert (status, kind, text) == (200, "text/html; charset=utf-8", websocket_rooms.PAGE.read_text())
        assert "swordfish" not in text
        assert (await to_thread(fetched, f"{address}/etc/passwd"))[0] == 404
        async with NativeClient(server.url, token="swordfish") as client:
            await client.send(type="text", text="Hello?")
            await client.until(lambda: client.said().strip() == "Yes.")
        async with NativeClient(server.url, token="guess") as other:
            assert await other.closed() == CloseCode.UNAUTHORIZED


@pytest.mark.parametrize("kind", ["hello", "text", "mute", "cleared", "pong", "bye"])
def test_the_page_says_what_the_server_knows(kind: str, known: set[str]) -> None:
    said = set(re.findall(r'type: "(\w+)"', websocket_rooms.PAGE.read_text()))
    assert kind in said
    assert said <= known


@pytest.fixture
def known() -> set[str]:
    """The types that a client may send."""
    schema = control.CLIENT_MESSAGE.json_schema()
    return set(schema["discriminator"]["mapping"])
