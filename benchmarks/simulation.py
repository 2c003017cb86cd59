"""How fast a conversation runs in virtual time: ten minutes, forty turns, audio flowing both ways all the time.

The same actors, handlers and effects as in production; scripted are only what hears, thinks and speaks, and the clock
(see ``sessionactors.testing``). The caller's line carries a frame every 20 ms, silence too; a turn is a question, a
reply of about six seconds, and now and then a reply that the caller cuts off. A run that has not heard all turns, or
broke a promise, is a failure and no figure.

    python benchmarks/simulation.py [--minutes 10] [--turns 40] [--frames 20 100] [--repetitions 3] [--json] [--costs]

``--costs`` runs once more under cProfile and prints where the time goes (a profile favours what calls little).
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import os
import platform
import pstats
import statistics
import time
from dataclasses import dataclass

from sessionactors import Agent
from sessionactors.model.chat_items import ChatMessage
from sessionactors.testing import invariants
from sessionactors.testing.scenario import Scenario
from sessionactors.testing.scenario_run import Run

WANTED_WALL = 2.0
"""Seconds for ten minutes with forty turns (issue 6)."""
WANTED_RATIO = 800.0
"""Times real time with audio flowing (issue 9)."""
EVERY = 5
"""One turn of so many is cut off by the caller."""
QUESTION = "and how much is that in all"
REPLY = "That is a good question, and here is what I know about it: it is seven euros and twenty cents in all."


def conversation(minutes: float, turns: int, frame_ms: int) -> Scenario:
    """The script: every ``minutes / turns`` a question of 2 s, and its reply, of which each fifth is cut off."""
    scenario = Scenario(Agent(instructions="Answer in a sentence."), frame_ms=frame_ms)
    each = minutes * 60 / turns
    for turn in range(turns):
        at = turn * each + 0.5
        scenario.user_says(f"{QUESTION} {turn}", at=at, until=at + 2.0)
        scenario.llm_replies(f"{REPLY} {turn}", ttft=0.2, duration=1.0)
        scenario.tts_speaks(duration=min(6.0, each / 2))
        if turn % EVERY == EVERY - 1:
            scenario.user_says(f"no, wait {turn}", at=at + each / 2, until=at + each / 2 + 1.0)
            scenario.llm_replies(f"Yes? {turn}", ttft=0.2, duration=0.3)
            scenario.tts_speaks(duration=0.5)
    scenario.close(minutes * 60)
    return scenario


def verify(run: Run, turns: int) -> dict[str, int]:
    """What was said; ends the program if it is not what the script says."""
    invariants.check(run)
    said = [item for item in run.history if isinstance(item, ChatMessage)]
    users = [item for item in said if item.role == "user"]
    replies = [item for item in said if item.role == "assistant"]
    cut = sum(item.interrupted for item in replies)
    wanted = turns + turns // EVERY
    if (len(users), len(replies), cut) != (wanted, wanted, turns // EVERY):
        raise SystemExit(f"not what was scripted: {len(users)} turns, {len(replies)} replies, {cut} cut off")
    return {"turns": len(users), "replies": len(replies), "cut_off": cut, "messages": run.accounts.handled}


@dataclass(frozen=True)
class Taken:
    """What one run took, in seconds."""

    wall: float
    cpu: float


def take(minutes: float, turns: int, frame_ms: int) -> tuple[Taken, dict[str, int]]:
    """One run, and what was said in it."""
    scenario = conversation(minutes, turns, frame_ms)
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    run = scenario.play()
    taken = Taken(time.perf_counter() - wall, time.process_time() - cpu)
    return taken, verify(run, turns)


def costs(minutes: float, turns: int, frame_ms: int, count: int = 40) -> None:
    """Print where the time of a run goes."""
    profile = cProfile.Profile()
    scenario = conversation(minutes, turns, frame_ms)
    profile.runcall(scenario.play)
    pstats.Stats(profile).sort_stats("tottime").print_stats(count)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--frames", type=int, nargs="+", default=[20, 100], help="lengths of the user's frames, ms")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.add_argument("--costs", action="store_true", help="profile one more run of each")
    options = parser.parse_args()
    real, figures, good = options.minutes * 60, [], True
    for frame_ms in options.frames:
        taken: list[Taken] = []
        said: dict[str, int] = {}
        for _ in range(options.repetitions):
            one, said = take(options.minutes, options.turns, frame_ms)
            taken.append(one)
        wall, cpu = (statistics.median(getattr(one, what) for one in taken) for what in ("wall", "cpu"))
        best = min(one.cpu for one in taken)
        figures.append(
            {"frame_ms": frame_ms, **said, "wall_s": wall, "cpu_s": cpu, "best_cpu_s": best, "ratio": real / wall}
        )
        good = good and real / wall >= WANTED_RATIO and (real != 600 or wall < WANTED_WALL)
    facts = {"python": platform.python_version(), "cpus": os.cpu_count(), "load": os.getloadavg()}
    if options.json:
        print(json.dumps({**facts, "minutes": options.minutes, "results": figures}, indent=2))
    else:
        print(", ".join(f"{name}: {value}" for name, value in facts.items()))
        for row in figures:
            print(
                f"frames of {row['frame_ms']:3} ms: wall {row['wall_s']:.2f} s, CPU {row['cpu_s']:.2f} s "
                f"(best {row['best_cpu_s']:.2f}), {row['ratio']:.0f} x real time by wall, "
                f"{real / row['best_cpu_s']:.0f} x by best CPU; {row['turns']} turns, {row['cut_off']} cut off, "
                f"{row['messages']} messages"
            )
        print(f"wanted: >= {WANTED_RATIO:.0f} x, ten minutes in under {WANTED_WALL:.0f} s: {'yes' if good else 'no'}")
    if options.costs:
        for frame_ms in options.frames:
            costs(options.minutes, options.turns, frame_ms)


if __name__ == "__main__":
    main()
