"""A provider's stream in which signals get lost, doubled, late, or end in a fault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from typing import Generic, TypeVar, cast

from sessionactors.model.errors import APIConnectionError

from .fault import FaultError, SignalFault
from .point import Gate

T = TypeVar("T")


class Alien:
    """Something that no protocol knows."""


async def disturbed(
    part: str,
    begin: Callable[[], AsyncIterator[T]],
    gate: Gate,
    *,
    kind: Callable[[T], str],
    senseless: Callable[[T], T],
) -> AsyncGenerator[T, None]:
    """What a stream says, with the faults that the gate has for it.

    Args:
        part: ``stt``, ``llm``, ...
        begin: opens the stream; it is closed with this one.
        gate: asked at the opening, at each item and at the end.
        kind: of an item, as in ``stt.final_transcript``.
        senseless: an item of the same type without sense.

    Raises:
        APIConnectionError: a fault says so, or the stream does.
    """
    passage = _Passage(part, gate, senseless)
    if not await passage.opens():
        return
    stream = begin()
    try:
        async for item in stream:
            passed = await passage.lets_pass(item, kind(item))
            if passed is None:
                return
            for one in passed:
                yield one
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
    for one in passage.held:
        yield one
    await passage.ends()


class _Passage(Generic[T]):
    """The way of one stream through a gate."""

    def __init__(self, part: str, gate: Gate, senseless: Callable[[T], T]) -> None:
        self.held: list[T] = []
        """What comes behind the next item."""
        self._part = part
        self._gate = gate
        self._senseless = senseless
        self._pace = 0.0

    async def opens(self) -> bool:
        """The stream is about to open; False: it ends there."""
        fault = self._gate.meet(f"{self._part}.open")
        if fault is not None and fault.does == "drip":
            self._pace = fault.seconds
        elif fault is not None and fault.does != "end":
            await break_or_wait(fault)
        return fault is None or fault.does != "end"

    async def lets_pass(self, item: T, kind: str) -> list[T] | None:
        """What comes instead of an item; None: the end."""
        fault = self._gate.meet(f"{self._part}.{kind}")
        if fault is not None and fault.does == "drip":
            self._pace = fault.seconds
        if self._pace:
            await asyncio.sleep(self._pace)
        said = [item]
        match None if fault is None else fault.does:
            case "end":
                return None
            case "swap":
                self.held.append(item)
                return []
            case "drop":
                said = []
            case "double":
                said = [item, item]
            case "garbage":
                said = [self._senseless(item)]
            case "alien":
                said = [cast("T", Alien())]
            case _:
                if fault is not None:
                    await break_or_wait(fault)
        said += self.held
        self.held = []
        return said

    async def ends(self) -> None:
        """The stream has ended."""
        fault = self._gate.meet(f"{self._part}.end")
        if fault is not None:
            await break_or_wait(fault)


async def break_or_wait(fault: SignalFault) -> None:
    """Raise, hang or wait as the fault says; what it says about items of a stream does nothing here."""
    match fault.does:
        case "fail" | "dead":
            raise APIConnectionError(f"injected: {fault}") from FaultError(str(fault))
        case "hang":
            await asyncio.get_running_loop().create_future()
        case "stuck":
            await _stuck(fault.seconds)
        case "delay":
            await asyncio.sleep(fault.seconds)
        case _:
            return


async def _stuck(seconds: float) -> None:
    """Wait for ever; whoever cancels it waits for so many seconds more."""
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(left)
        raise
