"""Callers in LiveKit rooms, made with the rtc SDK, in a process of their own: each says a recording over and over.

    python -m benchmarks.livekit_callers URL KEY SECRET ROOMS WAV PAUSE [SHARE [NAME]]

With a share below 1 only so many have a microphone; the others listen. Rooms are called ``room-0``, or ``NAME-0``.
Prints ``ready`` when all are there; ends with its input.
"""

from __future__ import annotations

import asyncio
import sys
import wave

from livekit import rtc

from benchmarks.livekit_server import Server


def has_voice(room: str, share: float) -> bool:
    """Whether its caller speaks: as evenly as the share can be spread."""
    number = int(room.rpartition("-")[2])
    return int((number + 1) * share) > int(number * share)


async def call(server: Server, name: str, pcm: bytes, rate: int, pause: float, share: float) -> rtc.Room:
    """One caller, who begins a little after the one before."""
    room, number = rtc.Room(), int(name.rpartition("-")[2])
    await room.connect(server.url, server.token(name, "caller"))
    if not has_voice(name, share):
        return room
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


async def main(
    url: str, key: str, secret: str, rooms: str, path: str, pause: str, share: str = "1", name: str = "room"
) -> None:
    with wave.open(path, "rb") as recording:
        rate, pcm = recording.getframerate(), recording.readframes(recording.getnframes())
    server = Server(url, key, secret)
    names = [f"{name}-{number}" for number in range(int(rooms))]
    callers = [await call(server, room, pcm, rate, float(pause), float(share)) for room in names]
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for room in callers:
        if (speaking := getattr(room, "speaking", None)) is not None:
            speaking.cancel()
        await room.disconnect()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
