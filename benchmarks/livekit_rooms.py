"""What LiveKit rooms cost in one process: CPU for each room and each thread, with 10, 25 and 50 rooms.

    python -m benchmarks.livekit_rooms                    transport only, our subscriber
    python -m benchmarks.livekit_rooms --sdk              the same with the SDK's own streams and sources
    python -m benchmarks.livekit_rooms --talking          all agents speak all the time
    python -m benchmarks.livekit_rooms --rooms 10 50 --seconds 20

Server and callers run in processes of their own. Needs ``livekit-server`` in PATH, or ``LIVEKIT_URL``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import numpy as np

from sessionactors.interfaces.audio_io import AudioSource, SinkEvent
from sessionactors.interfaces.transport import NO_ATTRIBUTES, ParticipantKind, TransportEvents
from sessionactors.interfaces.video_io import VideoSource
from sessionactors.model.audio import AudioFrame
from sessionactors.transports.livekit import LiveKitTransport

from benchmarks.livekit_server import LocalServer, Server, running

RATE = 24000
TICK = os.sysconf("SC_CLK_TCK")


class Listener(TransportEvents):
    """Counts what is heard, and how late: on the actor loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.frames = 0
        self.gaps: list[float] = []
        self._last = 0.0

    def participant_joined(
        self,
        identity: str,
        audio: AudioSource | None,
        *,
        kind: ParticipantKind = "standard",
        attributes: Mapping[str, str] = NO_ATTRIBUTES,
    ) -> None:
        if audio is not None:
            self._loop.call_soon_threadsafe(audio.start, self._frame, lambda: None)

    def _frame(self, _frame: AudioFrame) -> None:
        now = time.monotonic()
        if self._last:
            self.gaps.append(now - self._last)
        self._last = now
        self.frames += 1

    def participant_left(self, identity: str, reason: str) -> None: ...

    def video_published(self, identity: str, video: VideoSource | None) -> None: ...

    def text_received(self, identity: str, text: str) -> None: ...

    def key_pressed(self, identity: str, digit: str) -> None: ...

    def participant_changed(
        self, identity: str, *, attributes: Mapping[str, str] = NO_ATTRIBUTES, metadata: str | None = None
    ) -> None: ...

    def closed(self, reason: str) -> None:
        print(f"room closed: {reason}", file=sys.stderr)


def threads() -> dict[str, float]:
    """CPU seconds of each thread of this process, by name."""
    used: dict[str, float] = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            head, _, tail = (task / "stat").read_text().rpartition(")")
        except OSError:  # it has ended
            continue
        fields = tail.split()
        name = head.partition("(")[2]
        name = {str(os.getpid()): "rooms' loop (main)"}.get(task.name, name)
        used[name] = used.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / TICK
    return used


async def agents(server: Server, rooms: int, seconds: float, *, talking: bool) -> dict[str, object]:
    """The process that is measured."""
    actor_loop = asyncio.new_event_loop()
    thread = threading.Thread(target=actor_loop.run_forever, name="actor-loop", daemon=True)
    thread.start()
    listeners, transports = [], []
    for number in range(rooms):
        listener = Listener(actor_loop)
        transport = LiveKitTransport(url=server.url, token=server.token(f"room-{number}", "agent"))
        await transport.connect(listener)
        listeners.append(listener)
        transports.append(transport)
    print("joined", flush=True)
    await asyncio.sleep(4.0)
    stop = threading.Event()
    if talking:
        for transport in transports:
            actor_loop.call_soon_threadsafe(_talk, transport, actor_loop, stop)
    await asyncio.sleep(2.0)
    before, cpu, began = threads(), time.process_time(), time.monotonic()
    frames = sum(listener.frames for listener in listeners)
    for listener in listeners:
        listener.gaps.clear()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    after = threads()
    cpu = time.process_time() - cpu
    frames = sum(listener.frames for listener in listeners) - frames
    gaps = sorted(gap for listener in listeners for gap in listener.gaps)
    stop.set()
    underruns = 0
    for transport in transports:
        sink = transport.audio_sink
        underruns += sink.statistics.underruns if sink is not None else 0  # type: ignore[attr-defined]
        await transport.aclose()
    actor_loop.call_soon_threadsafe(actor_loop.stop)
    thread.join()
    return {
        "rooms": rooms,
        "cpu_percent_of_a_core": round(100 * cpu / took, 1),
        "cpu_percent_each": round(100 * cpu / took / rooms, 2),
        "frames_a_second": round(frames / took, 1),
        "frame_gap_ms_p50_p99": [round(1000 * gaps[int(len(gaps) * share)], 1) for share in (0.5, 0.99) if gaps],
        "underruns": underruns,
        "threads_percent": {
            name: round(100 * (after[name] - before.get(name, 0.0)) / took, 1)
            for name in sorted(after, key=lambda name: before.get(name, 0.0) - after[name])
            if after[name] - before.get(name, 0.0) > 0.01 * took
        },
    }


def _talk(transport: LiveKitTransport, loop: asyncio.AbstractEventLoop, stop: threading.Event) -> None:
    """Say a tone for ever, in pieces as a voice gives them: on the actor loop."""
    sink = transport.audio_sink
    assert sink is not None
    tone = (np.sin(np.arange(RATE) * 2 * np.pi * 300 / RATE) * 8000).astype("<i2").tobytes()

    def told(_event: SinkEvent) -> None: ...

    sink.attach(told)
    sink.begin("talk")

    def more() -> None:
        if not stop.is_set():
            for at in range(0, RATE, 1200):
                sink.write("talk", AudioFrame(tone[2 * at : 2 * (at + 1200)], RATE))
            loop.call_later(1.0, more)

    more()
    more()


def measure(server: Server, rooms: int, options: argparse.Namespace, recording: Path) -> dict[str, object]:
    """One line of the table."""
    here = [server.url, server.key, server.secret, str(rooms)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])}
    flags = [flag for flag in ("sdk", "talking") if getattr(options, flag)]
    agent = subprocess.Popen(
        [sys.executable, __file__, "--agents", *here, "--seconds", str(options.seconds), *(f"--{f}" for f in flags)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    callers: subprocess.Popen[str] | None = None
    try:
        assert agent.stdout is not None
        agent.stdout.readline()
        callers = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("livekit_callers.py")), *here, str(recording), "1.5"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        before = server.cpu_seconds if isinstance(server, LocalServer) else 0.0
        told = json.loads(agent.stdout.readlines()[-1])
        if isinstance(server, LocalServer):
            told["server_cpu_seconds"] = round(server.cpu_seconds - before, 1)
        return dict(told)
    finally:
        for process in (agent, callers):
            if process is not None:
                process.kill()
                process.wait()


def spoken(path: Path) -> None:
    """Two seconds of something like speech, that needs no voice to be installed."""
    time_of = np.arange(RATE * 2) / RATE
    pitch = np.sin(2 * np.pi * 140 * time_of) + 0.5 * np.sin(2 * np.pi * 700 * time_of)
    syllables = np.clip(np.sin(2 * np.pi * 4 * time_of), 0, 1)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((pitch * syllables * 6000).astype("<i2").tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, nargs="+", default=[10, 25, 50])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--sdk", action="store_true", help="use the SDK's own streams and sources")
    parser.add_argument("--talking", action="store_true", help="all agents speak all the time")
    parser.add_argument("--agents", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.agents:
        if options.sdk:
            for module in ("track_audio", "voice_track"):
                mock.patch(f"sessionactors.transports.livekit.{module}.is_supported", return_value=False).start()
        url, key, secret, rooms = options.agents
        told = asyncio.run(agents(Server(url, key, secret), int(rooms), options.seconds, talking=options.talking))
        print(json.dumps(told), flush=True)
        os._exit(0)  # the native library takes seconds to end
    with tempfile.TemporaryDirectory() as directory, running() as server:
        recording = Path(directory) / "caller.wav"
        spoken(recording)
        for rooms in options.rooms:
            print(json.dumps(measure(server, rooms, options, recording)), flush=True)


if __name__ == "__main__":
    main()
