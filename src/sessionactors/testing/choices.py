"""The choices of one run: a schedule makes them, and they are written down.

The dispatcher and the virtual loop ask here what is next. What could be next is named by *keys*: an actor's path, a
task, a timer. A key tells the strategies who is who; a run in another process has other objects but the same choices.
"""

from __future__ import annotations

import random
from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from .schedule import Schedule

K = TypeVar("K", bound=Hashable)
Strategy: TypeAlias = Callable[[int, Sequence[Hashable]], int]
"""From the number of the choice and who could be next, first come first, to the index of who is."""


class Choices:
    """What one run chooses. Make one for each run."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.made = array("H")
        """The index that was picked, by number of the choice."""
        self.notes: list[str] = []
        """What of the schedule could not be followed: it belongs to another scenario, or to other code."""
        self.explain: Callable[[Hashable], str] | None = None
        """Says for a report what a key stands for."""
        self.reasons: list[str] = []
        """With :attr:`explain`: each pick that is not first come first served, in words."""
        self._waiting: dict[Hashable, None] = {}
        self._over = False
        self._pick = _strategy(self)

    def next(self, keys: Sequence[K]) -> K:
        """Who of several goes on.

        Args:
            keys: first come first; at least one.
        """
        if len(keys) == 1 or self._over:
            key = keys[0]
            if self._waiting:
                self._waiting.pop(key, None)
            return key
        if self._waiting:
            keys = self._in_turn(keys)
        index = self._pick(len(self.made), keys)
        self.made.append(index)
        key = keys[index]
        if index:
            if self.explain is not None:
                passed = ", ".join(map(self.explain, keys[:index]))
                self.reasons.append(f"choice {len(self.made) - 1}: {self.explain(key)} before {passed}")
            for passed_over in keys[:index]:
                self._waiting.pop(passed_over, None)  # to the end
                self._waiting[passed_over] = None
        self._waiting.pop(key, None)
        return key

    def _in_turn(self, keys: Sequence[K]) -> Sequence[K]:
        """Those who were passed over come when all else is quiet, in the order in which that happened."""
        waiting = self._waiting
        late = set(keys) & waiting.keys()
        if not late:
            return keys
        return [key for key in keys if key not in late] + [key for key in waiting if key in late]

    @property
    def deviations(self) -> dict[int, int]:
        """The choices in which the run did not take what would have been next: with them it can be played again."""
        return {number: index for number, index in enumerate(self.made) if index}

    def follow(self) -> Schedule:
        """The exact order of this run."""
        return self.schedule.with_picks(self.deviations)

    def over(self) -> None:
        """The run has ended: note which picks were never asked for. What is chosen after that is no part of it."""
        self._over = True
        left = [choice for choice in self.schedule.picks if choice >= len(self.made)]
        if left:
            self.notes.append(f"the run made {len(self.made)} choices: there was no choice {', '.join(map(str, left))}")


def choices_of(schedule: Schedule | int | Choices | None) -> Choices | None:
    """Those of one run: by a schedule, by a random one with this seed, or, for None, none: as in production."""
    if schedule is None or isinstance(schedule, Choices):
        return schedule
    return Choices(Schedule.random(schedule) if isinstance(schedule, int) else schedule)


def _strategy(choices: Choices) -> Strategy:
    schedule = choices.schedule
    drawn = random.Random(schedule.seed)
    match schedule.strategy:
        case "random":
            return lambda _, keys: int(drawn.random() * len(keys))
        case "pct":
            return _Priorities(drawn, schedule.depth, schedule.expected)
        case "delay":
            delays = Counter(drawn.randrange(schedule.expected) for _ in range(schedule.depth))
            return lambda number, keys: min(delays[number], len(keys) - 1)
        case "fifo":
            return _explicit(choices)


def _explicit(choices: Choices) -> Strategy:
    picks = choices.schedule.picks

    def pick(number: int, keys: Sequence[Hashable]) -> int:
        wanted = picks.get(number, 0)
        if wanted < len(keys):
            return wanted
        choices.notes.append(
            f"choice {number} was between {len(keys)}: there was no pick {wanted}, the first was taken"
        )
        return 0

    return pick


class _Priorities:
    """Probabilistic concurrency testing: random priorities, and some moments at which the first becomes the last."""

    def __init__(self, drawn: random.Random, depth: int, expected: int) -> None:
        self._drawn = drawn
        self._changes = {drawn.randrange(expected): depth - 1 - number for number in range(depth - 1)}
        self._by_name: dict[Hashable, float] = {}
        self._by_object: WeakKeyDictionary[Hashable, float] = WeakKeyDictionary()
        """Those of tasks, which end."""

    def __call__(self, number: int, keys: Sequence[Hashable]) -> int:
        ranks = [self._priority(key) for key in keys]
        first = max(range(len(keys)), key=ranks.__getitem__)
        change = self._changes.get(number)
        if change is not None:
            self._set(keys[first], change / (len(self._changes) + 1))
            ranks[first] = self._priority(keys[first])
            first = max(range(len(keys)), key=ranks.__getitem__)
        return first

    def _priority(self, key: Hashable) -> float:
        known = self._of(key).get(key)
        if known is None:
            known = 1.0 + self._drawn.random()  # above all that were made last
            self._set(key, known)
        return known

    def _set(self, key: Hashable, priority: float) -> None:
        self._of(key)[key] = priority

    def _of(self, key: Hashable) -> dict[Hashable, float] | WeakKeyDictionary[Hashable, float]:
        return self._by_name if isinstance(key, str) else self._by_object
