"""All faults that apply to what a fault-free run did: a sequence to look at, to walk through, or to draw from."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final, overload

from sessionactors.model.errors import OptionError

from .fault import ACTOR_ACTS, ActorFault, ClockStep, Fault, SignalFault
from .point import acts_on

if TYPE_CHECKING:
    from sessionactors.testing.scenario_run import Run

LATE: Final = 0.7
"""Seconds by which a possible fault delays a signal."""
SLOW: Final = 1.0
"""Seconds between the signals of a possible slow drip."""
FOR_A_WHILE: Final = 1.0
"""Seconds for which a possible fault fills a mailbox or blocks an actor."""
STEPS: Final = (-3600.0, 86400.0)
"""Seconds by which the clock may jump."""
UNCANCELLABLE: Final = 2.0
"""Seconds for which a possible fault ignores that it was cancelled."""
_SECONDS: Final = {"delay": LATE, "stuck": UNCANCELLABLE, "drip": SLOW, "fill": FOR_A_WHILE, "block": FOR_A_WHILE}


@dataclass(frozen=True, slots=True)
class Group:
    """Faults that differ in nothing but the index at which they strike."""

    name: str
    """Such as ``drop stt.final_transcript`` or ``kill tts``."""
    count: int
    make: Callable[[int], Fault]
    """From the index, from 1."""


class Possible(Sequence[Fault]):
    """Faults in groups. Made by :func:`possible`.

    Args:
        groups: none of them empty.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self.groups = tuple(groups)
        self._ends = list(accumulate(group.count for group in self.groups))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> Fault: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Fault]: ...
    def __getitem__(self, index: int | slice) -> Fault | Sequence[Fault]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"there are {len(self)} faults, number {index} is not among them")
        at = bisect_right(self._ends, place)
        return self.groups[at].make(place + 1 - (self._ends[at - 1] if at else 0))

    def only(self, *beginnings: str) -> Possible:
        """Those whose text begins so: ``only("drop", "kill tts")``."""
        return Possible([group for group in self.groups if group.name.startswith(beginnings)])

    def draw(self, seed: int, count: int = 1) -> tuple[Fault, ...]:
        """So many of them, the same for the same seed: each group is as likely as any other, however long it is.

        Raises:
            OptionError: there are none.
        """
        if not self.groups:
            raise OptionError("no fault is possible there: nothing happened in the run, or nothing is left of it")
        dice = random.Random(seed)
        drawn = []
        for _ in range(count):
            group = dice.choice(self.groups)
            drawn.append(group.make(dice.randint(1, group.count)))
        return tuple(drawn)

    def stratified(self, seed: int, each: int = 1) -> list[Fault]:
        """So many of each group, spread over its indices: first third, second third, last third for ``each=3``."""
        dice = random.Random(seed)
        drawn: dict[Fault, None] = {}
        for group in self.groups:
            parts = min(each, group.count)
            for part in range(parts):
                first, last = part * group.count // parts + 1, (part + 1) * group.count // parts
                drawn[group.make(dice.randint(first, last))] = None
        return list(drawn)


def possible(run: Run) -> Possible:
    """All faults that apply to a scenario, from a run of it in which nothing was injected.

    Args:
        run: of a scenario that was told ``inject()``, so that its signals were counted.

    Raises:
        OptionError: they were not.
    """
    if run.signals is None:
        raise OptionError("the signals of this run were not counted: call scenario.inject() without faults first")
    groups = [
        _of_signal(act, signal, count) for signal, count in sorted(run.signals.items()) for act in acts_on(signal)
    ]
    handled = Counter(
        delivery.target for delivery in run.deliveries if delivery.outcome == "handled" and delivery.target
    )
    for path, count in sorted(handled.items()):
        name = "supervisor" if path == run.room else path.removeprefix(f"{run.room}/")
        groups += [_of_actor(act, name, count) for act in ACTOR_ACTS]
    messages = sum(handled.values())
    groups += [_of_clock(step, messages) for step in STEPS if messages]
    return Possible(groups)


def _of_signal(act: str, signal: str, count: int) -> Group:
    seconds = _SECONDS.get(act, 0.0)
    return Group(f"{act} {signal}", count, lambda number: SignalFault(act, signal, number, seconds))  # type: ignore[arg-type]


def _of_actor(act: str, actor: str, count: int) -> Group:
    seconds = _SECONDS.get(act, 0.0)
    return Group(f"{act} {actor}", count, lambda number: ActorFault(act, actor, number, seconds))  # type: ignore[arg-type]


def _of_clock(step: float, count: int) -> Group:
    return Group(f"clock:{step:g}", count, lambda number: ClockStep(step, number))
