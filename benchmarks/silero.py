"""CPU of speech detection for many rooms: one shared, batched model against one for each room.

    python benchmarks/silero.py --rooms 100 --seconds 10

Each room hears sentences and silence in frames of 20 ms, in real time, at a phase of its own. CPU is that of
the process, without what it costs to feed the same frames to nobody.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass

import numpy as np
import soxr

from sessionactors.interfaces.vad import VADEvent, VADEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.providers import offline, silero
from sessionactors.providers.silero.inference import Inference

RATE = 16000
FRAME = 0.02
SPEECH = b""
"""What is said on every line."""


@dataclass(frozen=True)
class Figures:
    """What one way took."""

    way: str
    cpu_per_room: float
    """Share of a core that a room takes."""
    rooms_a_core: float
    batch: float
    """Windows in a run, on average."""
    p50_ms: float
    """From the end of a window to its probability."""
    p99_ms: float
    edges: int
    """Beginnings and ends of speech in all rooms."""
    skipped: int
    """Windows for which there was no time."""


class Line(AsyncIterator[AudioFrame]):
    """A room's audio in real time."""

    def __init__(self, number: int, seconds: float) -> None:
        length = 2 * round(seconds * RATE)
        pcm = bytes(2 * (RATE * (number % 17) // 10))
        while len(pcm) < length:
            pcm += SPEECH + bytes(2 * RATE)
        self._pcm = pcm[:length]
        self._phase = random.Random(number).random() * FRAME
        self._at = 0

    async def __anext__(self) -> AudioFrame:
        length = 2 * round(FRAME * RATE)
        if self._at >= len(self._pcm):
            raise StopAsyncIteration
        loop = asyncio.get_running_loop()
        if not self._at:
            self._began = loop.time() + self._phase
        due = self._began + self._at / 2 / RATE
        await asyncio.sleep(max(0.0, due - loop.time()))
        frame = AudioFrame(self._pcm[self._at : self._at + length], RATE)
        self._at += length
        return frame


async def listen(vad: silero.VAD | None, line: Line) -> list[VADEvent]:
    if vad is None:
        async for _ in line:
            pass
        return []
    return [event async for event in vad.detect(line)]


class OwnModel(silero.VAD):
    """A detector with a thread of its own, as one instance for each room has."""

    def _running(self) -> Inference:
        if self._inference is None:
            self._inference = Inference(None, gathering=0.0)
        return self._inference

    async def aclose(self) -> None:
        if self._inference is not None:
            inference, self._inference = self._inference, None
            await inference.closed()


async def cpu_of(vads: list[silero.VAD | None], seconds: float) -> tuple[float, list[VADEvent]]:
    for vad in {id(vad): vad for vad in vads if vad is not None}.values():
        await vad.prewarm()
    lines = [Line(number, seconds) for number in range(len(vads))]
    began = time.process_time()
    heard = await asyncio.gather(*(listen(vad, line) for vad, line in zip(vads, lines, strict=True)))
    return time.process_time() - began, [event for events in heard for event in events]


def figures(way: str, share: float, vads: list[silero.VAD], events: list[VADEvent]) -> Figures:
    took = sorted(event.inference_duration for event in events if event.type is VADEventType.INFERENCE_DONE)
    statistics = {id(vad._inference): vad.statistics for vad in vads}.values()
    batch = sum(each.windows for each in statistics) / sum(each.runs for each in statistics)
    edges = sum(event.type is not VADEventType.INFERENCE_DONE for event in events)
    p50, p99 = (round(took[len(took) * percent // 100] * 1e3, 2) for percent in (50, 99))
    return Figures(
        way,
        round(share, 5),
        round(1 / share, 1),
        round(batch, 1),
        p50,
        p99,
        edges,
        sum({id(vad): vad.skipped for vad in vads}.values()),
    )


async def spoken(text: str) -> bytes:
    """The text at 16 kHz, by whatever offline voice is installed."""

    async def pieces() -> AsyncIterator[str]:
        yield text

    voice = offline.default_tts("caller")
    pcm = b"".join([audio.frame.data async for audio in voice.synthesize(pieces())])
    await voice.aclose()
    samples = soxr.resample(np.frombuffer(pcm, dtype="<i2"), voice.sample_rate, RATE)
    return np.asarray(samples, dtype="<i2").tobytes()


async def main(rooms: int, seconds: float) -> list[Figures]:
    global SPEECH  # noqa: PLW0603
    SPEECH = await spoken("Good morning, I would like to book a table for two, please.")
    nothing, _ = await cpu_of([None] * rooms, seconds)
    found = []
    shared = silero.VAD.load()
    cpu, events = await cpu_of([shared] * rooms, seconds)
    found.append(figures("one shared, batched", (cpu - nothing) / seconds / rooms, [shared], events))
    await shared.aclose()
    own: list[silero.VAD] = [OwnModel() for _ in range(rooms)]
    cpu, events = await cpu_of([*own], seconds)
    found.append(figures("one for each room", (cpu - nothing) / seconds / rooms, own, events))
    await asyncio.gather(*(vad.aclose() for vad in own))
    return found


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rooms", type=int, default=100)
    arguments.add_argument("--seconds", type=float, default=10.0)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    results = asyncio.run(main(given.rooms, given.seconds))
    if given.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        for result in results:
            print(result)
        print(f"CPU ratio: {results[1].cpu_per_room / results[0].cpu_per_room:.2f}")
