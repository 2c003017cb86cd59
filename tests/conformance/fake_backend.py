"""What the fake providers have in common: a backend in the head that fails as told, and flaws around a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final, NoReturn, TypeVar

from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError
from sessionactors.testing.conformance import Fault

T = TypeVar("T")

KEY: Final = "sk-very-secret"


async def for_ever() -> NoReturn:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def deaf(*, for_good: bool = False) -> None:
    """Does not hear that it is cancelled: goes on soon, or not at all."""
    for _ in range(10 if for_good else 1):
        try:
            await asyncio.sleep(60 if for_good else 0.005)
        except asyncio.CancelledError:
            continue


class FakeBackend:
    """Fails as told.

    Args:
        fault: it has.
        flaw: of the provider in front of it: the name of the check that it fails; empty: none.
    """

    def __init__(self, fault: Fault | None, flaw: str) -> None:
        self.fault = fault
        self.flaw = flaw
        self.connections = 0
        self._open = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._left: list[asyncio.Task[NoReturn]] = []
        self._closed = False

    def leak(self) -> None:
        """Leave a task."""
        self._left.append(asyncio.create_task(for_ever()))

    def close(self) -> None:
        if self.flaw == "closes_twice" and self._closed:
            raise RuntimeError("closed already")
        self._closed = True
        if self.flaw != "leaves_nothing_behind":
            for task in self._left:
                task.cancel()

    async def request(self, answer: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """An answer, with the flaws that are around it."""
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self.flaw == "serves_two_loops" and self._loop is not loop:
            raise RuntimeError("attached to a different loop")
        if self.flaw == "answers_side_by_side" and self._open:
            raise RuntimeError("busy")
        if self.flaw == "leaves_nothing_behind":
            self.leak()
        self._open += 1
        self.connections += 1
        whole = False
        try:
            if self.flaw == "cancels_at_once":
                await deaf()
            async for piece in answer:
                yield piece
                if self.flaw == "cancels_mid_stream":
                    await deaf()
            whole = True
        finally:
            self._open -= 1
            if not whole and self.flaw == "closes_mid_stream":
                raise RuntimeError("closed in the middle")
            if not whole and self.flaw == "cancelled_requests_do_not_add_up":
                self.leak()
            await answer.aclose()

    async def begin(self) -> None:
        """The fault, if it is one that shows before there is an answer."""
        await asyncio.sleep(0.001)
        flaw = self.flaw
        match self.fault:
            case Fault.INVALID_KEY if flaw == "refused_key_is_final":
                raise APIError(f"the key {KEY} is wrong", retryable=False)
            case Fault.INVALID_KEY:
                raise APIStatusError("the key is wrong", status_code=401)
            case Fault.RATE_LIMIT if flaw == "rate_limit_is_retryable":
                raise APIError("too many requests")
            case Fault.RATE_LIMIT:
                raise APIStatusError("too many requests", status_code=429)
            case Fault.SERVER_ERROR:
                raise APIStatusError("no", status_code=500, retryable=flaw != "server_error_is_retryable")
            case Fault.UNREACHABLE if flaw == "unreachable_is_a_connection_error":
                raise ConnectionRefusedError(111, "refused")
            case Fault.UNREACHABLE:
                raise APIConnectionError("nobody is there")
            case Fault.STORM:
                self.connections += 9 if flaw == "reconnects_have_a_ceiling" else 0
                raise APIConnectionError("closed at once")
            case Fault.SILENCE:
                await (deaf(for_good=True) if flaw == "silence_can_be_cancelled" else for_ever())
            case Fault.STALL:
                await (deaf(for_good=True) if flaw == "stall_can_be_cancelled" else for_ever())
            case Fault.EMPTY if flaw == "empty_answer_ends":
                await for_ever()
            case _:
                return

    async def midway(self) -> bool:
        """The fault, if it is one that shows in the middle; True: the answer ends here."""
        match self.fault:
            case Fault.HALF_OPEN if self.flaw == "half_open_can_be_cancelled":
                return True
            case Fault.HALF_OPEN:
                await for_ever()
            case Fault.BREAK if self.flaw == "break_is_an_error":
                return True
            case Fault.BREAK:
                raise APIConnectionError("the connection is gone")
            case Fault.GARBAGE if self.flaw == "garbage_is_a_typed_error":
                raise ValueError("expecting a value: line 1")
            case Fault.GARBAGE:
                raise APIError("cannot be read")
            case _:
                pass
        return False
