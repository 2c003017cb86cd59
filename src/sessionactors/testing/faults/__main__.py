"""A soak run in virtual time: ``python -m sessionactors.testing.faults --calls 50 --rate 0.01 --seed 7``.

Each call is a session with scripted providers behind ``with_faults``: somebody asks, and hangs up. The same seed is the
same run.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections import Counter

import structlog

from sessionactors.model.events import CloseEvent
from sessionactors.runtime import ActorSystem
from sessionactors.session.agent import Agent
from sessionactors.session.agent_session import AgentSession
from sessionactors.testing import virtual_loop
from sessionactors.testing.marked_voice import MarkedVoice
from sessionactors.testing.scripted_ear import ScriptedSTT, ScriptedVAD
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.transports.memory import MemoryTransport

from .soak import SOAKING, Chance, with_faults

RATE = 16000
HANGS_UP_AFTER = 25.0
"""Seconds: what hangs has been noticed by then."""


async def one_call(system: ActorSystem, number: int, chance: Chance, seen: Counter[str]) -> None:
    """Somebody asks twice, and hangs up."""
    session: AgentSession[object] = AgentSession(
        system=system,
        vad=with_faults(ScriptedVAD([(0.2, 0.7), (8.0, 8.5)]), chance=chance),
        stt=with_faults(ScriptedSTT([(0.9, "Hello?"), (8.7, "Are you there?")]), chance=chance),
        llm=with_faults(ScriptedLLM(otherwise=ScriptedReply("Hello.")), chance=chance),
        tts=with_faults(MarkedVoice(), chance=chance),
    )
    closed: list[CloseEvent] = []
    session.on("close", closed.append)
    session.on("error", lambda event: seen.update([f"named: {type(event.error).__name__}"]))
    room = MemoryTransport(silence_rate=RATE, frame_ms=100)
    name = f"soak-{number}"
    await session.start(Agent(instructions="Be kind."), room=with_faults(room, chance=chance), room_name=name)
    await asyncio.sleep(HANGS_UP_AFTER)
    if not closed:
        room.leave()
    await session.aclose(deadline=5.0)
    answers = sum(1 for message in session.history.messages() if message.role == "assistant")
    seen.update([f"calls with {answers} answers", *(f"left behind: {leak}" for leak in system.leaks(name))])


async def soak(calls: int, chance: Chance) -> Counter[str]:
    """So many calls, one after the other."""
    system = ActorSystem("running")
    system.start()
    seen: Counter[str] = Counter()
    for number in range(calls):
        await one_call(system, number, chance, seen)
    await system.aclose()
    return seen


def main() -> int:
    """0: nothing was left behind."""
    parser = argparse.ArgumentParser(prog="python -m sessionactors.testing.faults", description=__doc__)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--rate", type=float, default=0.01, help="how likely each signal is to be struck")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    acts = [act for act in SOAKING if act != "stuck"]  # what cannot be cancelled is left behind, by name
    chance = Chance(given.seed, given.rate, acts=acts)
    seen = virtual_loop.run(lambda: soak(given.calls, chance))
    struck = Counter(fault.does for fault in chance.struck)
    kinds = ", ".join(f"{act} {count}" for act, count in sorted(struck.items()))
    lines = [f"{given.calls} calls, {chance.strikes} faults: {kinds}"]
    lines += [f"  {what}: {count}" for what, count in sorted(seen.items())]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if any(what.startswith("left behind") for what in seen) else 0


if __name__ == "__main__":
    sys.exit(main())
