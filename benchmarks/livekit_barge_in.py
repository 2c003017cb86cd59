"""From a caller's first loud sample to the last sample of the agent: measured in real rooms, hop by hop.

    python -m benchmarks.livekit_barge_in --rooms 2 --times 15

The agent tells a story with an offline voice; the caller says "stop" with another. No recogniser: the voice alone cuts.
The hops inside the session are read from its messages, each with its cause. Needs ``livekit-server`` in PATH (or
``LIVEKIT_URL``), an offline voice and Silero (extra ``offline``). What the caller's side adds is measured in the same
process, on a loop of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final

import numpy as np
from livekit import rtc

from sessionactors import Agent, AgentSession, Delivery
from sessionactors.messages.ear import DetectorSaid, FrameCaptured
from sessionactors.messages.floor import PauseSpeech, SilenceSpeech
from sessionactors.model.resampling import MonoResampler
from sessionactors.providers import offline
from sessionactors.transports.livekit import LiveKitTransport, native_queue

from benchmarks.livekit_server import Server, running

RATE: Final = 24000
STORY: Final = (
    "Once upon a time there was a king who had three daughters and a very old horse, and every morning they rode out "
    "together to look at the sea, and when they came home they told each other what they had seen there."
)
LOUD: Final = 300


async def spoken(text: str, voice: str) -> bytes:
    """The text as int16 PCM at :data:`RATE`, without the silence around it."""
    tts = offline.default_tts("caller" if voice == "caller" else "agent")

    async def pieces() -> AsyncIterator[str]:
        yield text

    resampler, parts = MonoResampler(RATE), []
    async for made in tts.synthesize(pieces()):
        frame = resampler.feed(made.frame)
        if frame is not None:
            parts.append(frame.data)
    await tts.aclose()
    samples = np.frombuffer(b"".join(parts), "<i2")
    loud = np.flatnonzero(np.abs(samples) > LOUD)
    return samples[loud[0] : loud[-1]].tobytes()


class Caller:
    """Says one thing again and again, and keeps when the agent was loud. On a loop of its own."""

    def __init__(self, server: Server, room: str, pcm: bytes) -> None:
        self._server, self._name, self._pcm = server, room, pcm
        self.loud_at: list[float] = []
        self._room: rtc.Room | None = None
        self._source: rtc.AudioSource | None = None
        self._listening: list[asyncio.Task[None]] = []

    async def join(self) -> None:
        self._room = rtc.Room()
        self._room.on(
            "track_subscribed", lambda track: self._listening.append(asyncio.ensure_future(self._hear(track)))
        )
        await self._room.connect(self._server.url, self._server.token(self._name, "caller"))
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=5000)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self._room.local_participant.publish_track(track, options)

    async def say(self) -> float:
        """When its first sample was handed to the library."""
        assert self._source is not None
        at = time.monotonic()
        await self._source.capture_frame(rtc.AudioFrame(self._pcm, RATE, 1, len(self._pcm) // 2))
        return at

    def _subscribed(self, track: rtc.Track) -> None:
        self._listening.append(asyncio.ensure_future(self._hear(track)))

    async def _hear(self, track: rtc.Track) -> None:
        async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=10):
            if np.abs(np.frombuffer(bytes(event.frame.data), "<i2")).max() > LOUD:
                self.loud_at.append(time.monotonic())


class Cuts:
    """When the native library's queues were emptied."""

    def __init__(self) -> None:
        self.at: dict[int, list[float]] = {}
        emptied = native_queue.LiveKitQueue._clear_native  # the last thing before the library

        def noted(queue: native_queue.LiveKitQueue) -> None:
            emptied(queue)
            self.at.setdefault(id(queue), []).append(time.monotonic())

        native_queue.LiveKitQueue._clear_native = noted  # type: ignore[assignment, method-assign]


def chain(deliveries: list[Delivery], last: Delivery) -> list[Delivery]:
    """Back to what the detector said: it is an effect, whose cause is the message that started it."""
    by_id = {delivery.id: delivery for delivery in deliveries}
    found = [last]
    while found[-1].cause in by_id and not isinstance(found[-1].message, DetectorSaid):
        found.append(by_id[found[-1].cause])
    return found[::-1]


async def trials(
    server: Server, number: int, times: int, pcm: bytes, voice_loop: asyncio.AbstractEventLoop, cuts: Cuts
) -> list[dict[str, float]]:
    """One room."""
    name = f"barge-in-{os.getpid()}-{number}"
    caller = Caller(server, name, pcm)

    async def there(work: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, voice_loop))

    vad, tts = offline.SileroVAD(), offline.default_tts()
    session: AgentSession[None] = AgentSession(
        vad=vad,
        tts=tts,
        aec_warmup_duration=None,
        turn_handling={"interruption": {"resume_false_interruption": False, "min_duration": 0.3}},
    )
    transport = LiveKitTransport(url=server.url, token=server.token(name, "agent"))
    await session.start(Agent(instructions=""), room=transport)
    await there(caller.join())
    sink: Any = transport.audio_sink
    rows: list[dict[str, float]] = []
    with session.tap(capacity=200_000) as tap:
        for _ in range(times):
            tap.drain()
            begun = time.monotonic()
            handle = session.say(STORY)
            async with asyncio.timeout(10):
                while not any(at > begun + 0.2 for at in caller.loud_at):  # noqa: ASYNC110  # of another loop
                    await asyncio.sleep(0.02)
            await asyncio.sleep(1.0 + 0.037 * number)
            said = await there(caller.say())
            await asyncio.wait_for(handle.wait_for_playout(), 20)
            await asyncio.sleep(0.5)
            while session.user_state == "speaking":  # noqa: ASYNC110  # that takes a second at most
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.5)
            row = measured(said, tap.drain(), cuts.at.get(id(sink._native), []), caller.loud_at)
            if row is not None:
                rows.append(row)
    await session.aclose()
    await vad.aclose()
    await tts.aclose()
    return rows


def measured(
    said: float, deliveries: list[Delivery], cuts: list[float], loud_at: list[float]
) -> dict[str, float] | None:
    """The hops of one barge-in, in milliseconds."""
    orders = [
        one for one in deliveries if isinstance(one.message, SilenceSpeech | PauseSpeech) and one.began_at > said * 1e9
    ]
    cut = next((at for at in cuts if at > said), None)
    if not orders or cut is None:
        return None
    hops = chain(deliveries, orders[0])
    frames = [one for one in deliveries if isinstance(one.message, FrameCaptured) and one.sent_at <= orders[0].sent_at]
    first_frame = next((one.sent_at / 1e9 for one in frames if one.sent_at / 1e9 > said and is_loud(one)), said)
    verdict = hops[0].sent_at / 1e9
    deciding = max(one.sent_at for one in frames if one.sent_at / 1e9 <= verdict) / 1e9
    heard_last = max(at for at in loud_at if at < cut + 1.0)
    return {
        "way in: caller's first sample -> its frame in the session": 1000 * (first_frame - said),
        "voice: first loud frame -> frame on which it is decided": 1000 * (deciding - first_frame),
        "ours 1: last frame in the session -> detector's verdict": 1000 * (verdict - deciding),
        "ours 2: vad -> turn -> floor -> output": 1000 * (orders[0].began_at / 1e9 - verdict),
        "ours 3: output -> native queue emptied": 1000 * (cut - orders[0].began_at / 1e9),
        "OURS: last frame in the session -> last sample published": 1000 * (cut - deciding),
        "way out: last sample published -> last loud sample heard": 1000 * (heard_last - cut),
        "ALL: caller's first sample -> agent is silent for them": 1000 * (heard_last - said),
    }


def is_loud(delivery: Delivery) -> bool:
    message = delivery.message
    return isinstance(message, FrameCaptured) and bool(
        np.abs(np.frombuffer(message.frame.data, "<i2")).max(initial=0) > LOUD
    )


async def run(server: Server, rooms: int, times: int) -> list[dict[str, float]]:
    voice_loop = asyncio.new_event_loop()
    thread = threading.Thread(target=voice_loop.run_forever, name="callers", daemon=True)
    thread.start()
    cuts = Cuts()
    pcm = await spoken("Stop it now please.", "caller")
    done = await asyncio.gather(*(trials(server, number, times, pcm, voice_loop, cuts) for number in range(rooms)))
    return [row for rows in done for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=2)
    parser.add_argument("--times", type=int, default=15)
    options = parser.parse_args()
    with running() as server:
        rows = asyncio.run(run(server, options.rooms, options.times))
        print(f"{len(rows)} of {options.rooms * options.times} barge-ins, milliseconds")
        for hop in rows[0]:
            values = np.array([row[hop] for row in rows])
            p50, p99 = np.percentile(values, 50), np.percentile(values, 99)
            print(f"{hop:<60} p50 {p50:.1f}, p99 {p99:.1f}")
        print(json.dumps({"load": os.getloadavg(), "python": sys.version.split()[0]}), flush=True)
    os._exit(0)  # the native library takes seconds to end


if __name__ == "__main__":
    main()
