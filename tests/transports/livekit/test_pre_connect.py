from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import structlog
from livekit.rtc._proto.track_pb2 import AudioTrackFeature

from sessionactors.interfaces.room_wants import AudioInWants, RoomWants
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import AudioFormatError
from sessionactors.transports.livekit import LiveKitTransport, pre_connect
from sessionactors.transports.livekit.pre_connect import TOPIC
from sessionactors.transports.livekit.recordings import decoded

from .loopback import Loopback, Mic, house
from tests.transports.fakes import RoomLog
from tests.transports.virtual import in_virtual_time

__all__ = ["house"]

LIVE = AudioFrame(b"\x63\x00" * 1200, 24000)
SPOKEN = AudioFrame(b"\x2a\x00" * 24000, 24000)


class Sent:
    """A byte stream, some of which may be late."""

    def __init__(self, data: bytes, *, after: float = 0.0, mime: str = "audio/pcm", **attributes: str) -> None:
        defaults = {"trackId": "TR_1", "sampleRate": "24000", "channels": "1"}
        self.info = SimpleNamespace(attributes={**defaults, **attributes}, mime_type=mime)
        self._data, self._after = data, after

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await asyncio.sleep(self._after)
        for at in range(0, len(self._data), 1500):
            yield self._data[at : at + 1500]


async def call(house: Loopback, **wants: Any) -> tuple[LiveKitTransport, Mic, list[AudioFrame]]:
    """Somebody who recorded is listened to."""
    wants = {"auto_gain_control": False, **wants}
    transport, log = LiveKitTransport(url="ws://server", token="t"), RoomLog()
    transport.configure(RoomWants(audio_input=AudioInWants(**wants)))
    await transport.connect(log)
    mic = Mic("TR_1", features=(AudioTrackFeature.TF_PRECONNECT_BUFFER,))
    house.come("ann", mic)
    heard: list[AudioFrame] = []
    voice = log.sources["ann"]
    assert voice is not None
    voice.start(heard.append, lambda: None)
    return transport, mic, heard


def pcm(frames: list[AudioFrame]) -> bytes:
    return b"".join(frame.data for frame in frames)


@in_virtual_time
async def test_what_was_recorded_is_heard_before_what_is_live(house: Loopback) -> None:
    transport, mic, heard = await call(house)
    mic.say(LIVE)
    house.room.readers[TOPIC](Sent(SPOKEN.data, after=0.5), "ann")
    await asyncio.sleep(0.4)
    assert not heard
    mic.say(LIVE)
    await asyncio.sleep(0.2)
    mic.say(LIVE)
    assert pcm(heard) == SPOKEN.data + LIVE.data * 3
    await transport.aclose()


@in_virtual_time
async def test_a_long_recording_is_given_in_pieces_that_mailboxes_can_hold(house: Loopback) -> None:
    transport, mic, heard = await call(house)
    house.room.readers[TOPIC](Sent(SPOKEN.data * 4), "ann")
    await asyncio.sleep(0.001)
    assert 0 < len(heard) <= 10
    mic.say(LIVE)
    await asyncio.sleep(0.1)
    assert pcm(heard) == SPOKEN.data * 4 + LIVE.data
    await transport.aclose()


@in_virtual_time
async def test_a_recording_that_does_not_come_is_waited_for_once(house: Loopback) -> None:
    transport, mic, heard = await call(house, pre_connect_audio_timeout=2.0)
    mic.say(LIVE)
    await asyncio.sleep(1.9)
    assert not heard
    await asyncio.sleep(0.2)
    assert heard == [LIVE]
    await transport.aclose()


@in_virtual_time
async def test_a_recording_of_long_ago_is_not_heard(house: Loopback) -> None:
    transport = LiveKitTransport(url="ws://server", token="t")
    log = RoomLog()
    await transport.connect(log)
    house.room.readers[TOPIC](Sent(SPOKEN.data), "ann")
    await asyncio.sleep(1.5)
    mic = Mic("TR_1", features=(AudioTrackFeature.TF_PRECONNECT_BUFFER,))
    house.come("ann", mic)
    heard: list[AudioFrame] = []
    voice = log.sources["ann"]
    assert voice is not None
    voice.start(heard.append, lambda: None)
    await asyncio.sleep(0.1)
    assert not heard
    await transport.aclose()


@pytest.mark.parametrize(
    "sent",
    [
        Sent(b"", trackId=""),
        Sent(SPOKEN.data, sampleRate="many"),
        Sent(SPOKEN.data, sampleRate="1"),
        Sent(SPOKEN.data, channels="99"),
        Sent(b"\x00" * (9 * 1024 * 1024)),
        Sent(SPOKEN.data, after=10.0),
    ],
)
@in_virtual_time
async def test_a_strange_recording_costs_nothing_but_itself(house: Loopback, sent: Sent) -> None:
    if not sent.info.attributes["trackId"]:
        del sent.info.attributes["trackId"]
    transport, mic, heard = await call(house, pre_connect_audio_timeout=1.0)
    house.room.readers[TOPIC](sent, "ann")
    mic.say(LIVE)
    await asyncio.sleep(1.5)
    assert heard == [LIVE]
    await transport.aclose()


@in_virtual_time
async def test_a_flood_of_recordings_is_refused_and_forgotten(house: Loopback) -> None:
    transport, log = LiveKitTransport(url="ws://server", token="t"), RoomLog()
    await transport.connect(log)
    for number in range(pre_connect.MAX_AT_ONCE + 1):
        house.room.readers[TOPIC](Sent(SPOKEN.data, after=0.1, trackId=f"TR_late_{number}"), "ann")
    with structlog.testing.capture_logs() as lines:
        house.room.readers[TOPIC](Sent(SPOKEN.data, trackId="TR_1"), "ann")
    assert [line["event"] for line in lines] == ["livekit_pre_connect_audio_refused"]
    await asyncio.sleep(0.2)
    for number in range(pre_connect.MAX_KEPT):
        house.room.readers[TOPIC](Sent(SPOKEN.data, trackId=f"TR_{number}"), "ann")
        await asyncio.sleep(0.01)
    kept = {
        mic: await heard_at_once(house, log, mic) for mic in ("TR_late_0", "TR_0", f"TR_{pre_connect.MAX_KEPT - 1}")
    }
    assert {mic: bool(frames) for mic, frames in kept.items()} == {
        "TR_late_0": False,
        "TR_0": True,
        f"TR_{pre_connect.MAX_KEPT - 1}": True,
    }
    await transport.aclose()


async def heard_at_once(house: Loopback, log: RoomLog, track: str) -> list[AudioFrame]:
    """What of a recording is heard when its track appears."""
    house.come(track, Mic(track, features=(AudioTrackFeature.TF_PRECONNECT_BUFFER,)))
    heard: list[AudioFrame] = []
    voice = log.sources[track]
    assert voice is not None
    voice.start(heard.append, lambda: None)
    await asyncio.sleep(0.05)
    return heard


@in_virtual_time
async def test_a_recording_at_another_rate_is_resampled(house: Loopback) -> None:
    transport, _, heard = await call(house)
    stereo = np.repeat((np.sin(np.arange(48000) / 20) * 5000).astype("<i2"), 2).tobytes()
    house.room.readers[TOPIC](Sent(stereo, sampleRate="48000", channels="2"), "ann")
    await asyncio.sleep(0.1)
    assert {(frame.sample_rate, frame.num_channels) for frame in heard} == {(24000, 1)}
    assert sum(frame.duration for frame in heard) == pytest.approx(1.0, abs=0.001)
    await transport.aclose()


def in_webm(pcm: bytes) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm, "<i2").reshape(1, -1), "s16", "mono")
        frame.sample_rate = 48000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return file.getvalue()


def test_what_a_browser_recorded_is_decoded() -> None:
    tone = (np.sin(np.arange(48000) / 20) * 5000).astype("<i2").tobytes()
    pcm = decoded(in_webm(tone), 24000)
    assert len(pcm) / 2 / 24000 == pytest.approx(1.0, abs=0.03)
    assert 4000 < np.abs(np.frombuffer(pcm, "<i2")).max() < 6500
    for broken in (b"", b"\x1a\x45\xdf\xa3 no more", in_webm(tone)[:60]):
        with pytest.raises(AudioFormatError, match="cannot be read"):
            decoded(broken, 24000)


@pytest.mark.may_block("a thread decodes", in_functions=("to_thread",))
@in_virtual_time
async def test_a_recording_in_webm_is_heard(house: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pre_connect, "decoded", lambda data, rate: SPOKEN.data)
    transport, _, heard = await call(house)
    house.room.readers[TOPIC](Sent(b"webm", mime="audio/webm;codecs=opus", sampleRate="48000"), "ann")
    await asyncio.sleep(0.5)
    assert pcm(heard) == SPOKEN.data
    await transport.aclose()


@in_virtual_time
async def test_recordings_that_are_not_wanted_are_left_to_the_program(house: Loopback) -> None:
    transport, mic, heard = await call(house, pre_connect_audio=False)
    mic.say(LIVE)
    assert heard == [LIVE]
    assert not house.room.readers
    await transport.aclose()


@in_virtual_time
async def test_a_track_that_ends_while_its_recording_is_awaited_is_heard_to_its_end(house: Loopback) -> None:
    transport, mic, heard = await call(house)
    mic.say(LIVE)
    house.unpublish("ann", mic)
    await asyncio.sleep(0.01)
    assert heard[0] == LIVE
    assert len(heard) == 11
    await transport.aclose()
