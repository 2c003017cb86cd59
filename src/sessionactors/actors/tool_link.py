"""A running call's side of its line to ``tools``: messages out, answers back through the effect's inlet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Protocol, TypeVar

from sessionactors.interfaces.tool_link import Approval, CallSuperseded, Entry, ToolLink
from sessionactors.messages.tools import (
    ApprovalWanted,
    CallBegan,
    CallEntered,
    CallUpdated,
    QuietAsked,
    TaskAwaitedInCall,
)
from sessionactors.runtime import EffectPort, InternalError, Scope

if TYPE_CHECKING:
    from .tools import ToolsMessage

A = TypeVar("A", Approval, Entry)

ONE_QUESTION = 0
"""Ticket of what a call asks before it begins: one thing at a time."""


@dataclass(frozen=True, slots=True)
class QuietGiven:
    """All is quiet, and it is the call's until it gives it back."""

    ticket: int


class _Order(Protocol):
    @property
    def speech(self) -> str: ...
    @property
    def scope(self) -> Scope: ...
    @property
    def on_enter(self) -> bool: ...


class EffectLink(ToolLink):
    """The line of one call, inside of its effect."""

    def __init__(self, port: EffectPort[ToolsMessage], call_id: str, order: _Order, room: str) -> None:
        self._port = port
        self._call_id = call_id
        self._order = order
        self._room = room
        self._tickets = count(ONE_QUESTION + 1)
        self._asked: dict[int, asyncio.Future[object]] = {}
        self._reader: asyncio.Task[None] | None = None

    @property
    def speech_id(self) -> str:
        """The speech that made the call."""
        return self._order.speech

    @property
    def on_enter(self) -> bool:
        """Whether the call belongs to a reply that ``on_enter`` asked for."""
        return self._order.on_enter

    @property
    def room(self) -> str:
        """The session's room."""
        return self._room

    async def enter(self, tool: str, arguments: str, *, confirmed: bool) -> Entry:
        """Ask whether the call may run beside others of this tool."""
        return await self._ask(CallEntered(self._call_id, tool, arguments, confirmed), Entry)

    async def approval(self) -> Approval:
        """Wait until somebody approves or denies the call."""
        return await self._ask(ApprovalWanted(self._call_id), Approval)

    async def begin(self) -> None:
        """The tool's own code comes next: no other code of this loop runs between the look at the scope and it."""
        if self._order.scope.closed:
            raise CallSuperseded
        await self._port.send(CallBegan(self._call_id))  # does not wait: it is one of the first of its window

    async def update(self, message: str, output: str, *, reply_required: bool) -> None:
        """Tell how far the tool is."""
        await self._port.send(CallUpdated(self._call_id, message, output, reply_required))

    def quiet(self) -> AbstractAsyncContextManager[None]:
        """Wait for the quiet, and keep it."""
        return self._quiet()

    @asynccontextmanager
    async def _quiet(self) -> AsyncIterator[None]:
        ticket = next(self._tickets)
        answer = self._expect(ticket)
        await self._port.send(QuietAsked(self._call_id, ticket))
        try:
            await answer
            yield
        finally:
            self._asked.pop(ticket, None)
            await self._port.send(QuietAsked(self._call_id, ticket, over=True))

    @asynccontextmanager
    async def awaiting_task(self) -> AsyncIterator[None]:
        """Inside, the call awaits a task."""
        await self._port.send(TaskAwaitedInCall(self._call_id))
        try:
            yield
        finally:
            await self._port.send(TaskAwaitedInCall(self._call_id, over=True))

    def close(self) -> None:
        """The call is over."""
        if self._reader is not None:
            self._reader.cancel()

    async def _ask(self, question: CallEntered | ApprovalWanted, kind: type[A]) -> A:
        answer = self._expect(ONE_QUESTION)
        await self._port.send(question)
        value = await answer
        if not isinstance(value, kind):
            raise InternalError(f"call {self._call_id} was answered {value!r} to {question!r}: please report it")
        return value

    def _expect(self, ticket: int) -> asyncio.Future[object]:
        self._asked[ticket] = answer = asyncio.get_running_loop().create_future()
        if self._reader is None:
            self._reader = asyncio.ensure_future(self._read())
        return answer

    async def _read(self) -> None:
        async for answer in self._port.inlet:
            ticket = answer.ticket if isinstance(answer, QuietGiven) else ONE_QUESTION
            waiting = self._asked.pop(ticket, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)
