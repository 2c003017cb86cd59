"""What rooms cost in one worker: CPU of its process with 5 to 50 jobs of a real server, and the line through it.

    python -m benchmarks.livekit_worker_rooms
    python -m benchmarks.livekit_worker_rooms --rooms 5 10 20 30 40 50 --seconds 15 --share 0.2

Each room has a caller, whose coming makes the server dispatch a job, and each job is a session with a detector of
loudness and scripted models. In ``--share`` of the rooms both have a voice: the caller speaks for 2 s and is silent for
1.5 s, all the time, and the agent says a sentence of 3 s every 10 s. In the others the caller only listens, and the
agent writes. So the mix is the same for each number of rooms, and the line's slope is that of a room of the mix.

Server, worker and callers are three processes, and share the machine's cores: CPU is the worker's own. A room is heard
in real time if its detector got as much audio as time has passed; the least of all rooms is told, and how late the
worker's loop was. Where that breaks, so does the line. Needs ``livekit-server`` in PATH, or ``LIVEKIT_URL``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import structlog

from sessionactors import Agent, AgentServer, AgentSession, JobContext, RoomOptions
from sessionactors.providers import offline
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.testing.scripted_tts import ScriptedTTS

from benchmarks.livekit_callers import has_voice
from benchmarks.livekit_rooms import spoken, threads
from benchmarks.livekit_server import LocalServer, Server, running

SENTENCE = "There were many words, and all were counted twice."
SETTLE = 6.0


def heard(session: AgentSession[None]) -> float:
    """Seconds of audio that its ears were given."""
    ears = [actor for actor in session.inspect().actors.values() if actor.path.endswith("/input")]
    return sum(float(str(ear.state["heard"])) for ear in ears)


async def worker(server: Server, rooms: int, seconds: float, share: float) -> dict[str, object]:
    """The process that is measured."""
    sessions: dict[str, AgentSession[None]] = {}
    serving = AgentServer(ws_url=server.url, api_key=server.key, api_secret=server.secret, max_sessions=rooms)

    @serving.rtc_session
    async def entrypoint(ctx: JobContext) -> None:
        name = ctx.job.room.name
        session: AgentSession[None] = AgentSession(
            vad=offline.EnergyVAD(),
            llm=ScriptedLLM(otherwise=ScriptedReply(SENTENCE)),
            tts=ScriptedTTS(ttfb=0.05),
        )
        voice = has_voice(name, share)
        await session.start(
            agent=Agent(instructions=""), room=ctx.room, room_options=RoomOptions(audio_input=voice, audio_output=voice)
        )
        sessions[name] = session
        while voice:
            await session.say(SENTENCE).wait_for_playout()
            await asyncio.sleep(7.0)

    serving.once("worker_registered", lambda *_: print("registered", flush=True))
    running_on = asyncio.create_task(serving.run(devmode=True))
    async with asyncio.timeout(120):
        while len(sessions) < rooms:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await asyncio.sleep(SETTLE)
    assert serving._system is not None
    actor_loop = serving._system.loop
    before, used, began = threads(), time.process_time(), time.monotonic()
    audio = {room: heard(session) for room, session in sessions.items()}
    late: list[float] = []
    stop = threading.Event()

    def beat(due: float) -> None:
        late.append(actor_loop.time() - due)
        if not stop.is_set():
            actor_loop.call_later(0.05, beat, actor_loop.time() + 0.05)

    actor_loop.call_soon_threadsafe(beat, actor_loop.time())
    await asyncio.sleep(seconds)
    took, used, after = time.monotonic() - began, time.process_time() - used, threads()
    stop.set()
    shares = sorted(
        (heard(session) - audio[room]) / took for room, session in sessions.items() if has_voice(room, share)
    )
    told = {
        "rooms": rooms,
        "with_voices": len(shares),
        "cpu_percent_of_a_core": round(100 * used / took, 1),
        "python_percent": round(100 * _of(("python", "rooms' loop", "sessionactors"), before, after) / took, 1),
        "heard_of_real_time_least_median": [round(shares[at], 3) for at in (0, len(shares) // 2)] if shares else [],
        "loop_late_ms_p50_p99": [round(1000 * sorted(late)[int(len(late) * part)], 1) for part in (0.5, 0.99)],
    }
    running_on.cancel()
    return told


def _of(names: tuple[str, ...], before: dict[str, float], after: dict[str, float]) -> float:
    return sum(used - before.get(name, 0.0) for name, used in after.items() if name.startswith(names))


def measure(server: Server, rooms: int, options: argparse.Namespace, recording: Path) -> dict[str, object]:
    """One point of the line."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])}
    here = [server.url, server.key, server.secret, str(rooms)]
    flags = ["--seconds", str(options.seconds), "--share", str(options.share)]
    measured = subprocess.Popen(
        [sys.executable, __file__, "--worker", *here, *flags], stdout=subprocess.PIPE, text=True, env=environment
    )
    callers: subprocess.Popen[str] | None = None
    try:
        assert measured.stdout is not None
        while measured.stdout.readline() != "registered\n":
            assert measured.poll() is None, "the worker did not register"
        callers = subprocess.Popen(
            [
                *(sys.executable, str(Path(__file__).with_name("livekit_callers.py"))),
                *(*here, str(recording), "1.5", str(options.share), f"of-{rooms}"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        before = server.cpu_seconds if isinstance(server, LocalServer) else 0.0
        told = dict(json.loads(measured.stdout.readlines()[-1]))
        if isinstance(server, LocalServer):
            told["server_cpu_seconds_with_joining"] = round(server.cpu_seconds - before, 1)
        return told
    finally:
        for process in (measured, callers):
            if process is not None:
                process.kill()
                process.wait()


def line(points: list[dict[str, object]]) -> str:
    """The straight line through the points that were heard in real time, and how well it fits."""
    real = [point for point in points if all(share > 0.97 for share in point["heard_of_real_time_least_median"])]  # type: ignore[attr-defined]
    if len(real) < 3:
        return f"real time was kept with {[point['rooms'] for point in real]} rooms: too few for a line"
    x = np.array([float(str(point["rooms"])) for point in real])
    y = np.array([float(str(point["cpu_percent_of_a_core"])) for point in real])
    slope, at_none = np.polyfit(x, y, 1)
    rest = y - (slope * x + at_none)
    fit = 1 - float((rest**2).sum() / ((y - y.mean()) ** 2).sum())
    return (
        f"{slope:.2f} % of a core a room, {at_none:+.1f} % with none; R2 {fit:.4f}, most off {abs(rest).max():.1f} %; "
        f"of {[int(rooms) for rooms in x]} rooms, those that were heard in real time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, nargs="+", default=[5, 10, 20, 30, 40, 50])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--share", type=float, default=0.2, help="of the rooms in which caller and agent have a voice")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    if options.worker:
        url, key, secret, rooms = options.worker
        told = asyncio.run(worker(Server(url, key, secret), int(rooms), options.seconds, options.share))
        print(json.dumps(told), flush=True)
        os._exit(0)  # the native library takes seconds to end
    with tempfile.TemporaryDirectory() as directory, running() as server:
        recording = Path(directory) / "caller.wav"
        spoken(recording)
        points = []
        for rooms in options.rooms:
            points.append(measure(server, rooms, options, recording))
            print(json.dumps(points[-1]), flush=True)
    print(line(points))


if __name__ == "__main__":
    main()
