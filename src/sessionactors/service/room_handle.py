"""``RoomHandle``: what :meth:`RoomSupervisor.spawn` gives: one open room, its session, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sessionactors.model.events import CloseEvent
from sessionactors.runtime import CloseReport, TreeSnapshot
from sessionactors.session.agent_session import AgentSession


class RoomHandle:
    """One room. Made by the supervisor."""

    def __init__(
        self,
        room: str,
        session: AgentSession[object],
        closed: asyncio.Future[CloseEvent],
        close: Callable[[float | None], Awaitable[CloseReport]],
    ) -> None:
        self._room = room
        self._session = session
        self._closed = closed
        self._close = close

    @property
    def room(self) -> str:
        """Its name."""
        return self._room

    @property
    def session(self) -> AgentSession[object]:
        """Its session: ``await handle.session.say("Hello.")``."""
        return self._session

    @property
    def closed(self) -> asyncio.Future[CloseEvent]:
        """Done when the room is over, by whomever: its slot and its name are free then, its agent too."""
        return asyncio.shield(self._closed)  # who cancels what is given out cancels nothing here

    @property
    def close_report(self) -> CloseReport | None:
        """After the end: how each actor ended; None if the room ended by a failure of its root."""
        return self._session.close_report

    async def wait_closed(self) -> CloseEvent:
        """Wait for the end; says why."""
        return await asyncio.shield(self._closed)

    async def aclose(self, *, deadline: float | None = None) -> CloseReport:
        """Close the room; see :meth:`RoomSupervisor.close`. Does nothing when it is over."""
        return await self._close(deadline)

    def inspect(self) -> TreeSnapshot:
        """See :meth:`AgentSession.inspect`."""
        return self._session.inspect()

    def __repr__(self) -> str:
        return f"<RoomHandle {self._room!r} {'closed' if self._closed.done() else 'open'}>"
