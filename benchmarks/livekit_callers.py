"""Callers in LiveKit rooms, made with the rtc SDK, in a process of their own: each says a recording over and over.

    python -m benchmarks.livekit_callers URL KEY SECRET ROOMS WAV PAUSE

Prints ``ready`` when all are there; ends with its input.
"""

from __future__ import annotations

import asyncio
import sys
import wave

from livekit import rtc

from benchmarks.livekit_server import Server


async def call(server: Server, number: int, pcm: bytes, rate: int, pause: float) -> rtc.Room:
    """One caller, who begins a little after the one before."""
    room = rtc.Room()
    await room.connect(server.url, server.token(f"room-{number}", "caller"))
    source = rtc.AudioSource(rate, 1, queue_size_ms=400)
    track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    await room.local_participant.publish_track(track, options)

    async def speak() -> None:
        await asyncio.sleep(number * 0.13 % 3)
        while True:
            step = rate // 5
            for at in range(0, len(pcm) // 2, step):
                piece = pcm[at * 2 : (at + step) * 2]
                await source.capture_frame(rtc.AudioFrame(piece, rate, 1, len(piece) // 2))
            await source.wait_for_playout()
            await asyncio.sleep(pause)

    room.speaking = asyncio.get_running_loop().create_task(speak())  # type: ignore[attr-defined]
    return room


async def main(url: str, key: str, secret: str, rooms: str, path: str, pause: str) -> None:
    with wave.open(path, "rb") as recording:
        rate, pcm = recording.getframerate(), recording.readframes(recording.getnframes())
    server = Server(url, key, secret)
    callers = [await call(server, number, pcm, rate, float(pause)) for number in range(int(rooms))]
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for room in callers:
        room.speaking.cancel()  # type: ignore[attr-defined]
        await room.disconnect()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
