"""What monitors cost: CPU seconds of the same spoken call with and without, in virtual time, the best of five.

python benchmarks/monitors.py
"""

from __future__ import annotations

import time

import structlog

from sessionactors import Agent, Monitors
from sessionactors.testing import Scenario

CALLS = 8
ROUNDS = 5


def call(monitors: Monitors | None) -> Scenario:
    """A turn, a reply that is cut off, and another."""
    scenario = Scenario(Agent(instructions="Be kind."), monitors=monitors)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies("Once upon a time there was a king who had three daughters and a very old horse.")
    scenario.tts_speaks(duration=15.0)
    scenario.user_says("Stop!", at=5.0, until=6.0)
    scenario.llm_replies("All right then.")
    return scenario


def seconds(*, watched: bool) -> tuple[float, int]:
    """CPU seconds of some calls, and how many messages were looked at."""
    monitors = Monitors() if watched else None
    began = time.process_time()
    for _ in range(CALLS):
        _ = call(monitors).play()
    return time.process_time() - began, 0 if monitors is None else monitors.looked_at


def main() -> None:
    """Prints both, and the ratio."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    without = min(seconds(watched=False)[0] for _ in range(ROUNDS))
    best, messages = min(seconds(watched=True) for _ in range(ROUNDS))
    extra = (best - without) / messages * 1e6
    print(f"{CALLS} calls: {without:.3f} s without monitors, {best:.3f} s with, ratio {best / without:.2f}")
    print(f"{extra:.1f} us for each of {messages} messages")


if __name__ == "__main__":
    main()
