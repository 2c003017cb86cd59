"""Interventions: actors are held, stepped, let go, killed and given messages; what was seen of a room is kept.

Each stands in the log. They need the actor loop; when it does not answer, the refusal says what blocks it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from fastapi import APIRouter

from sessionactors.model.errors import SessionActorsError, SessionStateError
from sessionactors.runtime import KernelFuture, Ref

from .gate import Gate
from .guarded_route import RIGHT, guarded
from .injected import message_for
from .looking import NO_ROOM, NOT_NOW, PROBLEMS
from .models import Done, InjectBody, ReasonBody, Recorded
from .options import Right

if TYPE_CHECKING:
    from sessionactors.service.room_supervisor import RoomSupervisor

INTERVENE = {RIGHT: Right.INTERVENE.value}
INTERVENTION_WITHIN = 2.0
"""Seconds in which the actor loop must have carried out an intervention."""

log = structlog.get_logger("sessionactors.service")


class Killed(SessionActorsError):
    """What an actor that somebody killed has failed with."""


def intervening(rooms: RoomSupervisor, gate: Gate) -> APIRouter:
    """The routes, behind this gate."""
    router = APIRouter(route_class=guarded(gate), responses={**PROBLEMS, **NO_ROOM, **NOT_NOW}, tags=["interventions"])

    async def ordered(room: str, actor: str, order: str, give: Callable[[Ref[object]], KernelFuture]) -> Done:
        ref = rooms.get(room).session.actor(actor)
        log.warning("intervention", room=room, actor=ref.path, message_id=0, order=order)
        future = give(ref)
        try:
            async with asyncio.timeout(INTERVENTION_WITHIN):
                done = await future
        except TimeoutError:
            raise SessionStateError(
                f"{order} of {ref.path} was asked for, and not carried out within {INTERVENTION_WITHIN} s: "
                f"{rooms.get(room).session.why()}"
            ) from None
        return Done(actor=ref.path, done=done is not False)

    @router.post("/rooms/{room}/actors/{actor:path}/suspend", openapi_extra=INTERVENE)
    async def suspend(room: str, actor: str) -> Done:
        """Hold all messages of an actor."""
        return await ordered(room, actor, "suspend", Ref.suspend)

    @router.post("/rooms/{room}/actors/{actor:path}/step", openapi_extra=INTERVENE)
    async def step(room: str, actor: str) -> Done:
        """Let a suspended actor handle one message."""
        return await ordered(room, actor, "step", Ref.step)

    @router.post("/rooms/{room}/actors/{actor:path}/resume", openapi_extra=INTERVENE)
    async def resume(room: str, actor: str) -> Done:
        """Let a suspended actor go on."""
        return await ordered(room, actor, "resume", Ref.resume)

    @router.post("/rooms/{room}/actors/{actor:path}/kill", openapi_extra=INTERVENE)
    async def kill(room: str, actor: str, body: ReasonBody) -> Done:
        """Have an actor fail: what supervises it restarts it, or ends with it, as after any failure."""
        return await ordered(room, actor, "kill", lambda ref: ref.kill(Killed(body.reason)))

    @router.post("/rooms/{room}/record", openapi_extra=INTERVENE)
    async def record(room: str, body: ReasonBody) -> Recorded:
        """Have what was seen of a room last written, by its black box, as a journal on the machine of the service."""
        session = rooms.get(room).session
        log.warning("intervention", room=room, actor="", message_id=0, order="record")
        files = session.keep_black_box(body.reason)
        if not files:
            raise SessionStateError(
                f"nothing of room {room!r} was written: it has no black box (SessionSpec(journal=BlackBox(...))), or "
                "that wrote a file within the last 10 s, or as many as it may"
            )
        return Recorded(files=[str(file) for file in files])

    @router.post("/rooms/{room}/actors/{actor:path}/inject", openapi_extra=INTERVENE)
    async def inject(room: str, actor: str, body: InjectBody) -> Done:
        """Put a message into the mailbox of an actor: one that it takes, of those of ``sessionactors.messages``."""
        ref = rooms.get(room).session.actor(actor)
        message = message_for(ref, body.type, body.fields)
        log.warning("intervention", room=room, actor=ref.path, message_id=0, order="inject", message=body.type)
        ref.tell(message)
        return Done(actor=ref.path, done=True)

    return router
