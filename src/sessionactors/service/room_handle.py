"""``RoomHandle``: what :meth:`RoomSupervisor.spawn` gives: one open room, its session, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sessionactors.model.chat import ChatContext, ChatItem
from sessionactors.model.events import CloseEvent
from sessionactors.runtime import CloseReport, TreeSnapshot
from sessionactors.session.agent_session import AgentSession

from .room_end import RoomEnd
from .room_events import RoomEvent
from .room_limits import RoomUse
from .room_use import RoomAccount

RoomEventCallback = TypeVar("RoomEventCallback", bound=Callable[[RoomEvent], object])


@dataclass(slots=True)
class RoomFacts:
    """What a handle tells of a room. Written by the room's :class:`.HostedRoom`, on its loop."""

    session: AgentSession[object]
    before: tuple[ChatItem, ...] = ()
    """What was said in the sessions before this one."""
    restarts: int = 0
    end: RoomEnd | None = None
    callbacks: list[Callable[[RoomEvent], object]] = field(default_factory=list)
    """Of :meth:`RoomHandle.on_event`."""


class RoomHandle:
    """One room. Made by the supervisor."""

    def __init__(
        self,
        room: str,
        facts: RoomFacts,
        closed: asyncio.Future[CloseEvent],
        close: Callable[[float | None], Awaitable[CloseReport]],
        account: RoomAccount,
    ) -> None:
        self._room = room
        self._facts = facts
        self._closed = closed
        self._close = close
        self._account = account

    @property
    def room(self) -> str:
        """Its name."""
        return self._room

    @property
    def session(self) -> AgentSession[object]:
        """Its session: ``await handle.session.say("Hello.")``. Another one after a restart: read it anew each time."""
        return self._facts.session

    @property
    def history(self) -> ChatContext:
        """What was said in the room: in this session, and in those before that failed."""
        return ChatContext((*self._facts.before, *self._facts.session.history.items))

    @property
    def restarts(self) -> int:
        """How often the room was restarted."""
        return self._facts.restarts

    @property
    def closed(self) -> asyncio.Future[CloseEvent]:
        """Done when the room is over, by whomever: its slot and its name are free then, its agent too."""
        return asyncio.shield(self._closed)  # who cancels what is given out cancels nothing here

    @property
    def end(self) -> RoomEnd | None:
        """How the room ended; None: it has not. From any thread."""
        return self._facts.end

    @property
    def close_report(self) -> CloseReport | None:
        """After the end: how each actor ended; None if the room ended by a failure of its root."""
        return self._facts.session.close_report

    async def wait_closed(self) -> CloseEvent:
        """Wait for the end; says why. :attr:`end` says it in one word."""
        return await asyncio.shield(self._closed)

    async def aclose(self, *, deadline: float | None = None) -> CloseReport:
        """Close the room; see :meth:`RoomSupervisor.close`. Does nothing when it is over."""
        return await self._close(deadline)

    def inspect(self) -> TreeSnapshot:
        """See :meth:`AgentSession.inspect`."""
        return self._facts.session.inspect()

    def use(self) -> RoomUse:
        """What the room has used so far, memory measured now. From any thread."""
        if self._facts.end is None:
            self._account.measure()
        return self._account.use()

    def on_event(self, callback: RoomEventCallback) -> RoomEventCallback:
        """Call ``callback(event)`` with each :class:`.RoomEvent` of this room; also as a decorator, also ``async``.

        On the loop of the supervisor. One that raises is logged and hurts nobody.
        """
        self._facts.callbacks.append(callback)
        return callback

    def __repr__(self) -> str:
        return f"<RoomHandle {self._room!r} {'closed' if self._closed.done() else 'open'}>"
