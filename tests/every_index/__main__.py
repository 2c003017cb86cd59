"""All indices, with a summary: ``python -m tests.every_index [signals] [closing] [cycles]``; see ``make every-index``.

``--one-of 50`` takes one index of fifty, others each time it is told another ``--seed``.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import TypeAlias

import structlog

from sessionactors.testing import faults

from tests.every_index import closing, cycles, signals
from tests.every_index.talks import TALKS

Job: TypeAlias = tuple[str, str, int, str]
"""What, of which conversation, at which message, and the fault or the actor that is blocked."""
SHOWN = 40
"""Failures that are printed."""


def signal_jobs() -> Iterable[Job]:
    """Each fault that is possible in a conversation."""
    for talk in TALKS:
        for fault in faults.possible(signals.undisturbed(talk)):
            yield "signals", talk, 0, str(fault)


def closing_jobs() -> Iterable[Job]:
    """Each message, with each actor blocked in turn."""
    for talk in TALKS:
        for number in range(1, closing.messages(talk) + 1):
            for actor in closing.actors(talk):
                yield "closing", talk, number, actor


def work(job: Job) -> list[str]:
    """What breaks; in a process of its own."""
    what, talk, number, detail = job
    try:
        if what == "signals":
            return signals.what_breaks(talk, detail)
        return closing.what_breaks(talk, number, detail)
    except Exception as error:
        return [f"raised {error!r}"]


def quietly() -> None:
    """A run under faults has much to say; only the summary matters here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)


def play(jobs: Sequence[Job], workers: int) -> int:
    """Play them; prints a summary and returns how many broke something."""
    began, broken = time.monotonic(), Counter[str]()
    shown = 0
    with ProcessPoolExecutor(workers, initializer=quietly) as pool:
        for number, (job, found) in enumerate(zip(jobs, pool.map(work, jobs, chunksize=20), strict=True), 1):
            if found:
                broken[job[1]] += 1
                shown += 1
                if shown <= SHOWN:
                    print(f"  {job}: {'; '.join(found)[:400]}", flush=True)
            if number % 2000 == 0:
                seconds = time.monotonic() - began
                print(f"  {number} of {len(jobs)}, {broken.total()} broken, {seconds:.0f} s", flush=True)
    played = Counter(job[1] for job in jobs)
    print(f"{jobs[0][0]}: {len(jobs)} runs in {time.monotonic() - began:.0f} s, {broken.total()} broken")
    for talk, count in played.items():
        print(f"  {talk}: {count} runs, {broken[talk]} broken")
    return broken.total()


def measure() -> int:
    """A thousand sessions in this process."""
    before, after = cycles.run()
    print(f"cycles: {before}\n        {after}")
    grown = after.grown(before)
    print("\n".join(f"  {line}" for line in grown) or "  nothing has grown")
    return len(grown)


def main() -> int:
    """0: nothing breaks."""
    parser = argparse.ArgumentParser(prog="python -m tests.every_index", description=__doc__)
    parser.add_argument("what", nargs="*", default=["cycles", "signals", "closing"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--one-of", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    quietly()
    broken = 0
    jobs_of: dict[str, Callable[[], Iterable[Job]]] = {"signals": signal_jobs, "closing": closing_jobs}
    for what in given.what:
        if what == "cycles":
            broken += measure()
            continue
        jobs = list(jobs_of[what]())
        random.Random(given.seed).shuffle(jobs)
        broken += play(list(islice(jobs, max(1, len(jobs) // given.one_of))), given.workers)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
