"""Calls between the participants of a room in memory: methods by participant, and what a call of one comes to."""

from __future__ import annotations

import asyncio
import inspect
from itertools import count

from sessionactors.interfaces.rpc import RpcError, RpcErrorCode, RpcHandler, RpcInvocation

RESPONSE_TIMEOUT = 15.0
"""Seconds for an answer, if the caller does not say."""


class MemoryRpc:
    """The methods of everybody in the room. Everything on the loop of the session's user."""

    def __init__(self) -> None:
        self._methods: dict[tuple[str, str], RpcHandler] = {}
        self._numbers = count(1)

    def register(self, identity: str, method: str, handler: RpcHandler) -> None:
        """Let others call a method of this participant."""
        self._methods[identity, method] = handler

    def unregister(self, identity: str, method: str) -> None:
        """Take it back."""
        self._methods.pop((identity, method), None)

    async def call(self, caller: str, callee: str, method: str, payload: str, timeout: float | None) -> str:
        """Call a method.

        Raises:
            RpcError: the method is not there, raised something, or took too long.
        """
        handler = self._methods.get((callee, method))
        if handler is None:
            raise RpcError(RpcErrorCode.UNSUPPORTED_METHOD, f"{callee!r} has no method {method!r}")
        within = RESPONSE_TIMEOUT if timeout is None else timeout
        invocation = RpcInvocation(f"rpc-{next(self._numbers)}", caller, payload, within, method)
        try:
            async with asyncio.timeout(within):
                answer = handler(invocation)
                text = await answer if inspect.isawaitable(answer) else answer
        except RpcError:
            raise
        except TimeoutError as error:
            late = f"{method!r} of {callee!r} gave no answer within {within} s"
            raise RpcError(RpcErrorCode.RESPONSE_TIMEOUT, late) from error
        except Exception as error:
            failed = f"{method!r} of {callee!r} raised {type(error).__name__}"  # as in a room: no more is told
            raise RpcError(RpcErrorCode.APPLICATION_ERROR, failed) from error
        return text or ""
