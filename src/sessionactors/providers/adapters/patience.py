"""Reading what a provider yields, with a deadline that stands still while the provider owes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from sessionactors.model.errors import APITimeoutError

T = TypeVar("T")


class Patience:
    """How long one is waited for. It stands still until :meth:`begin`.

    Args:
        seconds: of a time, > 0.
        label: whose, for people.
    """

    def __init__(self, seconds: float, label: str) -> None:
        self._seconds = seconds
        self._label = label
        self._ends_at: float | None = None
        self._waiting: asyncio.Timeout | None = None

    def begin(self) -> None:
        """Its time runs, from now."""
        self._end_at(asyncio.get_running_loop().time() + self._seconds)

    def go_on(self) -> None:
        """Its time runs, from now if it stood still."""
        if self._ends_at is None:
            self.begin()

    def renew(self) -> None:
        """Its time runs from now, unless it stands still."""
        if self._ends_at is not None:
            self.begin()

    def pause(self) -> None:
        """It owes nothing, or waits for us."""
        self._end_at(None)

    async def next(self, items: AsyncIterator[T]) -> T:
        """The next item.

        Raises:
            StopAsyncIteration: there is none.
            APITimeoutError: it did not come in time.
        """
        # One task reads from begin to end: SDKs open and close their scopes in the task that reads.
        waiting = asyncio.timeout_at(self._ends_at)
        try:
            async with waiting:
                self._waiting = waiting
                return await anext(items)
        except TimeoutError:
            if not waiting.expired():
                raise
            raise APITimeoutError(f"{self._label} did not go on within {self._seconds:g} s") from None
        finally:
            self._waiting = None

    def _end_at(self, at: float | None) -> None:
        self._ends_at = at
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(at)


async def end(items: object) -> None:
    """Close an iterator, if it can be closed."""
    aclose = getattr(items, "aclose", None)
    if aclose is not None:
        await aclose()
