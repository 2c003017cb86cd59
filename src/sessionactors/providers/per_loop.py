"""One thing for each loop: what holds connections belongs to the loop on which they were opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary


class Closable(Protocol):
    """What holds connections."""

    async def aclose(self) -> None:
        """Close them. Safe to call twice."""


T = TypeVar("T", bound=Closable)


class PerLoop(Generic[T]):
    """Makes one for each loop that asks, shared by all who ask there, closed with the loop at the latest.

    Args:
        make: called on the loop.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._known: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept[T]] = WeakKeyDictionary()
        self._lock = Lock()

    async def here(self) -> T:
        """The one of the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            kept = self._known.get(loop)
            if kept is None:
                thing = self._make()
                kept = self._known[loop] = _Kept(thing, _until_the_loop_ends(thing))
            else:
                return kept.thing
        await anext(kept.life)
        return kept.thing

    async def aclose(self) -> None:
        """Close all of them, each on its loop. The next who asks gets a new one."""
        with self._lock:
            known = list(self._known.items())
            self._known.clear()
        here = asyncio.get_running_loop()
        for loop, kept in known:
            if loop is here:
                await kept.aclose()
            elif loop.is_running():
                with suppress(RuntimeError):  # it was closed in between, and what was on it too
                    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(kept.aclose(), loop))


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    thing: T
    life: AsyncGenerator[None, None]

    async def aclose(self) -> None:
        await self.life.aclose()
        await self.thing.aclose()


async def _until_the_loop_ends(thing: Closable) -> AsyncGenerator[None, None]:
    """Closes it when it is closed itself, which every loop does with open generators when it ends.

    Programs that make a provider for a session and forget it leave connections behind otherwise.
    """
    try:
        yield
    finally:
        await thing.aclose()
