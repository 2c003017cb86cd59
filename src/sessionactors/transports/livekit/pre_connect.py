"""What participants recorded before the agent was there, and send behind: so their first words are not lost.

A client announces such a recording on its track, and sends it as a byte stream. On the room's loop.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog
from livekit import rtc

from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.model.resampling import MonoResampler

from .part import RoomPart
from .recordings import decoded

log = structlog.get_logger("sessionactors.livekit")

TOPIC: Final = "lk.agent.pre-connect-audio-buffer"
MAX_AGE: Final = 1.0
"""Seconds: a recording that has waited longer for its track belongs to the past."""
MAX_BYTES: Final = 8 * 1024 * 1024
"""What one participant may send: 87 s at 48 kHz. A client records some seconds."""
MAX_AT_ONCE: Final = 8
"""Recordings that are received at once; a client sends one for its microphone."""
MAX_KEPT: Final = 16
"""Recordings that wait for a track at once."""
PIECE: Final = 0.1
"""Seconds of a frame."""


@dataclass(frozen=True, slots=True)
class _Recording:
    frames: tuple[AudioFrame, ...]
    at: float
    """Loop time at which it was complete."""


class PreConnectAudio(RoomPart):
    """Receives recordings and keeps each for its track.

    Args:
        sample_rate: Hertz of the mono frames that are wanted.
        timeout: seconds to wait for a recording that was announced, and for one that began to come in.
    """

    def __init__(self, sample_rate: int, timeout: float) -> None:
        self._sample_rate = sample_rate
        self._timeout = timeout
        self._recordings: dict[str, asyncio.Future[_Recording]] = {}
        self._reading: set[asyncio.Task[None]] = set()
        self._registered = False

    def attach(self, room: rtc.Room) -> None:
        try:
            room.register_byte_stream_handler(TOPIC, self._opened)
            self._registered = True
        except ValueError:  # the program reads them itself
            _warn("livekit_pre_connect_topic_taken", topic=TOPIC)

    def detach(self, room: rtc.Room) -> None:
        if self._registered:
            self._registered = False
            room.unregister_byte_stream_handler(TOPIC)

    async def aclose(self) -> None:
        for reading in self._reading:
            reading.cancel()
        self._recordings.clear()

    async def of_track(self, sid: str) -> tuple[AudioFrame, ...]:
        """The recording that belongs to a track; nothing if it does not come in time, or is too old."""
        recording = self._recordings.setdefault(sid, asyncio.get_running_loop().create_future())
        try:
            was_there = recording.done()
            kept = await asyncio.wait_for(asyncio.shield(recording), self._timeout)
            if was_there and (age := asyncio.get_running_loop().time() - kept.at) > MAX_AGE:
                _warn("livekit_pre_connect_audio_too_old", track=sid, seconds=round(age, 1))
                return ()
            return kept.frames
        except TimeoutError:
            _warn("livekit_pre_connect_audio_late", track=sid, timeout=self._timeout)
            return ()
        finally:
            self._recordings.pop(sid, None)

    # -- what is received --------------------------------------------------------------------------------------------

    def _opened(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        if len(self._reading) >= MAX_AT_ONCE:
            _warn("livekit_pre_connect_audio_refused", participant=identity, error=f"{MAX_AT_ONCE} others come in now")
            return
        reading = asyncio.get_running_loop().create_task(self._read(reader, identity), name="livekit-pre-connect")
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)

    async def _read(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._keep(reader)
        except TimeoutError:
            _warn("livekit_pre_connect_audio_late", participant=identity, timeout=self._timeout)
        except Exception as error:  # noqa: BLE001  # a client's bytes: they cost its recording, nothing else
            _warn("livekit_pre_connect_audio_refused", participant=identity, error=str(error) or repr(error))

    async def _keep(self, reader: rtc.ByteStreamReader) -> None:
        attributes = reader.info.attributes or {}
        missing = [name for name in ("trackId", "sampleRate", "channels") if name not in attributes]
        if missing:
            raise ValueError(f"the stream has no attribute {', '.join(missing)}")
        sid, rate, channels = attributes["trackId"], int(attributes["sampleRate"]), int(attributes["channels"])
        if not (8000 <= rate <= 192000 and 1 <= channels <= 8):
            raise ValueError(f"{channels} channel(s) at {rate} Hz are no audio of a microphone")
        data = bytearray()
        async for chunk in reader:
            data += chunk
            if len(data) > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES} bytes")
        pcm = bytes(data)
        mime = reader.info.mime_type or ""
        if mime == "audio/opus" or "codecs=opus" in mime:
            pcm, rate, channels = await asyncio.to_thread(decoded, pcm, self._sample_rate), self._sample_rate, 1
        kept = self._recordings.get(sid)
        if kept is None or kept.done():
            self._recordings.pop(sid, None)  # the newest stands last
            kept = self._recordings[sid] = asyncio.get_running_loop().create_future()
        kept.set_result(_Recording(self._frames(pcm, rate, channels), asyncio.get_running_loop().time()))
        self._forget_unclaimed()

    def _forget_unclaimed(self) -> None:
        """A client may name any track: what nobody asked for must not pile up."""
        unclaimed = [sid for sid, recording in self._recordings.items() if recording.done()]
        for sid in unclaimed[:-MAX_KEPT]:
            del self._recordings[sid]

    def _frames(self, pcm: bytes, rate: int, channels: int) -> tuple[AudioFrame, ...]:
        resampler = MonoResampler(self._sample_rate)
        step = round(rate * PIECE) * channels * BYTES_PER_SAMPLE
        whole = len(pcm) - len(pcm) % (channels * BYTES_PER_SAMPLE)
        pieces = (pcm[at : min(at + step, whole)] for at in range(0, whole, step))
        made = [resampler.feed(AudioFrame(piece, rate, channels)) for piece in pieces]
        return tuple(frame for frame in (*made, resampler.flush()) if frame is not None and frame.data)


def _warn(event: str, **fields: object) -> None:
    log.warning(event, room="", actor="", message_id=0, **fields)
