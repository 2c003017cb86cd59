"""Hunts in one scene, with whatever source is imported: how many schedules each strategy needs to break a promise.

Run by ``orders.py`` in a copy of the tree; prints one line of JSON.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import get_args

import structlog

from sessionactors.testing import invariants
from sessionactors.testing.exploration import Draw, PromiseBroken, explore

from tests.mutants import order_scenes


def hunt(scene: str, most: int, strategies: tuple[Draw, ...], *, shrunk: bool) -> dict[str, object]:
    """What is broken in the order of production, and what each strategy found, after how many schedules."""
    make = getattr(order_scenes, scene)
    found: dict[str, object] = {}
    for strategy in strategies:
        for seed in range(1, most + 1):
            try:
                explore(make, schedules=1, first=seed, strategy=strategy, shrunk=shrunk)
            except PromiseBroken as error:
                first = error.broken[0]
                found[strategy] = {
                    "schedules": seed,
                    "promise": first.promise,
                    "what": first.what,
                    "preemptions": len(error.schedule.picks),
                    "messages": len(error.led),
                }
                break
    return {"fifo": [str(broken) for broken in in_order(scene)], "found": found}


def in_order(scene: str) -> list[invariants.Broken]:
    """What is broken when all is served as in production."""
    return invariants.broken(getattr(order_scenes, scene)().play())


def main() -> None:
    """Arguments: the scene, most schedules, strategies with commas. Prints the result, of all scenes in order too."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    scene, most, strategies = sys.argv[1], int(sys.argv[2]), tuple(sys.argv[3].split(","))
    wanted = tuple(strategy for strategy in get_args(Draw) if strategy in strategies)
    result = hunt(scene, most, wanted, shrunk=sys.argv[4] == "shrunk")
    result["elsewhere"] = {
        make.__name__: [str(broken) for broken in found]
        for make in order_scenes.SCENES
        if (found := in_order(make.__name__))
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
