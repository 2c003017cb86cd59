"""P17: sessions opened, used and closed in one process leave nothing, and its memory as it was."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from sessionactors import Agent, AgentSession
from sessionactors.model.events import CloseEvent
from sessionactors.runtime import ActorSystem
from sessionactors.runtime.cell import Cell
from sessionactors.testing import MarkedVoice, ScriptedLLM, ScriptedReply, ScriptedSTT, ScriptedVAD, VirtualLoop
from sessionactors.transports.memory import MemoryTransport

RATE = 16000


@dataclass(frozen=True, slots=True)
class Footprint:
    """What the process holds."""

    sessions: int
    cells: int
    tasks: int
    threads: int
    descriptors: int
    blocks: int
    """Of Python's memory."""
    resident: int
    """Bytes."""

    def grown(self, before: Footprint) -> list[str]:
        """What there is more of; of memory, more than 5 %."""
        found = [
            f"{name}: {was} after {before.sessions} sessions, {now} after {self.sessions}"
            for name in ("cells", "tasks", "threads", "descriptors")
            for was, now in [(getattr(before, name), getattr(self, name))]
            if now > was
        ]
        for name in ("blocks", "resident"):
            growth = getattr(self, name) / getattr(before, name) - 1
            if growth > 0.05:
                found.append(f"{name} grew by {growth:.1%} from session {before.sessions} to session {self.sessions}")
        return found


def footprint(sessions: int, loop: asyncio.AbstractEventLoop) -> Footprint:
    """Now, with the garbage collected."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Footprint(
        sessions,
        sum(1 for held in gc.get_objects() if isinstance(held, Cell)),
        len(asyncio.all_tasks(loop)),
        threading.active_count(),
        len(list(Path("/proc/self/fd").iterdir())),
        sys.getallocatedblocks(),
        pages * os.sysconf("SC_PAGE_SIZE"),
    )


async def one_call(system: ActorSystem, number: int) -> None:
    """A spoken turn is answered; the caller hangs up."""
    words = [(0.9, "Hello?")]
    session: AgentSession[object] = AgentSession(
        system=system,
        vad=ScriptedVAD([(0.2, 0.7)]),
        stt=ScriptedSTT(words),
        llm=ScriptedLLM(otherwise=ScriptedReply("Hello.")),
        tts=MarkedVoice(),
    )
    room = MemoryTransport(silence_rate=RATE, frame_ms=100)
    closed: list[CloseEvent] = []
    session.on("close", closed.append)
    await session.start(Agent(instructions="Be kind."), room=room, room_name=f"room-{number}")
    await asyncio.sleep(2.5)
    room.leave()
    await session.wait_closed()
    assert len(closed) == 1
    assert [item.role for item in session.history.messages()][-1] == "assistant"
    assert system.leaks(f"room-{number}") == []


async def calls(system: ActorSystem, numbers: range) -> None:
    """One after the other."""
    system.start()
    for number in numbers:
        await one_call(system, number)


def run(sessions: int = 1000, settled: int = 100) -> tuple[Footprint, Footprint]:
    """Footprints after the first ``settled`` and after all, in virtual time and one process."""
    system = ActorSystem("running")
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(calls(system, range(settled)))
        before = footprint(settled, runner.get_loop())
        runner.run(calls(system, range(settled, sessions)))
        after = footprint(sessions, runner.get_loop())
        runner.run(system.aclose())
    return before, after
