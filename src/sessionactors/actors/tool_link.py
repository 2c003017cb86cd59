"""A running call's side of its line to ``tools``: messages out, answers back through the effect's inlet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from sessionactors.interfaces.tool_link import Approval, CallSuperseded, Entry, ToolLink
from sessionactors.messages.tools import ApprovalWanted, CallBegan, CallEntered
from sessionactors.runtime import EffectPort, InternalError, Scope

if TYPE_CHECKING:
    from .tools import ToolsMessage

A = TypeVar("A", Approval, Entry)


class _Order(Protocol):
    @property
    def speech(self) -> str: ...
    @property
    def scope(self) -> Scope: ...


class EffectLink(ToolLink):
    """The line of one call, inside of its effect. A call asks one thing at a time."""

    def __init__(self, port: EffectPort[ToolsMessage], call_id: str, order: _Order, room: str) -> None:
        self._port = port
        self._call_id = call_id
        self._order = order
        self._room = room

    @property
    def speech_id(self) -> str:
        """The speech that made the call."""
        return self._order.speech

    @property
    def room(self) -> str:
        """The session's room."""
        return self._room

    async def enter(self, arguments: str, *, confirmed: bool) -> Entry:
        """Ask whether the call may run beside others of its tool."""
        return await self._ask(CallEntered(self._call_id, arguments, confirmed), Entry)

    async def approval(self) -> Approval:
        """Wait until somebody approves or denies the call."""
        return await self._ask(ApprovalWanted(self._call_id), Approval)

    async def begin(self) -> None:
        """The tool's own code comes next: no other code of this loop runs between the look at the scope and it."""
        if self._order.scope.closed:
            raise CallSuperseded
        await self._port.send(CallBegan(self._call_id))  # does not wait: it is one of the first of its window

    async def _ask(self, question: CallEntered | ApprovalWanted, kind: type[A]) -> A:
        await self._port.send(question)
        answer = await anext(self._port.inlet)
        if not isinstance(answer, kind):
            raise InternalError(f"call {self._call_id} was answered {answer!r} to {question!r}: please report it")
        return answer
