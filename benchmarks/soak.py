"""Rooms that talk, opened and closed over and over with faults on, for a long time: does anything grow?

    python -m benchmarks.soak --minutes 30 --rooms 60 [--json soak.json]        (make soak)

So many callers at once; each stays for some seconds, then hangs up, is closed, or has its session crash, which is
restarted; then the next caller comes. Every few seconds a sample is taken of what must not grow: resident memory,
blocks of Python's allocator, descriptors, threads, tasks of both loops, actors, and how late both loops are. Before it
Python's garbage is collected: rooms that are over are cycles, and wait for a full collection, which comes when it
likes. What the loops are late by that collection does not count.

The rule: when a warm-up is over (a tenth of the run, at least 20 s), the median of the first quarter is compared with
that of the last. It is drift if the last is larger than the first by more than both of what RULES says: a part of it,
and an amount. The program fails if anything drifts, if a room's end left actors, or if no caller was answered.

``--plant memory`` (or descriptors, threads, tasks, lateness) leaks on purpose with each room, to see that it is found.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import math
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import median
from typing import Final

import structlog
from rich.console import Console
from rich.table import Table

from sessionactors import ChatMessage, RoomHandle, RoomSupervisor

from benchmarks.rooms_that_talk import RESTART, Callers, chance

STAYS = (8.0, 25.0)
"""Seconds that a caller stays, drawn from between."""
NEVER = 30.0
"""Seconds after which a room that was to end has not ended."""
WARM_UP = 20.0
PROBE = 0.05
"""Seconds between two looks at how late a loop is."""
PLANTED = ("memory", "descriptors", "threads", "tasks", "lateness")


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process held at one moment."""

    at: float
    """Seconds since the start."""
    memory: float
    """Resident, MB."""
    blocks: float
    """Of Python's allocator, thousands."""
    descriptors: float
    threads: float
    tasks: float
    """Of both loops."""
    actors: float
    user_late: float
    """Milliseconds: the 99th percentile, since the last sample, by which the loop of user code was late."""
    actor_late: float


@dataclass(frozen=True, slots=True)
class Rule:
    """How much more there may be in the last quarter than in the first: the larger of both."""

    part: float
    amount: float
    unit: str = ""

    def drifts(self, first: float, last: float) -> bool:
        """Whether it is too much."""
        return last - first > max(self.part * first, self.amount)


RULES: Final = {
    "memory": Rule(0.05, 6.0, "MB"),
    "blocks": Rule(0.05, 30.0, "k"),
    "descriptors": Rule(0.0, 3.0),
    "threads": Rule(0.0, 3.0),
    "tasks": Rule(0.10, 10.0),
    "actors": Rule(0.10, 20.0),
    "user_late": Rule(1.0, 20.0, "ms"),
    "actor_late": Rule(1.0, 20.0, "ms"),
}
"""Tasks and actors go up and down with the callers that are about to come; lateness with what else the machine does."""


@dataclass
class Lateness:
    """How late one loop wakes up."""

    loop: asyncio.AbstractEventLoop
    seen: list[float] = field(default_factory=list)
    due: float = 0.0
    over: bool = False

    def start(self) -> None:
        """Look until told to stop."""
        self.loop.call_soon_threadsafe(self._again)

    def _again(self) -> None:
        self.due = self.loop.time() + PROBE
        self.loop.call_at(self.due, self._woken)

    def _woken(self) -> None:
        self.seen.append(max(0.0, self.loop.time() - self.due))
        if not self.over:
            self._again()

    def forget(self) -> None:
        """What has just been seen was this program's own doing."""
        self.loop.call_soon_threadsafe(self.seen.clear)
        self.due = math.inf

    def taken(self) -> float:
        """The 99th percentile since the last time, milliseconds."""
        seen, self.seen = sorted(self.seen), []
        return 1000 * seen[min(len(seen) - 1, int(0.99 * len(seen)))] if seen else 0.0


@dataclass
class Soak:
    """One run."""

    rooms: RoomSupervisor
    callers: Callers
    options: argparse.Namespace
    outcomes: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    planted: list[object] = field(default_factory=list)
    numbers: int = 0

    async def slot(self, number: int, until: float) -> None:
        """One caller after the other, until the end."""
        loop, dice = asyncio.get_running_loop(), random.Random(f"{self.options.seed}:{number}")
        await asyncio.sleep(dice.uniform(0.0, STAYS[0]))  # not all at once
        while loop.time() < until:
            self.numbers += 1
            await self.call(f"room-{self.numbers}", dice)

    async def call(self, room: str, dice: random.Random) -> None:
        """One caller: comes, talks, and goes in some way."""
        try:
            handle = await self.rooms.spawn(room, transport=self.callers.line(room))
        except Exception as error:
            self.outcomes[f"not opened: {type(error).__name__}"] += 1
            return
        self.plant()
        way = dice.choice(("hangs up", "is closed", "is closed", "crashes, then is closed"))
        await asyncio.wait((handle.closed,), timeout=dice.uniform(*STAYS))
        if way.startswith("crashes") and not handle.closed.done():
            self.crash(room)
            await asyncio.wait((handle.closed,), timeout=5.0)
        await self.leave(handle, way)
        self.account(handle, room)

    def crash(self, room: str) -> None:
        """Its root gets what it cannot handle: the session fails, the room gets another one."""
        tree = self.rooms.system.trees.get(room)
        if tree is not None and tree.root is not None:
            tree.root.ref.tell(object())

    async def leave(self, handle: RoomHandle, way: str) -> None:
        """End the call, if it has not ended."""
        if handle.closed.done():
            return
        if way == "hangs up":
            handle.session.shutdown(drain=False)
        else:
            await handle.aclose()
        await asyncio.wait((handle.closed,), timeout=NEVER)  # on a machine that is late, a close may be

    def account(self, handle: RoomHandle, room: str) -> None:
        """How the call went."""
        end = handle.end
        self.outcomes["rooms"] += 1
        self.outcomes["restarts"] += handle.restarts
        self.outcomes[f"ended: {'not' if end is None else end.cause.value}"] += 1
        said = [one for one in handle.history.items if isinstance(one, ChatMessage) and one.role == "assistant"]
        self.outcomes["answers"] += len(said)
        abandoned = () if handle.close_report is None else handle.close_report.abandoned
        self.outcomes["abandoned"] += len(abandoned)
        self.outcomes["left behind"] += len(self.rooms.system.leaks(room)) if not abandoned else 0

    def plant(self) -> None:
        """Leak with this room what was asked for."""
        match self.options.plant:
            case "memory":
                self.planted.append(bytearray(os.urandom(500_000)))
            case "descriptors":
                self.planted.append(tempfile.TemporaryFile())  # noqa: SIM115  that is the leak
            case "threads":
                thread = threading.Thread(target=threading.Event().wait, daemon=True)
                thread.start()
                self.planted.append(thread)
            case "tasks":
                self.planted.append(asyncio.create_task(asyncio.Event().wait()))
            case "lateness":
                loop = asyncio.get_running_loop()
                self.planted.append(loop)
                work = 0.0003 * len(self.planted)  # each room makes every turn a little longer

                def slow() -> None:
                    time.sleep(work)
                    loop.call_later(0.2, slow)

                slow()
            case _:
                pass

    def sample(self, began: float, user: Lateness, actors: Lateness) -> Sample:
        """Now."""
        late = user.taken(), actors.taken()
        gc.collect()
        user.forget()
        actors.forget()
        loops = (self.rooms.loop, self.rooms.system.loop)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return Sample(
            at=self.rooms.loop.time() - began,
            memory=pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
            blocks=sys.getallocatedblocks() / 1000,
            descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
            threads=threading.active_count(),
            tasks=sum(_tasks(loop) for loop in loops),
            actors=sum(len(tree.cells) for tree in self.rooms.system.trees.copy().values()),
            user_late=late[0],
            actor_late=late[1],
        )


def _tasks(loop: asyncio.AbstractEventLoop) -> int:
    for _ in range(5):
        try:
            return len(asyncio.all_tasks(loop))
        except RuntimeError:  # the other thread made one meanwhile
            continue
    return 0


@dataclass(frozen=True)
class Verdict:
    """What was compared, and what came of it."""

    first: dict[str, float]
    last: dict[str, float]
    drifts: tuple[str, ...]


def judged(samples: list[Sample], warm_up: float) -> Verdict:
    """The rule: the median of the first quarter after the warm-up against that of the last.

    Raises:
        ValueError: too few samples to say anything.
    """
    warm = [one for one in samples if one.at >= warm_up]
    if len(warm) < 8:
        raise ValueError(f"{len(warm)} samples after the warm-up say nothing: run longer, or sample more often")
    quarter = len(warm) // 4
    first = {name: median(getattr(one, name) for one in warm[:quarter]) for name in RULES}
    last = {name: median(getattr(one, name) for one in warm[-quarter:]) for name in RULES}
    return Verdict(first, last, tuple(name for name, rule in RULES.items() if rule.drifts(first[name], last[name])))


async def soak(options: argparse.Namespace) -> tuple[Soak, float]:
    """The run. Gives it, and how long it was."""
    callers = Callers(chance(options.seed, options.rate))
    async with RoomSupervisor(callers.spec, max_sessions=options.rooms, restart=RESTART, close_deadline=2.0) as rooms:
        run = Soak(rooms, callers, options)
        loop = asyncio.get_running_loop()
        began = loop.time()
        until = began + options.minutes * 60
        probes = Lateness(loop), Lateness(rooms.system.loop)
        for probe in probes:
            probe.start()
        slots = [asyncio.create_task(run.slot(number, until)) for number in range(options.rooms)]
        while loop.time() < until:
            await asyncio.sleep(options.every)
            run.samples.append(run.sample(began, *probes))
            if options.verbose:
                print(_line(run.samples[-1]), flush=True)
        for probe in probes:
            probe.over = True
        await asyncio.gather(*slots)
        run.outcomes["faults"] = callers.chance.strikes
        return run, loop.time() - began


def _line(sample: Sample) -> str:
    return "  ".join(f"{one.name} {getattr(sample, one.name):.1f}" for one in fields(sample))


def show(run: Soak, verdict: Verdict, seconds: float, options: argparse.Namespace) -> None:
    """The figures as a table."""
    table = Table(title=f"{options.rooms} rooms at once, {seconds / 60:.1f} minutes, {run.outcomes['rooms']} callers")
    for name in ("what", "first quarter", "last quarter", "may grow by", ""):
        table.add_column(name, justify="left" if name in ("what", "") else "right")
    for name, rule in RULES.items():
        first, last = verdict.first[name], verdict.last[name]
        allowed = max(rule.part * first, rule.amount)
        said = "[red]drifts[/red]" if name in verdict.drifts else "steady"
        table.add_row(name, f"{first:.1f} {rule.unit}", f"{last:.1f} {rule.unit}", f"{allowed:.1f} {rule.unit}", said)
    console = Console()
    if not console.is_terminal:
        console = Console(width=100)
    console.print(table)
    console.print(", ".join(f"{what} {count}" for what, count in sorted(run.outcomes.items())))


def main() -> int:
    """The program; 1 if something grew or was left behind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rooms", type=int, default=60, help="callers at once")
    parser.add_argument("--rate", type=float, default=0.0005, help="how likely each signal of a provider goes wrong")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two samples")
    parser.add_argument("--json", type=Path, help="where to write all samples")
    parser.add_argument("--plant", choices=PLANTED, help="leak this with each room")
    parser.add_argument("--verbose", action="store_true", help="print each sample")
    options = parser.parse_args()
    if options.minutes <= 0 or options.rooms < 1 or options.every <= 0:
        parser.error("--minutes, --rooms and --every must be positive")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.freeze()
    run, seconds = asyncio.run(soak(options))
    warm_up = max(WARM_UP, options.minutes * 6)
    try:
        verdict = judged(run.samples, warm_up)
    except ValueError as error:
        parser.error(str(error))
    show(run, verdict, seconds, options)
    harm = list(verdict.drifts)
    if run.outcomes["left behind"]:
        harm.append(f"{run.outcomes['left behind']} actors, effects or threads left behind by rooms that are over")
    if run.outcomes["ended: not"]:
        harm.append(f"{run.outcomes['ended: not']} rooms did not end within {NEVER:g} s")
    if not run.outcomes["answers"]:
        harm.append("nobody was answered")
    if options.json is not None:
        told = {
            "rooms": options.rooms,
            "seconds": seconds,
            "warm_up": warm_up,
            "rules": {name: asdict(rule) for name, rule in RULES.items()},
            "first_quarter": verdict.first,
            "last_quarter": verdict.last,
            "harm": harm,
            "outcomes": dict(run.outcomes),
            "samples": [asdict(sample) for sample in run.samples],
        }
        options.json.write_text(json.dumps(told, indent=1), encoding="utf-8")
    print("no drift" if not harm else f"DRIFT: {'; '.join(harm)}")
    return 1 if harm else 0


if __name__ == "__main__":
    sys.exit(main())
