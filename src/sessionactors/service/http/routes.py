"""The router: rooms are opened, talked to, looked into and stepped through, by HTTP and WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import structlog
from fastapi import APIRouter, Query, Security
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer

from sessionactors.model.chat import ChatMessage
from sessionactors.model.errors import SessionStateError
from sessionactors.model.sentinel import NOT_GIVEN
from sessionactors.runtime import CloseReport
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.speech_handle import SpeechHandle
from sessionactors.telemetry import Telemetry

from .calls import Calls
from .gate import Gate, Refused
from .guarded_route import RIGHT, guarded, problem_of
from .intervening import intervening
from .looking import LOOK, NO_ROOM, NOT_NOW, PROBLEMS, described, looking, room_info
from .metrics import metrics
from .models import (
    Closed,
    Line,
    RoomInfo,
    SayBody,
    SpawnBody,
    SpeechInfo,
    TextBody,
)
from .options import Right
from .plain import plain
from .streams import Streams

if TYPE_CHECKING:
    from sessionactors.service.room_supervisor import RoomSupervisor

TALK = {RIGHT: Right.TALK.value}
BAD_START: dict[int | str, dict[str, object]] = {
    **NOT_NOW,
    409: described("a room of that name is there"),
    502: described("the session of the room could not be started"),
}

Deadline = Annotated[float | None, Query(ge=0, le=600, allow_inf_nan=False, description="Seconds for all of it.")]

log = structlog.get_logger("sessionactors.service")
T = TypeVar("T")


def router_of(rooms: RoomSupervisor, gate: Gate, telemetry: Telemetry | None = None) -> APIRouter:
    """The router of a supervisor."""
    bearer = Security(HTTPBearer(auto_error=False, description="A token of HttpOptions(tokens=...)."))
    router = APIRouter(dependencies=[bearer])
    router.include_router(looking(rooms, gate))
    if telemetry is not None:
        router.include_router(metrics(telemetry, gate))
    router.include_router(_talking(rooms, gate))
    router.include_router(intervening(rooms, gate))
    streams = Streams(rooms, gate)
    router.add_api_websocket_route("/rooms/{room}/events", streams.events)
    router.add_api_websocket_route("/rooms/{room}/tap", streams.tap)
    router.add_api_websocket_route("/calls", Calls(rooms, gate).serve)
    return router


def _talking(rooms: RoomSupervisor, gate: Gate) -> APIRouter:
    router = APIRouter(route_class=guarded(gate), responses={**PROBLEMS, **NO_ROOM}, tags=["rooms"])
    redact = gate.options.redact

    @router.post("/rooms", status_code=201, openapi_extra=TALK, responses=BAD_START)
    async def spawn(body: SpawnBody) -> RoomInfo:
        """Open a room. Its session listens when this answers."""
        try:
            await there(rooms, lambda: rooms.spawn(body.room))
        except Exception as error:
            if problem_of(error) is not None:
                raise
            log.exception("room_not_started", room=body.room, actor="", message_id=0, error=repr(error))
            why = f"the session could not be started: {type(error).__name__}; the log says more"
            raise Refused(502, why) from error
        return room_info(rooms.hosted_room(body.room))

    @router.delete("/rooms/{room}", openapi_extra=TALK)
    async def close(room: str, deadline: Deadline = None) -> Closed:
        """Close a room, and say how each of its actors ended."""
        report: CloseReport = await there(rooms, lambda: rooms.close(room, deadline=deadline))
        return Closed(
            room=report.room, seconds=report.seconds, clean=list(report.clean), abandoned=dict(report.abandoned)
        )

    @router.post("/rooms/{room}/say", openapi_extra=TALK)
    async def say(room: str, body: SayBody) -> SpeechInfo:
        """Have the agent say a text."""
        session = rooms.get(room).session
        allow = NOT_GIVEN if body.allow_interruptions is None else body.allow_interruptions

        async def ask() -> SpeechInfo:
            handle = session.say(body.text, allow_interruptions=allow, add_to_chat_ctx=body.add_to_chat_ctx)
            return await _said(handle, body.wait)

        return await there(rooms, ask)

    @router.post("/rooms/{room}/text", openapi_extra=TALK)
    async def text(room: str, body: TextBody) -> SpeechInfo:
        """Type something, as the user: it cuts off what may be cut off, and is replied to."""
        session = rooms.get(room).session

        async def ask() -> SpeechInfo:
            _cut_off(session)
            return await _said(session.generate_reply(user_input=body.text), body.wait)

        return await there(rooms, ask)

    @router.get("/rooms/{room}/history", openapi_extra=LOOK)
    async def history(room: str) -> JSONResponse:
        """What was said, called and handed over."""
        items = rooms.get(room).history.items
        return JSONResponse({"items": plain(items, redact=redact)})

    @router.get("/rooms/{room}/diagram", openapi_extra=LOOK, tags=["inspection"])
    async def diagram(room: str, whole: bool = False) -> Line:  # noqa: FBT002  a query parameter
        """A Mermaid sequence diagram of the last turn, or of all that is kept."""

        async def draw() -> Line:
            return Line(text=rooms.get(room).session.diagram(whole=whole))

        return await there(rooms, draw)

    return router


async def there(rooms: RoomSupervisor, work: Callable[[], Awaitable[T]]) -> T:
    """Do it on the loop of the rooms, whichever loop serves."""

    async def done() -> T:
        return await work()

    if asyncio.get_running_loop() is rooms.loop:
        return await done()
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(done(), rooms.loop))


def _cut_off(session: AgentSession[object]) -> None:
    try:
        _ = session.interrupt()
    except SessionStateError:  # a protected speech goes on; what is typed is replied to behind it
        log.debug("not_interrupted", room=session.room_name, actor="", message_id=0)


async def _said(handle: SpeechHandle, wait: float) -> SpeechInfo:
    if wait and not handle.done():
        over = asyncio.Event()

        def tell(_: SpeechHandle) -> None:
            over.set()

        handle.add_done_callback(tell)
        try:
            async with asyncio.timeout(wait):
                await over.wait()
        except TimeoutError:
            handle.remove_done_callback(tell)  # it goes on: the answer says so
    said = [item.text_content for item in handle.chat_items if isinstance(item, ChatMessage)]
    return SpeechInfo(speech=handle.id, done=handle.done(), interrupted=handle.interrupted, said=said)
