"""A program that records a session and is killed in the middle: ``python killed.py FILE``."""

from __future__ import annotations

import asyncio
import sys

from sessionactors import Agent, AgentSession
from sessionactors.journal.journal import Journal
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.transports import MemoryTransport


async def main(path: str) -> None:
    """Answer what is typed, over and over, until the process is killed."""
    model = ScriptedLLM(otherwise=ScriptedReply("Again and again.", ttft=0.0, duration=0.0))
    session: AgentSession[None] = AgentSession(llm=model, journal=Journal(path, flush_interval=0.02))
    room = MemoryTransport(audio=False)
    await session.start(Agent(instructions="Answer."), room=room, room_name="killed")
    for number in range(10_000):
        _ = await session.run(user_input=f"Number {number}?")
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
