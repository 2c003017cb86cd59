"""A request that is read in a task of its own, as a session reads it: there it is cancelled and closed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeAlias, TypeVar

from .outcome import Nonconforming
from .rig import Closable, RequestRig

T = TypeVar("T")
AnyRig: TypeAlias = "RequestRig[Any]"

_KILLS = 20
"""How often what does not end is cancelled, so that the other checks can go on."""


class Reading:
    """One request of a rig.

    Args:
        rig: asks.
        provider: is asked.
        stop_after: pieces of the answer after which nobody wants more and the request is closed; None: all are read.
    """

    def __init__(self, rig: AnyRig, provider: Closable, *, stop_after: int | None = None) -> None:
        self.items: list[object] = []
        self.answers: list[float] = []
        """Loop times of the pieces of the answer."""
        self._rig = rig
        self._changed = asyncio.Event()
        self.began = asyncio.get_running_loop().time()
        self.task = asyncio.create_task(self._read(provider, stop_after), name=f"reading {rig.name}")
        self.task.add_done_callback(lambda _: self._changed.set())

    async def _read(self, provider: Closable, stop_after: int | None) -> None:
        loop = asyncio.get_running_loop()
        asked = self._rig.ask(provider)
        try:
            async for item in asked:
                self.items.append(item)
                if self._rig.is_answer(item):
                    self.answers.append(loop.time())
                    self._changed.set()
                if stop_after is not None and len(self.answers) >= stop_after:
                    return
        finally:
            await asked.aclose()

    async def first(self) -> None:
        """Wait for a piece of the answer.

        Raises:
            Nonconforming: none came in time, or before the end.
        """
        await asyncio.wait([asyncio.ensure_future(self._changed.wait())], timeout=self._rig.patience)
        if not self.answers:
            ended = self.error() if self.task.done() else f"nothing within {self._rig.patience:g} s"
            await self.kill()
            raise Nonconforming(f"no answer: {ended!r}")

    async def over(self) -> BaseException | None:
        """Wait for the end; what the request was ended by, None for a good end.

        Raises:
            Nonconforming: it did not end in time.
        """
        await asyncio.wait({self.task}, timeout=self._rig.patience)
        if not self.task.done():
            await self.kill()
            raise Nonconforming(f"neither an end nor an error within {self._rig.patience:g} s")
        return self.error()

    async def cancel(self) -> None:
        """Cancel it, as a session does with what nobody wants any more.

        Raises:
            Nonconforming: it does not end, or makes something else of the cancellation.
        """
        self.task.cancel()
        await asyncio.wait({self.task}, timeout=self._rig.patience)
        if not self.task.done():
            await self.kill()
            raise Nonconforming(f"a cancelled request did not end within {self._rig.patience:g} s")
        if not self.task.cancelled():
            raise Nonconforming(f"a cancelled request went on, and ended with {self.error()!r}")

    def error(self) -> BaseException | None:
        """What the request was ended by; None for a good end."""
        if self.task.cancelled():
            return asyncio.CancelledError("the provider raised CancelledError though nobody cancelled it")
        return self.task.exception()

    async def kill(self) -> None:
        """End it somehow."""
        for _ in range(_KILLS):
            if self.task.done():
                break
            self.task.cancel()
            await asyncio.wait({self.task}, timeout=self._rig.patience / _KILLS)
        if self.task.done() and not self.task.cancelled():
            self.task.exception()  # taken, so that asyncio does not report it


async def within(patience: float, what: str, work: Coroutine[object, object, T]) -> T:
    """The result of some work.

    Raises:
        Nonconforming: it took more than ``patience`` seconds.
    """
    task = asyncio.create_task(work, name=what)
    try:
        await asyncio.wait({task}, timeout=patience)
        if not task.done():
            raise Nonconforming(f"{what} took more than {patience:g} s")
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=patience)
