"""A server of voice rooms for browsers, with a page to try it: speak or type, and cut in.

    python examples/websocket_rooms.py

Then open the address that it prints, with a microphone or without. Each page has a room of its own. Needs no account:
``pip install 'sessionactors[websocket,offline]'``. The page is ``websocket_rooms.html``: a client of the protocol
of docs/websocket.md, without a library.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from sessionactors import Agent, RoomServer, RoomSupervisor, SessionSpec, function_tool, serve_rooms
from sessionactors.providers import offline

PAGE = Path(__file__).with_suffix(".html")


class FrontDesk(Agent):
    """Answers at a front desk."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the front desk of a small hotel.")

    async def on_enter(self) -> None:
        """Speak first."""
        await self.session.say(offline.FRONT_DESK.greeting).wait_for_playout()

    @function_tool
    async def order_status(self, order: int) -> str:
        """Look up where an order is.

        Args:
            order: its number.
        """
        return f"Order {order} is on its way." if order % 2 else f"Order {order} is still in the kitchen."


def page(text: str) -> Callable[[ServerConnection, Request], Response | None]:
    """Answers a browser that asks for the page; anything else is for a room."""

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            return None
        if request.path != "/":
            return connection.respond(HTTPStatus.NOT_FOUND, "there is nothing but /\n")
        response = connection.respond(HTTPStatus.OK, text)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "text/html; charset=utf-8"
        return response

    return answer


@asynccontextmanager
async def serving(session_for: Callable[[str], SessionSpec], port: int, token: str) -> AsyncIterator[RoomServer]:
    """The rooms and the page, at one address of this machine."""
    text = await asyncio.to_thread(PAGE.read_text)
    async with (
        RoomSupervisor(session_for, max_sessions=20) as rooms,
        serve_rooms(rooms, token=token, port=port, process_request=page(text)) as server,
    ):
        yield server


async def main() -> None:
    """Serve until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8765)
    port, token = parser.parse_args().port, secrets.token_urlsafe()
    desk = offline.FRONT_DESK
    vad, stt, tts = offline.SileroVAD(), offline.PocketSphinxSTT(desk), offline.default_tts()

    def session_for(room: str) -> SessionSpec:
        return SessionSpec(agent=FrontDesk(), vad=vad, stt=stt, llm=offline.RuleBasedLLM(desk), tts=tts)

    try:
        async with serving(session_for, port, token) as server:
            print(f"open http://{server.host}:{server.port}/#{token}")
            await asyncio.Event().wait()
    finally:
        for provider in (vad, stt, tts):
            await provider.aclose()


if __name__ == "__main__":
    asyncio.run(main())
