"""Tool calls come in pieces: an id and a name first, then the arguments bit by bit. Here they are put together."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.model.errors import APIError


@dataclass(slots=True)
class _OpenCall:
    index: int | None
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class ToolCallAssembler:
    """The calls of one reply."""

    def __init__(self) -> None:
        self._calls: list[_OpenCall] = []

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, delta: ChoiceDeltaToolCall) -> None:
        """A piece of a call. Endpoints number calls, or give each a new id, or both."""
        call = self._call_of(delta)
        if delta.function is not None:
            call.name += delta.function.name or ""
            call.arguments.append(delta.function.arguments or "")

    def _call_of(self, delta: ChoiceDeltaToolCall) -> _OpenCall:
        index: int | None = delta.index  # the SDK checks nothing: some endpoints leave it out
        for call in reversed(self._calls):
            if call.index == index and (not delta.id or not call.id or delta.id == call.id):
                call.id = call.id or delta.id or ""
                return call
        call = _OpenCall(index, delta.id or "")
        self._calls.append(call)
        return call

    def complete(self) -> tuple[FunctionToolCall, ...]:
        """All calls, now that the reply is over.

        Raises:
            APIError: a call has no name.
        """
        made: list[FunctionToolCall] = []
        for call in self._calls:
            if not call.name:
                raise APIError("the model asked for a tool without naming it", body="".join(call.arguments))
            call_id = call.id or f"call_{uuid.uuid4().hex[:24]}"  # without one its output could not be told apart
            made.append(FunctionToolCall(call_id, call.name, "".join(call.arguments) or "{}"))
        return tuple(made)
