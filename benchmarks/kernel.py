"""The actor kernel against stock Pykka threads and a bare pair of asyncio queues.

Five measures: tell one-to-one, ping-pong, ask round trip, start of an actor, memory of an idle actor. Contenders take
turns within each repetition, so what else the machine does falls on all of them; a ratio is the median of the ratios of
the repetitions. Every run counts what arrived and fails if it is not what was sent. Our accounting is always on: lanes
and bounds, ids and causes, times, counters, flight recorder. Only ratios within one run mean anything.

    python benchmarks/kernel.py [--quick] [--json] [--loop auto|asyncio|uvloop] [--repetitions N]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeAlias, TypeVar

import pykka

from sessionactors.runtime import Actor, ActorSystem, MailboxBounds, Outbox, Ref, message
from sessionactors.runtime.loop_thread import new_loop

T = TypeVar("T")


@dataclass(frozen=True)
class Taken:
    """What one run took."""

    each: float
    """Seconds of wall time for each message or actor, or bytes for each actor."""
    cpu: float | None = None
    """Seconds of this process's CPU time for each, all threads together: hardly moved by what else the machine does."""


class Stopwatch:
    """Started when it is made."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._wall = time.perf_counter()

    def stop(self, count: int) -> Taken:
        """The time for each of so many."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return Taken(wall / count, cpu / count)


Measure: TypeAlias = Callable[[int], Taken]
"""Takes how many messages or actors."""

OURS, THREADS, QUEUES = "sessionactors", "pykka.ThreadingActor", "asyncio.Queue"
BURST = 100
"""Messages that the teller sends in one handler."""


def expect(what: str, got: object, wanted: object) -> None:
    """A benchmark that lost a message has measured nothing."""
    if got != wanted:
        raise SystemExit(f"{what}: got {got}, wanted {wanted}")


# -- ours ------------------------------------------------------------------------------------------------------------


@message()
class Burst:
    """Tell ``sink`` so many notes, and go on while there are more."""

    sink: Ref[Note | Question]
    left: int


@message()
class Note:
    """To be counted."""


@message()
class Question:
    """To be answered with the count."""


@message()
class Ball:
    """Send it back to ``player``."""

    player: Ref[Ball]


@message()
class Populate:
    """Start so many children; the answer is the number of seconds it took."""

    count: int


class Teller(Actor[int, Burst]):
    """The one that tells."""

    def initial(self) -> int:
        return 0

    def receive(self, state: int, message: Burst, out: Outbox[Burst]) -> int:
        note = Note()
        for _ in range(min(BURST, message.left)):
            out.tell(message.sink, note)
        if message.left > BURST:
            out.tell(out.myself, Burst(message.sink, message.left - BURST))
        return state


class Counter(Actor[int, Note | Question]):
    """Counts notes; sets ``enough`` when it has all that are to come."""

    bounds = MailboxBounds(data=100_000)

    def __init__(self, total: int, enough: Callable[[], object]) -> None:
        self._total = total
        self._enough = enough

    def initial(self) -> int:
        return 0

    def receive(self, state: int, message: Note | Question, out: Outbox[Note | Question]) -> int:
        match message:
            case Note():
                state += 1
                if state == self._total:
                    out.port(self._enough)
            case Question():
                out.reply(state)
        return state


class Player(Actor[int, Ball]):
    """Sends the ball back, so many times."""

    def __init__(self, hops: int, enough: Callable[[], object]) -> None:
        self._hops = hops
        self._enough = enough

    def initial(self) -> int:
        return 0

    def receive(self, state: int, message: Ball, out: Outbox[Ball]) -> int:
        state += 1
        if state < self._hops:
            out.tell(message.player, Ball(out.myself))
        else:
            out.port(self._enough)
        return state


class Parent(Actor[int, Populate]):
    """Has many idle children."""

    def initial(self) -> int:
        return 0

    def receive(self, state: int, message: Populate, out: Outbox[Populate]) -> int:
        for number in range(message.count):
            out.spawn(f"child-{number}", lambda: Counter(0, int))
        return message.count


class System:
    """An actor system on its own loop, and a way onto that loop."""

    def __enter__(self) -> Self:
        self.actors = ActorSystem("own")
        self.actors.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.actors.close()

    def run(self, main: Coroutine[object, object, T]) -> T:
        """Run a coroutine on the actor loop."""
        return asyncio.run_coroutine_threadsafe(main, self.actors.loop).result(120)


def our_tell(count: int) -> Taken:
    async def main() -> Taken:
        enough = asyncio.Event()
        counter = system.actors.spawn("counter", lambda: Counter(count, enough.set))
        teller = system.actors.spawn("teller", Teller)
        watch = Stopwatch()
        teller.tell(Burst(counter, count))
        await enough.wait()
        taken = watch.stop(count)
        expect("tell", system.actors.inspect("counter")["counter"].accounts.handled, count)
        return taken

    with System() as system:
        return system.run(main())


def our_ping_pong(count: int) -> Taken:
    async def main() -> Taken:
        enough = asyncio.Event()
        one = system.actors.spawn("one", lambda: Player(count // 2 + 1, int))
        two = system.actors.spawn("two", lambda: Player(count // 2, enough.set))
        watch = Stopwatch()
        one.tell(Ball(two))
        await enough.wait()
        taken = watch.stop(count)
        handled = [system.actors.inspect(name)[name].accounts.handled for name in ("one", "two")]
        expect("ping-pong", handled, [count // 2] * 2)
        return taken

    with System() as system:
        return system.run(main())


def our_ask(count: int) -> Taken:
    async def main() -> Taken:
        ref = system.actors.spawn("counter", lambda: Counter(0, int))
        watch = Stopwatch()
        for _ in range(count):
            await ref.ask(Question(), block=False)
        taken = watch.stop(count)
        expect("ask", system.actors.inspect("counter")["counter"].accounts.handled, count)
        return taken

    with System() as system:
        return system.run(main())


def our_ask_across(count: int) -> Taken:
    with System() as system:
        ref = system.actors.spawn("counter", lambda: Counter(0, int))
        watch = Stopwatch()
        for _ in range(count):
            ref.ask(Question())
        taken = watch.stop(count)
        expect("ask", system.actors.inspect("counter")["counter"].accounts.handled, count)
        return taken


def our_start(count: int) -> Taken:
    with System() as system:
        parent = system.actors.spawn("parent", Parent)
        watch = Stopwatch()
        parent.ask(Populate(count), timeout=60)
        taken = watch.stop(count)
        expect("start", len(system.actors.inspect("parent")), count + 1)
        return taken


# -- stock Pykka -----------------------------------------------------------------------------------------------------


class ThreadCounter(pykka.ThreadingActor):
    """Counts notes."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def on_receive(self, message: Any) -> Any:
        self.count += 1
        return self.count


class ThreadPlayer(pykka.ThreadingActor):
    """Sends the ball back."""

    def __init__(self, hops: int, enough: threading.Event) -> None:
        super().__init__()
        self.count = 0
        self.hops = hops
        self.enough = enough

    def on_receive(self, message: Any) -> Any:
        self.count += 1
        if self.count < self.hops:
            message.tell(self.actor_ref)
            return None
        self.enough.set()
        return self.count


def threads_tell(count: int) -> Taken:
    ref = ThreadCounter.start()
    watch = Stopwatch()
    for _ in range(count):
        ref.tell("note")
    answer = ref.ask("note")
    taken = watch.stop(count)
    ref.stop()
    expect("tell", answer, count + 1)
    return taken


def threads_ping_pong(count: int) -> Taken:
    enough = threading.Event()
    one, two = ThreadPlayer.start(count // 2 + 1, threading.Event()), ThreadPlayer.start(count // 2, enough)
    watch = Stopwatch()
    one.tell(two)
    if not enough.wait(60):
        raise SystemExit("ping-pong of threads: the ball was lost")
    taken = watch.stop(count)
    counts = [one.proxy().count.get(), two.proxy().count.get()]
    one.stop()
    two.stop()
    expect("ping-pong", counts, [count // 2] * 2)
    return taken


def threads_ask(count: int) -> Taken:
    ref = ThreadCounter.start()
    watch = Stopwatch()
    answers = [ref.ask("question") for _ in range(count)]
    taken = watch.stop(count)
    ref.stop()
    expect("ask", answers[-1], count)
    return taken


def threads_start(count: int) -> Taken:
    watch = Stopwatch()
    refs = [ThreadCounter.start() for _ in range(count)]
    taken = watch.stop(count)
    expect("start", len(pykka.ActorRegistry.get_by_class(ThreadCounter)), count)
    for ref in refs:
        _ = ref.stop(block=False)
    for ref in refs:
        ref.actor_stopped.wait(10)
    return taken


# -- bare queues -----------------------------------------------------------------------------------------------------


def on_loop(main: Callable[[], Coroutine[object, object, T]]) -> T:
    """Run on a loop of the kind that our actors run on."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main())


def queues_tell(count: int) -> Taken:
    async def main() -> Taken:
        queue: asyncio.Queue[int] = asyncio.Queue(BURST)

        async def tell() -> None:
            for number in range(count):
                await queue.put(number)

        watch = Stopwatch()
        teller = asyncio.create_task(tell())
        got = [await queue.get() for _ in range(count)]
        taken = watch.stop(count)
        await teller
        expect("tell", got[-1], count - 1)
        return taken

    return on_loop(main)


def queues_ping_pong(count: int) -> Taken:
    async def main() -> Taken:
        one: asyncio.Queue[int] = asyncio.Queue()
        two: asyncio.Queue[int] = asyncio.Queue()

        async def play(mine: asyncio.Queue[int], other: asyncio.Queue[int]) -> int:
            seen, ball = 0, 0
            while seen < count // 2:
                ball = await mine.get()
                seen += 1
                other.put_nowait(ball + 1)
            return ball

        watch = Stopwatch()
        one.put_nowait(1)
        balls = await asyncio.gather(play(one, two), play(two, one))
        taken = watch.stop(count)
        expect("ping-pong", max(balls), count)
        return taken

    return on_loop(main)


def queues_ask(count: int) -> Taken:
    async def main() -> Taken:
        questions: asyncio.Queue[int] = asyncio.Queue()
        answers: asyncio.Queue[int] = asyncio.Queue()

        async def answer() -> None:
            for _ in range(count):
                answers.put_nowait(await questions.get() + 1)

        answering = asyncio.create_task(answer())
        last = 0
        watch = Stopwatch()
        for number in range(count):
            questions.put_nowait(number)
            last = await answers.get()
        taken = watch.stop(count)
        await answering
        expect("ask", last, count)
        return taken

    return on_loop(main)


def queues_start(count: int) -> Taken:
    async def main() -> Taken:
        async def wait(queue: asyncio.Queue[int]) -> int:
            return await queue.get()

        queues: list[asyncio.Queue[int]] = []
        watch = Stopwatch()
        tasks = []
        for _ in range(count):
            queue: asyncio.Queue[int] = asyncio.Queue()
            queues.append(queue)
            tasks.append(asyncio.create_task(wait(queue)))
        await asyncio.sleep(0)
        taken = watch.stop(count)
        for queue in queues:
            queue.put_nowait(1)
        expect("start", sum(await asyncio.gather(*tasks)), count)
        return taken

    return on_loop(main)


# -- memory: each figure from a process of its own -------------------------------------------------------------------


def rss() -> int:
    """Resident bytes of this process."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        raise SystemExit("memory is measured on Linux only")
    return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def populate_ours(count: int, *, used: bool) -> Callable[[], object]:
    system = ActorSystem("own", watchdog=False)
    system.start()
    system.spawn("warm", Parent).ask(Populate(10))
    parent = system.spawn("parent", Parent)

    def populate() -> None:
        parent.ask(Populate(count), timeout=120)
        tree = system.tree("parent")
        expect("memory", len(tree.cells), count + 1)
        if used:
            for cell in list(tree.cells.values())[1:]:
                cell.ref.ask(Question())

    return populate


def populate_threads(count: int) -> Callable[[], object]:
    ThreadCounter.start()
    return lambda: [ThreadCounter.start() for _ in range(count)]


def populate_queues(count: int) -> Callable[[], object]:
    loop = new_loop()

    async def populate() -> list[asyncio.Task[int]]:
        tasks = []
        for _ in range(count):
            queue: asyncio.Queue[int] = asyncio.Queue()
            tasks.append(loop.create_task(queue.get()))
        await asyncio.sleep(0)
        return tasks

    kept: list[list[asyncio.Task[int]]] = []
    return lambda: kept.append(loop.run_until_complete(populate()))


def measure_memory(kind: str, count: int, how: str) -> None:
    """In a process of its own: print the bytes an actor takes, and leave without cleaning up."""
    make: dict[str, Callable[[], Callable[[], object]]] = {
        OURS: lambda: populate_ours(count, used=False),
        f"{OURS} used": lambda: populate_ours(count, used=True),
        THREADS: lambda: populate_threads(count),
        QUEUES: lambda: populate_queues(count),
    }
    populate = make[kind]()
    gc.collect()
    if how == "tracemalloc":
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0] if how == "tracemalloc" else rss()
    populate()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0] if how == "tracemalloc" else rss()
    print(json.dumps((after - before) / count), flush=True)
    os._exit(0)  # as they are: a thousand threads would take a while to end


def memory(kind: str, how: str) -> Measure:
    def measure(count: int) -> Taken:
        command = [sys.executable, __file__, "--memory", kind, "--count", str(count), "--how", how]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise SystemExit(f"memory of {kind}: {done.stderr or done.stdout}")
        return Taken(float(json.loads(done.stdout)))

    return measure


# -- the run ---------------------------------------------------------------------------------------------------------


@dataclass
class Row:
    """One measure: who takes part, with how many messages or actors, and what is wanted."""

    name: str
    unit: str
    contenders: dict[str, tuple[Measure, int]]
    wanted: float | None = None
    """Ours against threads, at least; for memory, bytes at most."""
    repeated: bool = True
    scale: float = 1.0
    """What a figure is multiplied by; 0: it is a rate."""
    taken: dict[str, list[Taken]] = field(default_factory=dict)

    def figures(self, contender: str) -> list[float]:
        """In the row's unit."""
        return [taken.each * self.scale if self.scale else 1 / taken.each for taken in self.taken[contender]]

    def median(self, contender: str) -> float:
        """In the row's unit."""
        return statistics.median(self.figures(contender))

    def ratio(self, other: str, *, cpu: bool = False) -> float | None:
        """How many times less time (or memory) ours takes: the median over the repetitions."""
        ratios = []
        for ours, theirs in zip(self.taken[OURS], self.taken.get(other, ()), strict=False):
            if not cpu:
                ratios.append(theirs.each / ours.each)
            elif ours.cpu and theirs.cpu:
                ratios.append(theirs.cpu / ours.cpu)
        return statistics.median(ratios) if ratios else None


def rows(scale: int) -> list[Row]:
    """The measures; ``scale`` divides how many messages and actors they take."""
    messages, asks, started = 100_000 // scale, 10_000 // scale, 1_000 // scale
    table = [
        Row(
            "tell one-to-one",
            "messages/s",
            {OURS: (our_tell, messages), THREADS: (threads_tell, messages), QUEUES: (queues_tell, messages)},
            wanted=5,
            scale=0,
        ),
        Row(
            "ping-pong",
            "hops/s",
            {OURS: (our_ping_pong, messages), THREADS: (threads_ping_pong, asks), QUEUES: (queues_ping_pong, messages)},
            wanted=25,
            scale=0,
        ),
        Row(
            "ask, awaited",
            "asks/s",
            {OURS: (our_ask, asks), THREADS: (threads_ask, asks), QUEUES: (queues_ask, asks)},
            wanted=7,
            scale=0,
        ),
        Row(
            "ask, across threads",
            "asks/s",
            {OURS: (our_ask_across, asks // 2), THREADS: (threads_ask, asks // 2)},
            scale=0,
        ),
        Row(
            "start",
            "us/actor",
            {OURS: (our_start, started), THREADS: (threads_start, started), QUEUES: (queues_start, started)},
            scale=1e6,
        ),
    ]
    for how in ("tracemalloc", "RSS"):
        table += [
            Row(
                f"memory, idle ({how})",
                "bytes/actor",
                {
                    OURS: (memory(OURS, how), 5_000 // scale),
                    THREADS: (memory(THREADS, how), 1_000 // scale),
                    QUEUES: (memory(QUEUES, how), 5_000 // scale),
                },
                wanted=5_000,
                repeated=False,
            ),
            Row(
                f"memory, used once ({how})",
                "bytes/actor",
                {OURS: (memory(f"{OURS} used", how), 5_000 // scale)},
                repeated=False,
            ),
        ]
    return table


def run(table: list[Row], repetitions: int) -> None:
    """Contenders take turns in each repetition, and begin in another order each time."""
    for repetition in range(repetitions):
        for row in table:
            if repetition and not row.repeated:
                continue
            turns = list(row.contenders.items())
            shift = repetition % len(turns)
            for contender, (measure, count) in turns[shift:] + turns[:shift]:
                gc.collect()
                row.taken.setdefault(contender, []).append(measure(count))


def environment() -> dict[str, object]:
    loop = new_loop()
    kind = f"{type(loop).__module__.split('.')[0]}"
    loop.close()
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "loop": kind,
        "gc": {"enabled": gc.isenabled(), "thresholds": gc.get_threshold(), "frozen": gc.get_freeze_count()},
        "switch_interval": sys.getswitchinterval(),
        "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "accounting": "on: lanes, bounds, ids, causes, times, counters, flight recorder, watchdog",
    }


def verdict(row: Row) -> str:
    if row.wanted is None:
        return ""
    if row.scale:
        return f"<= {row.wanted:.0f}: {'yes' if row.median(OURS) <= row.wanted else 'no'}"
    ratio = row.ratio(THREADS)
    return f">= {row.wanted:.0f} x threads: {'yes' if ratio is not None and ratio >= row.wanted else 'no'}"


def show(table: list[Row], facts: dict[str, object], load_after: object) -> None:
    for name, fact in facts.items():
        print(f"{name.replace('_', ' ')}: {fact}")
    print(f"load average after: {load_after}\n")
    head = ("", "unit", OURS, THREADS, QUEUES, "x threads", "by CPU", "x queues", "by CPU", "wanted")
    lines: list[tuple[str, ...]] = [head]
    for row in table:
        ratios = [row.ratio(other, cpu=cpu) for other in (THREADS, QUEUES) for cpu in (False, True)]
        lines.append(
            (
                row.name,
                row.unit,
                *(f"{row.median(who):,.0f}" if who in row.taken else "" for who in (OURS, THREADS, QUEUES)),
                *("" if ratio is None else f"{ratio:.1f}" for ratio in ratios),
                verdict(row),
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        cells = [
            text.ljust(width) if column in {0, 1, 9} else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    print(
        "\nRatios above 1 mean that ours is faster, or smaller; medians of interleaved repetitions of this run.\n"
        "By CPU: of the CPU time that all threads of the process took, which is what counts when cores are shared."
    )


def report(table: list[Row], facts: dict[str, object], load_after: object) -> dict[str, object]:
    return {
        **facts,
        "load_average_after": load_after,
        "results": [
            {
                "measure": row.name,
                "unit": row.unit,
                "median": {who: row.median(who) for who in row.taken},
                "all": {who: row.figures(who) for who in row.taken},
                "ratio_to_threads": row.ratio(THREADS),
                "ratio_to_threads_by_cpu": row.ratio(THREADS, cpu=True),
                "ratio_to_queues": row.ratio(QUEUES),
                "ratio_to_queues_by_cpu": row.ratio(QUEUES, cpu=True),
                "wanted": verdict(row),
            }
            for row in table
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages, three repetitions")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.add_argument("--loop", choices=("auto", "asyncio", "uvloop"), default="auto", help="auto: uvloop if present")
    parser.add_argument("--repetitions", type=int, help="default: 7, quick: 3")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--how", default="RSS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop == "asyncio":
        sys.modules["uvloop"] = None  # type: ignore[assignment]  # importing it fails, as where it is not installed
    elif options.loop == "uvloop":
        __import__("uvloop")
    if options.memory:
        measure_memory(options.memory, options.count, options.how)
    facts = environment()
    table = rows(10 if options.quick else 1)
    run(table, options.repetitions or (3 if options.quick else 7))
    load_after = os.getloadavg() if hasattr(os, "getloadavg") else None
    if options.json:
        print(json.dumps(report(table, facts, load_after), indent=2))
    else:
        show(table, facts, load_after)


if __name__ == "__main__":
    main()
