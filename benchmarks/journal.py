"""What recording costs: CPU of rooms that talk, with a journal and without, by turns.

    python benchmarks/journal.py                    # 1 and 25 rooms in real time, and a scripted talk in virtual time
    python benchmarks/journal.py --rooms 25 --seconds 20 --pairs 5

A room in real time has a caller who is always heard (frames of 20 ms), Silero for voice activity, a recogniser that
takes the audio, a model and a voice from a script; it answers what is typed every four seconds. Each measurement is a
process of its own; the modes take turns, and a ratio is the median over the turns. CPU is of the whole process, the
thread that writes included. The talk in virtual time is the worst case: nothing costs anything but the actors.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path

import structlog

from sessionactors import STT, ActorSystem, Agent, AgentSession, AudioFrame, BlackBox, Journal, SpeechEvent
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.testing import Scenario
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.testing.scripted_tts import ScriptedTTS
from sessionactors.transports import MemoryTransport

MODES = ("off", "messages", "audio", "black-box")
STORY = "Once upon a time there was a king who had three daughters and a very old horse. "
NOTHING: tuple[SpeechEvent, ...] = ()
TALKS = 12
"""In virtual time, in one measurement."""


def journal_for(mode: str, directory: str, name: object) -> Journal | BlackBox | None:
    """What a session is given."""
    match mode:
        case "off":
            return None
        case "black-box":
            return BlackBox(directory)
        case _:
            return Journal(Path(directory) / f"{name}.journal", audio=mode == "audio")


class Listener(STT):
    """Takes the audio, as one whose server understands it."""

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        """Nothing is said."""
        async for _ in audio:
            pass
        for event in NOTHING:
            yield event


async def rooms_in_real_time(mode: str, rooms: int, seconds: float) -> float:
    """Seconds of CPU for each second and room."""
    from sessionactors.providers.offline import SileroVAD

    vad = SileroVAD()
    system = ActorSystem()
    sessions: list[AgentSession[None]] = []
    with tempfile.TemporaryDirectory() as directory:
        for number in range(rooms):
            session: AgentSession[None] = AgentSession(
                stt=Listener(),
                vad=vad,
                llm=ScriptedLLM(otherwise=ScriptedReply(STORY, ttft=0.2, duration=0.6)),
                tts=ScriptedTTS(ttfb=0.2),
                journal=journal_for(mode, directory, number),
                system=system,
                aec_warmup_duration=None,
            )
            await session.start(Agent(instructions="Tell stories."), room=MemoryTransport(silence_rate=16000))
            sessions.append(session)
        await asyncio.sleep(1.0)
        began, used = time.monotonic(), time.process_time()
        while time.monotonic() < began + seconds:
            for session in sessions:
                _ = session.generate_reply(user_input="Go on.")
            await asyncio.sleep(min(4.0, seconds))
        took = time.process_time() - used
        passed = time.monotonic() - began
        for session in sessions:
            await session.aclose()
        await vad.aclose()
        await asyncio.to_thread(system.close)
    return took / passed / rooms


def talks_in_virtual_time(mode: str) -> float:
    """Seconds of CPU for a talk of 13 s with an interruption."""
    with tempfile.TemporaryDirectory() as directory:
        used = 0.0
        for number in range(TALKS + 1):
            scenario = Scenario(Agent(instructions="Be kind."), journal=journal_for(mode, directory, number))
            scenario.user_says("Tell me a story.", at=0.5, until=2.5)
            scenario.llm_replies(STORY)
            scenario.tts_speaks(duration=15.0)
            scenario.user_says("Stop!", at=5.0, until=6.0)
            scenario.llm_replies("All right then.")
            scenario.tts_speaks(duration=2.0)
            began = time.process_time()
            scenario.play()
            used += (time.process_time() - began) * bool(number)  # what the first one loads is not its own
    return used / TALKS


def measured(mode: str, rooms: int, seconds: float) -> float:
    """One measurement, in a process of its own."""
    command = [sys.executable, __file__, "--measure", mode, "--rooms", str(rooms), "--seconds", str(seconds)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(rooms: int, seconds: float, pairs: int) -> None:
    """Print the ratios for so many rooms; 0: in virtual time."""
    found: dict[str, list[float]] = {mode: [] for mode in MODES}
    for _ in range(pairs):
        for mode in MODES:
            found[mode].append(measured(mode, rooms, seconds))
    what = f"{rooms} room(s), real time" if rooms else "a scripted talk of 13 s, virtual time"
    unit = "ms of CPU a second and room" if rooms else "ms of CPU"
    print(f"{what}, {pairs} turns: {statistics.median(found['off']) * 1e3:.1f} {unit} without a journal")
    for mode in MODES[1:]:
        ratios = [with_it / without for with_it, without in zip(found[mode], found["off"], strict=True)]
        least = min(found[mode]) / min(found["off"])
        print(f"  {mode:10} x {statistics.median(ratios):.3f}  (of the least: {least:.3f})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rooms", type=int, nargs="*", default=[0, 1, 25], help="0: in virtual time")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--measure", choices=MODES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure is None:
        for rooms in given.rooms:
            compare(rooms, given.seconds, given.pairs)
        return
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    (rooms,) = given.rooms
    if rooms:
        print(asyncio.run(rooms_in_real_time(given.measure, rooms, given.seconds)))
    else:
        print(talks_in_virtual_time(given.measure))


if __name__ == "__main__":
    main()
