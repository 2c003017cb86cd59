"""What the actors have to tell the user's loop, in order: a burst of it wakes that loop once.

Filled on the actor loop, emptied on the user's. Knows nothing of what it carries.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PostBox(Generic[T]):
    """Carries items to another loop.

    Where both are one loop each item is a callback of its own, as it always was: a test's scheduler may have others
    run in between.

    Args:
        loop: where the items go.
        deliver: called there with each, in order. What it raises goes to the loop's exception handler; the items
            behind are delivered all the same.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[T], object]) -> None:
        self._loop = loop
        self._deliver = deliver
        self._waiting: deque[T] = deque()
        self._woken = False

    def put(self, item: T) -> None:
        """Deliver an item behind all others.

        Raises:
            RuntimeError: the loop is closed; the item is lost.
        """
        if asyncio._get_running_loop() is self._loop:
            self._loop.call_soon(self._deliver, item)
            return
        self._waiting.append(item)
        if not self._woken:  # after the append: who empties the box takes its note back before it looks
            self._wake()

    def _wake(self) -> None:
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._empty)
        except RuntimeError:
            self._woken = False
            self._waiting.clear()
            raise

    def _empty(self) -> None:
        """What waits now; what comes meanwhile waits for the next turn, so that the user's code is not starved."""
        self._woken = False
        left = len(self._waiting)
        try:
            while left:
                left -= 1
                self._deliver(self._waiting.popleft())
        finally:
            if self._waiting and not self._woken:
                self._wake()
