"""Memory and start of idle sessions: text rooms in one actor system, counted before and after."""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import sys
import time
import tracemalloc

from sessionactors import ActorSystem, Agent, AgentSession
from sessionactors.testing.scripted_llm import ScriptedLLM
from sessionactors.transports.memory import MemoryTransport


async def measure(count: int) -> tuple[float, float, float]:
    """(kB of Python memory, kB of resident memory, ms to start) for each session."""
    system = ActorSystem("running")
    system.start()
    sessions: list[AgentSession[None]] = []

    async def one() -> None:
        session: AgentSession[None] = AgentSession(llm=ScriptedLLM(), system=system)
        await session.start(Agent(instructions="Be kind."), room=MemoryTransport(audio=False))
        sessions.append(session)

    for _ in range(10):  # what the first ones load is not theirs
        await one()
    gc.collect()
    tracemalloc.start()
    resident, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    for _ in range(count):
        await one()
    took = time.perf_counter() - began
    gc.collect()
    python = tracemalloc.get_traced_memory()[0]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident
    tracemalloc.stop()
    states = {session.agent_state for session in sessions}
    if states != {"listening"}:
        sys.exit(f"some sessions do not listen: {states}")
    await system.aclose()
    return python / 1024 / count, grown / count, took / count * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200)
    count = parser.parse_args().sessions
    python, resident, start = asyncio.run(measure(count))
    print(f"{count} idle text sessions, each: {python:.0f} kB of Python memory, {resident:.0f} kB resident,")
    print(f"started in {start:.1f} ms")
    print("(resident memory and start include the tracing of allocations)")


if __name__ == "__main__":
    main()
