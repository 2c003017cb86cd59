"""What can be seen of rooms from any thread, without waiting for anybody: snapshots, and what blocks progress.

The same routes are part of the router, and all that the inspection endpoint has: so a room can be looked into while
the loop that serves the router is blocked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from sessionactors.service.admission import SupervisorStats

from .gate import Gate
from .guarded_route import RIGHT, guarded
from .models import Health, Line, Problem, RoomInfo, Rooms
from .options import Right
from .plain import plain

if TYPE_CHECKING:
    from sessionactors.service.hosted_room import HostedRoom
    from sessionactors.service.room_supervisor import RoomSupervisor

LOOK = {RIGHT: Right.LOOK.value}


def described(description: str) -> dict[str, object]:
    """An answer that is a :class:`.Problem`. Named, not given as a model: FastAPI would build one for each route."""
    return {"description": description, "content": {"application/json": {"schema": {"$ref": PROBLEM}}}}


PROBLEM = f"#/components/schemas/{Problem.__name__}"
PROBLEMS: dict[int | str, dict[str, object]] = {
    401: described("no token, or a wrong one"),
    403: described("the token has not the right, or the request comes from elsewhere"),
    429: described("too many requests"),
}
"""What every route may answer."""
NO_ROOM: dict[int | str, dict[str, object]] = {
    404: described("there is no such room, or actor"),
    409: described("the room is starting, closing or over"),
}
NOT_NOW: dict[int | str, dict[str, object]] = {503: described("not now; try again later")}
DEFINED: dict[int | str, dict[str, object]] = {401: {"model": Problem, "description": "no token, or a wrong one"}}
"""For one route, so that the schema stands among the components."""


def looking(rooms: RoomSupervisor, gate: Gate) -> APIRouter:
    """The routes, behind this gate."""
    router = APIRouter(route_class=guarded(gate), responses=PROBLEMS)
    redact = gate.options.redact

    @router.get("/health", tags=["health"])
    async def health() -> Health:
        """Whether the process is alive. Needs no token."""
        return Health(status=_status(rooms.stats, rooms.turned_away), loop_blocked=_blocked(rooms))

    @router.get("/ready", tags=["health"], responses={503: {"model": Health, "description": "it takes no calls now"}})
    async def ready(response: Response) -> Health:
        """Whether it takes calls. Needs no token."""
        status = _status(rooms.stats, rooms.turned_away)
        response.status_code = 200 if status == "ok" else 503
        return Health(status=status, loop_blocked=_blocked(rooms))

    @router.get("/rooms", tags=["rooms"], openapi_extra=LOOK, responses=DEFINED)
    async def rooms_now() -> Rooms:
        """All rooms, those that start or close included."""
        listed = [room_info(hosted) for hosted in rooms.hosted()]
        return Rooms(rooms=listed, stats=rooms.stats, inspection=rooms.inspection)

    @router.get("/rooms/{room}", tags=["rooms"], openapi_extra=LOOK, responses=NO_ROOM)
    async def one_room(room: str) -> RoomInfo:
        """One room."""
        return room_info(rooms.hosted_room(room))

    @router.get("/rooms/{room}/snapshot", tags=["inspection"], openapi_extra=LOOK, responses=NO_ROOM)
    async def snapshot(room: str) -> JSONResponse:
        """Every actor: status, message in hand, both lanes, timers, effects; and what is owed."""
        return JSONResponse(plain(rooms.inspect(room), redact=redact))

    @router.get("/rooms/{room}/snapshot/{actor:path}", tags=["inspection"], openapi_extra=LOOK, responses=NO_ROOM)
    async def one_actor(room: str, actor: str) -> JSONResponse:
        """One actor, by its path or the end of it."""
        return JSONResponse(plain(rooms.inspect(room)[actor], redact=redact))

    @router.get("/rooms/{room}/why", tags=["inspection"], openapi_extra=LOOK, responses=NO_ROOM)
    async def what_blocks(room: str) -> Line:
        """What blocks progress: one actor, one message."""
        return Line(text=rooms.get(room).session.why())

    return router


def room_info(hosted: HostedRoom) -> RoomInfo:
    """What is known of a room, as of the last event that was delivered."""
    phase, handle = hosted.slot.phase.value, hosted.handle
    if handle is None:
        nothing = dict.fromkeys(("agent", "agent_state", "user_state", "current_speech"))
        return RoomInfo(room=hosted.name, phase=phase, messages=0, **nothing)
    session = handle.session
    current = session.current_speech
    return RoomInfo(
        room=hosted.name,
        phase=phase,
        agent=session.current_agent.id,
        agent_state=session.agent_state,
        user_state=session.user_state,
        current_speech=None if current is None else current.id,
        messages=len(session.history.items),
    )


def _status(stats: SupervisorStats, turned_away: str | None) -> str:
    if turned_away is not None:
        return turned_away
    return "full" if stats.taken >= stats.max_sessions else "ok"


def _blocked(rooms: RoomSupervisor) -> float:
    return rooms.system.blocked_since() or 0.0
