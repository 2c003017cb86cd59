"""A dispatcher that picks at random, from a seed, which actor runs next.

It keeps what production keeps: control before data, one message at a time, FIFO for each sender, receiver and lane. All
else (which of the ready actors is served, and when the event loop gets a turn) is a choice, so a seed is a schedule.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from sessionactors.runtime.dispatcher import LoopDispatcher

if TYPE_CHECKING:
    from sessionactors.runtime import KernelFuture
    from sessionactors.runtime.cell import Cell


MOST_IN_A_SLICE = 8
"""Messages before sockets, timers and effects come between."""


class SeededDispatcher(LoopDispatcher):
    """Serves ready actors in a seeded random order, one message at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seed: int) -> None:
        super().__init__(loop)
        self._random = random.Random(seed)

    @classmethod
    def with_seed(cls, seed: int) -> Callable[[asyncio.AbstractEventLoop], SeededDispatcher]:
        """A factory for ``ActorSystem(dispatcher=...)``."""
        return lambda loop: cls(loop, seed)

    def next_control(self) -> Cell:
        """Any cell with control."""
        return self._pick(self._control)

    def next_data(self) -> Cell:
        """Any cell with data."""
        return self._pick(self._data)

    def patience(self) -> int:
        """None: one message, then choose again."""
        return 0

    def slice(self) -> int:
        """Any number of messages, and then whatever the event loop has to do."""
        return self._random.randint(1, MOST_IN_A_SLICE)

    def drive(self, future: KernelFuture) -> None:
        """Nothing: whether actors or the waiting task go on first is left to chance, as all else."""

    def _pick(self, ready: deque[Cell]) -> Cell:
        index = self._random.randrange(len(ready))
        cell = ready[index]
        del ready[index]
        return cell
