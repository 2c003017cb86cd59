"""Routes behind the gate: token, size and rate are looked at before anything of the request is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import pykka
import structlog
from fastapi import Request, Response
from fastapi.exceptions import HTTPException
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.runtime import MailboxFull, SystemClosed
from sessionactors.service.errors import AdmissionRefused, RoomExists

from .gate import Gate, Refused
from .options import Right

if TYPE_CHECKING:
    from starlette.types import Message, Receive

RIGHT: Final = "x-right"
"""In OpenAPI: which right a route needs."""

log = structlog.get_logger("sessionactors.service")


def guarded(gate: Gate) -> type[APIRoute]:
    """The class of routes that this gate stands before."""

    class GuardedRoute(APIRoute):
        """A route that needs the right of its ``x-right``; without one, anybody may ask it."""

        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
            answer = super().get_route_handler()
            named = (self.openapi_extra or {}).get(RIGHT)
            right = None if named is None else Right(named)

            async def handle(request: Request) -> Response:
                client = None if request.client is None else request.client.host
                try:
                    gate.admit(client, dict(request.headers), right)
                    length = request.headers.get("content-length", "0")
                    if length.isdigit() and int(length) > gate.options.max_body:
                        raise _too_large(gate)
                    return await answer(Request(request.scope, bounded(request.receive, gate)))
                except Refused as refused:
                    return problem(refused.status, refused.detail, headers=refused.headers)
                except Exception as error:
                    answered = problem_of(error)
                    if answered is None:
                        raise
                    return answered

            return handle

    return GuardedRoute


def bounded(receive: Receive, gate: Gate) -> Receive:
    """The body, no further than it may be long: a length that is not told, or not true, is no way around."""
    read = 0

    async def receive_some() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > gate.options.max_body:
            raise HTTPException(413, _too_large(gate).detail)
        return message

    return receive_some


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None, **more: str) -> JSONResponse:
    """An answer that says why not."""
    return JSONResponse({"detail": detail, **more}, status, headers)


def problem_of(error: Exception) -> JSONResponse | None:
    """The answer to what a room, or the lack of one, has raised; None: it is no answer, but a fault of ours."""
    match error:
        case KeyError():
            return problem(404, str(error.args[0]))
        case RoomExists():
            return problem(409, str(error))
        case AdmissionRefused(reason=reason):
            return problem(503, str(error), headers={"retry-after": "5"}, reason=reason)
        case MailboxFull() | SystemClosed():
            return problem(503, str(error), headers={"retry-after": "1"})
        case SessionStateError() | pykka.ActorDeadError():
            return problem(409, str(error))
        case OptionError():
            return problem(422, str(error))
        case _:
            return None


def _too_large(gate: Gate) -> Refused:
    return Refused(413, f"a body may have {gate.options.max_body} bytes, this one has more")
