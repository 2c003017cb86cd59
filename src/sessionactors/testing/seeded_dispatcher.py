"""A dispatcher that lets a schedule choose, before each message, which actor runs next.

It keeps what production keeps: control before data, one message at a time, FIFO for each sender, receiver and lane. All
else (which of the ready actors is served, and when the event loop gets a turn) is a choice, so a schedule is an order.
First come first served is the order of production: an actor handles what waited when its turn came, then the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from sessionactors.runtime import handling
from sessionactors.runtime.dispatcher import LoopDispatcher
from sessionactors.runtime.policy import DATA

from .choices import Choices
from .ready_queue import ReadyQueue
from .schedule import Schedule

if TYPE_CHECKING:
    from sessionactors.runtime import KernelFuture
    from sessionactors.runtime.cell import Cell

LOOP = "loop"
"""The key of all that a loop does which is not ours."""


class SeededDispatcher(LoopDispatcher):
    """Serves ready actors in the order of a schedule, one message at a time.

    Args:
        loop: where the actors run. On a :class:`.VirtualLoop` whatever else is ready there is chosen from, too.
        choices: those of the run; a number stands for those of a random schedule with this seed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, choices: Choices | int) -> None:
        super().__init__(loop)
        self._choices = Choices(Schedule.random(choices)) if isinstance(choices, int) else choices
        self._ready: ReadyQueue | None = None
        self._next: Cell | None = None
        """Who has been chosen already."""
        self._in_hand: Cell | None = None
        """The actor whose turn it is."""
        self._rest = 0
        """Messages that it may still handle in this turn."""
        follow = getattr(loop, "follow", None)
        if follow is not None:
            self._ready = follow(self._choices)
            self._ready.serve(self._turn, self._keys, self._take)

    @classmethod
    def with_seed(cls, seed: int) -> Callable[[asyncio.AbstractEventLoop], SeededDispatcher]:
        """A factory for ``ActorSystem(dispatcher=...)``: a random order."""
        return lambda loop: cls(loop, seed)

    @classmethod
    def by(cls, choices: Choices) -> Callable[[asyncio.AbstractEventLoop], SeededDispatcher]:
        """A factory for ``ActorSystem(dispatcher=...)``: the order that these choices make."""
        return lambda loop: cls(loop, choices)

    def drive(self, future: KernelFuture) -> None:
        """Nothing: whether actors or the waiting task go on first is a choice, as all else."""

    def _serve(self, until: KernelFuture | None) -> None:
        self._serving = True
        try:
            while self._left > 0 and not self._closed:
                if self._posted:
                    self._run_posted()
                if not (self._control or self._data):
                    break
                cell = self._choose()
                if cell is None:
                    break
                self._left -= 1
                if self._control:
                    self._control.remove(cell)
                    self._serve_control(cell)
                else:
                    self._serve_data(cell)
        finally:
            self._serving = False

    def _choose(self) -> Cell | None:
        """Who is served next; None: the loop has its turn."""
        cell, self._next = self._next, None
        ready = self._control or self._data
        if cell is not None and cell in ready:
            return cell
        others = [LOOP] if self._ready is None else self._ready.waiting()
        if len(ready) == 1 and not others:
            return ready[0]
        keys = [*self._keys(), *others]
        key = self._choices.next(keys)
        index = keys.index(key)
        if index < len(ready):
            return ready[index]
        if self._ready is not None:
            self._ready.choose(key)
        return None

    def _serve_data(self, cell: Cell) -> None:
        """One message. An actor that is first goes on with what waited when its turn came."""
        ready, mailbox = self._data, cell.mailbox
        if cell is not self._in_hand or ready[0] is not cell:
            self._in_hand, self._rest = cell, len(mailbox.data or ())  # none: it has ended
        ready.remove(cell)
        self._rest -= 1
        one = [cell]
        try:
            handling.serve(one, one.pop, DATA, 1)
        finally:
            if mailbox.data and not cell.held:
                if self._rest > 0:
                    ready.appendleft(cell)
                else:
                    ready.append(cell)
            else:
                cell.ready_data = False

    def _keys(self) -> list[Hashable]:
        ready: deque[Cell] = self._control or self._data
        return [cell.path for cell in ready]

    def _take(self, key: Hashable) -> None:
        self._next = next(cell for cell in self._control or self._data if cell.path == key)
