"""Explore many scenarios, over several processes: what ``sessionactors explore`` and ``make explore`` do.

Scenarios are found by name, because another process has to find them again: the public functions of a module that take
nothing and return a :class:`.Scenario`.
"""

from __future__ import annotations

import logging
import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from types import ModuleType
from typing import cast, get_type_hints

import structlog

from sessionactors.model.errors import OptionError

from .covered import Covered
from .exploration import Draw, PromiseBroken, explore
from .scenario import Scenario

CHUNK = 60
"""Schedules that a process explores before it takes other work."""


class NoScenario(OptionError):
    """Raised when a module has no scenario of that name, or none at all: says which there are."""


@dataclass(frozen=True, slots=True)
class Explored:
    """What came of one scenario."""

    name: str
    covered: Covered
    seconds: float
    """Of CPU."""
    broken: tuple[str, ...] = ()
    """A report for each broken promise that was found: of each chunk the first."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    module: str
    name: str
    first: int
    schedules: int
    strategy: Draw
    faults: int
    load: Callable[[str], ModuleType] = field(compare=False)


def scenarios_of(module: ModuleType) -> dict[str, Callable[[], Scenario]]:
    """The scenarios of a module, by name, in the order in which they are written."""
    found = {}
    for name, value in vars(module).items():
        if name.startswith("_") or not callable(value) or isinstance(value, type):
            continue
        if getattr(value, "__module__", None) == module.__name__ and _gives_a_scenario(value):
            found[name] = cast("Callable[[], Scenario]", value)
    return found


def scenario_named(module: ModuleType, name: str) -> Callable[[], Scenario]:
    """One of them.

    Raises:
        NoScenario: the module has none of that name.
    """
    found = scenarios_of(module)
    if name not in found:
        raise NoScenario(f"{module.__name__} has no scenario {name!r}; it has {', '.join(found) or 'none'}")
    return found[name]


def explore_all(
    module: str,
    names: Sequence[str],
    load: Callable[[str], ModuleType],
    *,
    schedules: int,
    first: int = 1,
    strategy: Draw = "mixed",
    faults: int = 0,
    jobs: int = 1,
) -> Iterator[Explored]:
    """Explore scenarios of one module, so many schedules each; what is ready first is given first.

    Args:
        module: path or dotted name, as ``load`` takes it; each process loads it.
        names: of scenarios in it.
        load: a function that a process can import.
        schedules: for each scenario.
        first: as for :func:`.explore`.
        strategy: as for it.
        faults: as for it.
        jobs: processes, >= 1; 1: this one.
    """
    chunks = [
        _Chunk(module, name, start, min(CHUNK, first + schedules - start), strategy, faults, load)
        for start in range(first, first + schedules, CHUNK)
        for name in names
    ]
    left = {name: sum(1 for chunk in chunks if chunk.name == name) for name in names}
    sums = {name: Explored(name, Covered(), 0.0) for name in names}
    for done in _explored(chunks, jobs):
        before = sums[done.name]
        before.covered.add(done.covered)
        broken = (*before.broken, *done.broken)
        sums[done.name] = Explored(done.name, before.covered, before.seconds + done.seconds, broken)
        left[done.name] -= 1
        if not left[done.name]:
            yield sums[done.name]


def _explored(chunks: Sequence[_Chunk], jobs: int) -> Iterator[Explored]:
    if jobs == 1:
        yield from map(_explore_chunk, chunks)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_quiet) as pool:
        yield from pool.map(_explore_chunk, chunks)


def _quiet() -> None:
    """What actors log of thousands of runs is read by nobody."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)


def _explore_chunk(chunk: _Chunk) -> Explored:
    began = time.process_time()
    covered, broken = Covered(), ""
    try:
        scenario = scenario_named(chunk.load(chunk.module), chunk.name)
        covered = explore(
            scenario,
            schedules=chunk.schedules,
            first=chunk.first,
            strategy=chunk.strategy,
            faults=chunk.faults,
            covered=covered,
        )
    except PromiseBroken as error:
        broken = f"{chunk.name}: {error}"
    except Exception:  # noqa: BLE001  a scenario that cannot be made is told as such, and the others go on
        broken = f"{chunk.name}: {traceback.format_exc()}"
    return Explored(chunk.name, covered, time.process_time() - began, (broken,) if broken else ())


def _gives_a_scenario(function: Callable[..., object]) -> bool:
    code = getattr(function, "__code__", None)
    if code is None or code.co_argcount or code.co_kwonlyargcount:
        return False
    try:
        returned = get_type_hints(function).get("return")
    except NameError:
        return False
    return isinstance(returned, type) and issubclass(returned, Scenario)
