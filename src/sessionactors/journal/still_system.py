"""An actor system in which nothing moves by itself: a replay says what happens next, and what time it is."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, cast

from sessionactors.runtime import ActorSystem, Clock
from sessionactors.runtime.effect import Effect
from sessionactors.runtime.ticker import Alarm, Ticker
from sessionactors.runtime.tree import Tree

if TYPE_CHECKING:
    from sessionactors.runtime.cell import Cell
    from sessionactors.runtime.dispatcher import Dispatcher


class StillTicker:
    """Alarms that never go off: the journal says what was due."""

    def at(self, due: int, callback: Callable[[], None]) -> Alarm:
        """An alarm that can be cancelled."""
        return Alarm(due, callback)


class StillDispatcher:
    """Serves nobody: the journal says whose turn it is."""

    def ready_control(self, cell: Cell) -> None:
        """It waits until the journal comes to it."""

    def ready_data(self, cell: Cell) -> None:
        """It waits until the journal comes to it."""

    def post(self, call: Callable[[], None]) -> None:
        """There is one thread only."""
        call()


class StillSystem(ActorSystem):
    """The actor system of a replay. Its time is :attr:`time`, nanoseconds."""

    def __init__(self, seed: int, origin: int, wall: float) -> None:
        super().__init__("running", seed=seed, watchdog=False)
        self.time = origin
        self.loop = cast("asyncio.AbstractEventLoop", None)  # there is none
        self.clock = Clock(lambda: self.time)
        self.clock.set_origin(origin, wall)
        self.ticker = cast("Ticker", StillTicker())
        self.dispatcher = cast("Dispatcher", StillDispatcher())
        self.loop_thread = threading.get_ident()
        self._pid = os.getpid()
        self._running = True


class StillEffect(Effect):
    """An effect that does nothing: what it came to is in the journal."""

    __slots__ = ()

    def start(self) -> None:
        """Its coroutine is not run."""

    def cancel(self, *, report: bool = False) -> None:
        """As the journal says, its end follows."""
        if not self.cancelled:
            self.cancelled = True
            self.report = report

    def feed(self, item: object) -> None:
        """Nobody reads it."""

    def end_inlet(self) -> None:
        """Nobody reads it."""

    def acknowledge(self) -> None:
        """One of its messages has left the mailbox."""
        self.in_flight -= 1


class Numbers(Iterator[int]):
    """1, 2, 3, ... without those that were taken outside."""

    def __init__(self, taken: frozenset[int]) -> None:
        self._taken = taken
        self._count = count(1)
        self.last = 0
        """The last that was given."""

    def __next__(self) -> int:
        while (number := next(self._count)) in self._taken:
            continue
        self.last = number
        return number

    def before_next(self, number: int) -> bool:
        """Whether a number that was taken outside was taken before the next one of here."""
        following = self.last + 1
        while following in self._taken:
            following += 1
        return number < following


class _Counters(dict[str, Iterator[int]]):
    def __init__(self, names: frozenset[str]) -> None:
        super().__init__()
        self._names = names

    def setdefault(self, kind: str, _: object = None) -> Iterator[int]:
        if kind not in self:
            numbers = (name.rpartition("-") for name in self._names)
            self[kind] = Numbers(frozenset(int(number) for of, _, number in numbers if of == kind))
        return self[kind]


def still_tree(system: ActorSystem, name: str, ids: frozenset[int], names: frozenset[str]) -> tuple[Tree, Numbers]:
    """A tree whose ids and names are those that were not taken outside, and its ids."""
    tree = Tree(system, name, seed=system.seed, user_loop=None, user_context=None)
    numbers = Numbers(ids)
    tree.message_ids = cast("count[int]", numbers)
    tree.next_message_id = numbers.__next__
    tree.counters = cast("dict[str, count[int]]", _Counters(names))
    system.trees[name] = tree
    return tree, numbers
