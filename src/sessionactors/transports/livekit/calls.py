"""Calls between participants: methods of the program, in each room that the link makes, and calls of theirs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine

from livekit import rtc

from sessionactors.interfaces.rpc import RpcError, RpcErrorCode, RpcHandler, RpcInvocation

from .part import RoomPart


class Calls(RoomPart):
    """Keeps the methods that were registered through the session; those of the room itself are the program's own."""

    def __init__(self) -> None:
        self._methods: dict[str, RpcHandler] = {}
        self._room: rtc.Room | None = None

    def register(self, method: str, handler: RpcHandler) -> None:
        """Let participants call a method; before the room is joined as well."""
        self._methods[method] = handler
        if self._room is not None:
            self._room.local_participant.register_rpc_method(method, _answering(handler))

    def unregister(self, method: str) -> None:
        """Take a method back."""
        if self._methods.pop(method, None) is not None and self._room is not None:
            self._room.local_participant.unregister_rpc_method(method)

    async def joined(self, room: rtc.Room) -> None:
        self._room = room
        for method, handler in self._methods.items():
            room.local_participant.register_rpc_method(method, _answering(handler))

    def detach(self, room: rtc.Room) -> None:
        joined, self._room = self._room, None
        if joined is not None and room.isconnected():
            for method in self._methods:
                room.local_participant.unregister_rpc_method(method)

    async def perform(self, callee: str, method: str, payload: str, response_timeout: float | None) -> str:
        """Call a method of a participant.

        Raises:
            RpcError: it failed.
        """
        room = self._room
        if room is None or not room.isconnected():
            not_linked = f"{method!r} of {callee!r} was not called: the room is not connected"
            raise RpcError(RpcErrorCode.SEND_FAILED, not_linked)
        try:
            return await room.local_participant.perform_rpc(
                destination_identity=callee, method=method, payload=payload, response_timeout=response_timeout
            )
        except rtc.RpcError as error:
            raise RpcError(error.code, error.message, error.data) from error


def _answering(handler: RpcHandler) -> Callable[[rtc.RpcInvocationData], Coroutine[None, None, str]]:
    async def answer(data: rtc.RpcInvocationData) -> str:
        call = RpcInvocation(data.request_id, data.caller_identity, data.payload, data.response_timeout, data.method)
        try:
            answered = handler(call)
            text = await answered if inspect.isawaitable(answered) else answered
        except RpcError as error:
            raise rtc.RpcError(error.code, error.message, error.data) from error
        return text or ""

    return answer
