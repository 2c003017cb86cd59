"""Calls over a LiveKit server: the one of ``LIVEKIT_URL``, or ``livekit-server`` from PATH; else skipped."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Self

import numpy as np
import pytest
from livekit import rtc

from sessionactors import Agent, AgentSession
from sessionactors.model.audio import AudioFrame
from sessionactors.transports.livekit import LiveKitTransport

from benchmarks.livekit_server import LocalServer, Server, running
from tests.transports.fakes import RoomLog, SinkLog

pytestmark = [
    pytest.mark.livekit,
    pytest.mark.leaves_behind("the SDK's native library keeps its threads"),
    pytest.mark.may_block("the SDK asks its native library on the loop"),
]

RATE = 24000
_names = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    try:
        with running() as found:
            yield found
    except FileNotFoundError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def room_name() -> str:
    return f"test-{time.time_ns()}-{next(_names)}"


class Caller:
    """Somebody with the SDK, who keeps how loud the agent is."""

    def __init__(self, server: Server, room: str, identity: str = "caller") -> None:
        self._server, self._name, self.identity = server, room, identity
        self.room = rtc.Room()
        self.loudness: list[tuple[float, float]] = []
        self.source = rtc.AudioSource(RATE, 1, queue_size_ms=2000)
        self._listening: list[asyncio.Task[None]] = []
        self.publication: rtc.LocalTrackPublication | None = None

    async def __aenter__(self) -> Self:
        self.room.on("track_subscribed", self._subscribed)
        await self.room.connect(self._server.url, self._server.token(self._name, self.identity))
        return self

    async def __aexit__(self, *error: object) -> None:
        for listening in self._listening:
            listening.cancel()
        await self.room.disconnect()

    async def publish(self) -> None:
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self.source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        self.publication = await self.room.local_participant.publish_track(track, options)

    async def say(self, seconds: float) -> None:
        tone = tone_of(seconds)
        await self.source.capture_frame(rtc.AudioFrame(tone, RATE, 1, len(tone) // 2))

    def _subscribed(self, track: rtc.Track, *_: object) -> None:
        self._listening.append(asyncio.ensure_future(self._listen(track)))

    async def _listen(self, track: rtc.Track) -> None:
        async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=10):
            samples = np.frombuffer(bytes(event.frame.data), "<i2").astype(np.float32)
            self.loudness.append((time.monotonic(), float(np.sqrt((samples**2).mean()))))

    def hears(self, since: float) -> bool:
        return any(loudness > 500 for at, loudness in self.loudness if at > since)


def tone_of(seconds: float) -> bytes:
    at = np.arange(round(RATE * seconds)) / RATE
    return (np.sin(2 * np.pi * 300 * at) * 9000).astype("<i2").tobytes()


async def until(condition: Callable[[], object], seconds: float = 6.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


@pytest.fixture
async def joined(server: Server, room_name: str) -> AsyncIterator[tuple[LiveKitTransport, RoomLog]]:
    transport, log = LiveKitTransport(url=server.url, token=server.token(room_name, "agent")), RoomLog()
    await transport.connect(log)
    yield transport, log
    await transport.aclose()


def loud(frames: list[AudioFrame]) -> bool:
    return any(np.abs(np.frombuffer(frame.data, "<i2")).max() > 1000 for frame in frames)


async def test_a_caller_is_heard_and_hears_and_a_cut_is_a_cut(
    server: Server, room_name: str, joined: tuple[LiveKitTransport, RoomLog]
) -> None:
    transport, log = joined
    async with Caller(server, room_name) as caller:
        await caller.publish()
        await until(lambda: "caller" in log.sources)
        frames: list[AudioFrame] = []
        voice = log.sources["caller"]
        assert voice is not None
        voice.start(frames.append, lambda: None)
        await caller.say(0.5)
        await until(lambda: loud(frames))
        assert {(frame.sample_rate, frame.num_channels, frame.duration) for frame in frames} == {(RATE, 1, 0.05)}
        sink, events = transport.audio_sink, SinkLog()
        assert sink is not None
        sink.attach(events)
        sink.begin("a")
        sink.write("a", AudioFrame(tone_of(5.0), RATE))
        await until(lambda: caller.hears(0.0))
        sink.clear("a")
        cut = time.monotonic()
        assert events.finished()[0].interrupted
        await asyncio.sleep(0.6)
        assert not caller.hears(cut + 0.3)  # what the way and the caller's own buffer held
        assert caller.publication is not None
        frames.clear()
        await caller.room.local_participant.unpublish_track(caller.publication.sid)
        await until(lambda: len(frames) > 9 and not any(frame.data.strip(b"\0") for frame in frames[-10:]))
    await until(lambda: log.told[-1] == ("left", "caller", "client_initiated"))
    voice.stop()


async def test_a_room_of_the_users_serves_one_session_after_another(server: Server, room_name: str) -> None:
    room = rtc.Room()
    await room.connect(server.url, server.token(room_name, "agent"))
    for _ in range(2):
        session: AgentSession[None] = AgentSession()
        await session.start(Agent(instructions=""), room=room)
        assert len(room.local_participant.track_publications) == 1
        await session.aclose()
        assert room.isconnected()
    await until(lambda: not room.local_participant.track_publications)
    await room.disconnect()


async def test_a_server_that_is_killed_and_started_again_costs_the_silence_between(
    room_name: str, server: Server
) -> None:
    if not isinstance(server, LocalServer):
        pytest.skip("the server of LIVEKIT_URL is not ours to kill")
    transport, log = LiveKitTransport(url=server.url, token=server.token(room_name, "agent")), RoomLog()
    await transport.connect(log)
    sink = transport.audio_sink
    assert sink is not None
    sink.attach(SinkLog())
    try:
        async with Caller(server, room_name) as caller:
            await caller.publish()
            await until(lambda: "caller" in log.sources)
            frames: list[AudioFrame] = []
            voice = log.sources["caller"]
            assert voice is not None
            voice.start(frames.append, lambda: None)
            sink.begin("a")
            sink.write("a", AudioFrame(tone_of(30.0), RATE))
            await until(lambda: caller.hears(0.0) and frames)
            server.kill()
            await asyncio.sleep(0.3)
            await asyncio.to_thread(server.start)
            again = time.monotonic()
            frames.clear()
            await until(lambda: caller.hears(again + 0.2), 30.0)
            await caller.say(0.5)
            await until(lambda: loud(frames), 15.0)
        await until(lambda: log.told == [("joined", "caller"), ("left", "caller", "client_initiated")])
        assert not any(told[0] == "closed" for told in log.told)
    finally:
        await transport.aclose()
