"""Prints the trace of one seeded run, for the test that two processes print the same: ``python traced.py SEED``."""

from __future__ import annotations

import asyncio
import logging
import sys

import structlog

from sessionactors.runtime import ActorSystem
from sessionactors.testing import SeededDispatcher, run

from tests.promises import chaos


async def trace(seed: int, order: int | None = None) -> list[str]:
    """One line for each delivery: actors draw from ``seed``; who is next is drawn from ``order``, if said."""
    system = ActorSystem("running", seed=seed, dispatcher=SeededDispatcher.with_seed(seed if order is None else order))
    system.start()
    tap = system.tap(capacity=100_000)
    for name in ("one", "two"):
        root, _ = await chaos.start(system, name)
        root.tell(chaos.Work(6))
    await chaos.run_to_rest(system, "one", "two")
    await system.aclose()
    await asyncio.sleep(0)
    return [
        f"{d.room} {d.id} {d.cause} {d.sender} {d.target} {type(d.message).__name__} {d.began_at} {d.outcome}"
        for d in tap.drain()
    ]


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print("\n".join(run(lambda: trace(int(sys.argv[1])))))


if __name__ == "__main__":
    main()
