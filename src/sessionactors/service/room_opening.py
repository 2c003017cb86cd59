"""How a room's session is made and started: the factory, the spec, the transport, the start."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from sessionactors.actors.room import LEAVE_WITHIN
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.transport import Transport
from sessionactors.model.errors import OptionError
from sessionactors.runtime import ActorSystem, NameTaken
from sessionactors.runtime.system import BLOCKED_PATIENCE
from sessionactors.session.across_loops import called
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.room_options_legacy import RoomInputOptions, RoomOutputOptions

from .errors import RoomExists
from .farewell import Farewell
from .restart_policy import RestartPolicy
from .room_limits import RoomLimits
from .session_spec import SessionFactory, SessionSpec

log = structlog.get_logger("sessionactors.service")

TransportFactory: TypeAlias = Callable[[], Transport | Awaitable[Transport]]
"""Makes a transport for each session of a room: a room that is restarted needs another one."""


@dataclass(frozen=True, slots=True)
class RoomRules:
    """How rooms are treated whose spec says nothing else."""

    limits: RoomLimits
    restart: RestartPolicy
    farewell: Farewell
    close_deadline: float
    """Seconds for a close that names no deadline."""


@dataclass(frozen=True, slots=True)
class SpawnRequest:
    """What a room is opened with."""

    session_for: SessionFactory
    transport: Transport | TransportFactory | None
    room_input_options: RoomInputOptions | None
    room_output_options: RoomOutputOptions | None

    @property
    def may_restart(self) -> bool:
        """Whether there is a way into the room for another session: a transport is linked once."""
        return not isinstance(self.transport, Transport)

    async def spec(self, room: str) -> SessionSpec:
        """Ask the factory.

        Raises:
            OptionError: it gave something else.
            BaseException: what it raised.
        """
        made = self.session_for(room)
        spec = await made if inspect.isawaitable(made) else made
        if not isinstance(spec, SessionSpec):
            raise OptionError(f"session_for({room!r}) must give a SessionSpec, got {spec!r}")
        return spec

    async def new_transport(self) -> Transport | None:
        """The transport, or one that is made now.

        Raises:
            OptionError: the function gave something else.
            BaseException: what it raised.
        """
        if self.transport is None or isinstance(self.transport, Transport):
            return self.transport
        made: object = self.transport()
        transport = await made if inspect.isawaitable(made) else made
        if not isinstance(transport, Transport):
            raise OptionError(f"transport must be a Transport or a function that makes one; it made {transport!r}")
        return transport


async def started(
    session: AgentSession[object], spec: SessionSpec, request: SpawnRequest, room: str, transport: Transport | None
) -> None:
    """Start a room's session.

    Raises:
        RoomExists: somebody else has a tree of that name in the actor system.
        BaseException: what the start raised.
    """
    try:
        await session.start(
            spec.agent,
            room=transport,
            room_name=room,
            room_input_options=request.room_input_options,
            room_output_options=request.room_output_options,
        )
    except NameTaken as error:
        raise RoomExists(room, "in the actor system, of another owner") from error


async def left(transport: Transport, system: ActorSystem, room: str, deadline: float) -> None:
    """Close the transport of a session that failed, whatever it does, within seconds; closing it twice is safe."""
    home = asyncio.get_running_loop() if transport.home is Home.USER else system.loop
    try:
        async with asyncio.timeout(min(deadline, LEAVE_WITHIN)):
            await called(home, transport.aclose)
    except Exception as error:  # of a room that is broken anyway; the loop may be closed, too
        log.exception("transport_left_badly", room=room, actor="", message_id=0, error=repr(error))


async def certainly_closed(session: AgentSession[object], deadline: float) -> None:
    """Close it and wait for that, whatever is cancelled meanwhile; no longer than a blocked actor loop is given."""
    limit = asyncio.get_running_loop().time() + deadline + BLOCKED_PATIENCE
    while True:
        try:
            async with asyncio.timeout_at(limit):
                await session.aclose(deadline=deadline)
            return
        except TimeoutError:
            room = session.room_name
            log.exception("room_abandoned", room=room, actor=room, message_id=0, seconds=deadline)
            return
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None:
                task.uncancel()  # heard: what is to be done is being done
