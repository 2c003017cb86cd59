from __future__ import annotations

import asyncio
import threading

import pytest

from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.transports import AudioRun, MemorySource, MemoryTransport

from .fakes import RoomLog, SinkLog, ramp, samples
from .virtual import in_virtual_time, now

Heard = list[tuple[float, AudioFrame]]


def listen(source: MemorySource) -> tuple[Heard, list[float]]:
    frames: Heard = []
    ends: list[float] = []
    source.start(lambda frame: frames.append((now(), frame)), lambda: ends.append(now()))
    return frames, ends


def times(heard: Heard) -> list[float]:
    return [round(at, 6) for at, _ in heard]


def pcm(heard: Heard) -> bytes:
    return b"".join(frame.data for _, frame in heard)


@in_virtual_time
async def test_participants_that_joined_before_connect_are_reported_by_it() -> None:
    transport, room = MemoryTransport(), RoomLog()
    transport.join("reader", audio=False)
    await transport.connect(room)
    transport.join("late")
    assert room.told == [("joined", "caller"), ("joined", "reader"), ("joined", "late")]
    assert room.sources["reader"] is None
    assert room.source("late") is transport.source("late")
    await transport.aclose()


@in_virtual_time
async def test_a_participant_types_and_leaves() -> None:
    transport, room = MemoryTransport(audio=False), RoomLog()
    await transport.connect(room)
    assert transport.audio_sink is None
    transport.type("hello")
    transport.leave(reason="went home")
    transport.drop("cable cut")
    assert room.told[1:] == [("text", "caller", "hello"), ("left", "caller", "went home"), ("closed", "cable cut")]


@in_virtual_time
async def test_leaving_ends_the_audio_first() -> None:
    transport, room = MemoryTransport(), RoomLog()
    await transport.connect(room)
    order: list[str] = []
    room.source().start(lambda _frame: order.append("frame"), lambda: order.append("end"))
    transport.play(ramp(8000, rate=8000))
    await asyncio.sleep(0.045)
    transport.leave()
    await asyncio.sleep(1)
    assert order == ["frame", "frame", "end"]
    assert room.told[-1] == ("left", "caller", "left")


@in_virtual_time
async def test_a_recording_is_heard_in_frames_of_20_ms_when_each_has_been_spoken() -> None:
    transport = MemoryTransport()
    await transport.connect(RoomLog())
    heard, _ = listen(transport.source())
    transport.play(ramp(800, rate=16000), at=1.5)
    await asyncio.sleep(3)
    assert times(heard) == [1.52, 1.54, 1.56]
    assert pcm(heard) == ramp(800, rate=16000).data + bytes(320)
    await transport.aclose()


@in_virtual_time
async def test_recordings_follow_each_other_and_keep_their_times() -> None:
    source = MemorySource()
    source.play(ramp(320, rate=16000))
    source.play(ramp(320, rate=16000, first=321))
    source.play(ramp(160, rate=8000), at=0.27)
    heard, _ = listen(source)
    await asyncio.sleep(1)
    assert times(heard) == [0.02, 0.04, 0.29]
    assert samples(pcm(heard[:2])) == samples(ramp(640).data)
    assert [frame.sample_rate for _, frame in heard] == [16000, 16000, 8000]


@in_virtual_time
async def test_a_recording_in_the_past_is_said_now() -> None:
    source = MemorySource()
    heard, _ = listen(source)
    await asyncio.sleep(1)
    source.play(ramp(320, rate=16000), at=0.2)
    await asyncio.sleep(1)
    assert times(heard) == [1.02]


@in_virtual_time
async def test_odd_rates_lose_no_sample_and_do_not_drift() -> None:
    source = MemorySource()
    heard, _ = listen(source)
    source.play(ramp(11025, rate=11025, channels=2))
    await asyncio.sleep(2)
    assert len(heard) == 50
    assert {frame.samples_per_channel for _, frame in heard} == {220, 221}
    assert pcm(heard) == ramp(11025, channels=2).data


@in_virtual_time
async def test_an_open_line_delivers_silence_around_the_recording() -> None:
    source = MemorySource(silence_rate=16000)
    heard, ends = listen(source)
    source.play(ramp(320, rate=16000), at=0.06)
    await asyncio.sleep(0.1001)
    assert times(heard) == [0.02, 0.04, 0.06, 0.08, 0.1]
    assert [any(frame.data) for _, frame in heard] == [False, False, False, True, False]
    source.stop()
    source.stop()
    await asyncio.sleep(1)
    assert len(heard) == 5
    assert ends == []


@in_virtual_time
async def test_a_late_loop_gets_all_frames_and_is_on_time_again() -> None:
    source = MemorySource()
    heard, _ = listen(source)
    source.play(ramp(1600, rate=16000))
    asyncio.get_running_loop().advance(0.05)  # type: ignore[attr-defined]
    await asyncio.sleep(1)
    assert times(heard) == [0.05, 0.05, 0.06, 0.08, 0.1]
    assert pcm(heard) == ramp(1600).data


@in_virtual_time
async def test_pushed_frames_pass_as_they_are_and_unheard_ones_are_counted() -> None:
    transport = MemoryTransport()
    await transport.connect(RoomLog())
    transport.push_audio(ramp(160, rate=8000))
    heard, ends = listen(transport.source())
    transport.push_audio(ramp(480, rate=48000))
    assert [frame for _, frame in heard] == [ramp(480, rate=48000)]
    source = transport.source()
    source.end()
    source.end()
    source.push(ramp(480, rate=48000))
    assert (len(heard), len(ends), source.unheard) == (1, 1, 2)


async def test_another_thread_may_speak_for_a_participant() -> None:
    source = MemorySource()
    heard = asyncio.Event()
    source.start(lambda _frame: heard.set(), lambda: None)
    speaker = threading.Thread(target=source.play, args=(ramp(160, rate=8000),))
    speaker.start()
    await asyncio.wait_for(heard.wait(), 2)
    speaker.join()
    source.stop()


@in_virtual_time
async def test_the_agents_audio_is_kept_with_its_times() -> None:
    transport = MemoryTransport(sample_rate=16000)
    await transport.connect(RoomLog())
    sink = transport.sink
    assert transport.audio_sink is sink
    sink.attach(SinkLog())
    await asyncio.sleep(1)
    sink.begin("a")
    sink.write("a", ramp(1600, rate=16000))
    sink.write("a", ramp(1600, rate=16000, first=1601))
    await asyncio.sleep(0.5)
    sink.write("a", ramp(1600, rate=16000))
    await asyncio.sleep(0.05)
    sink.clear("a")
    first, second = transport.agent_audio
    assert first == AudioRun(1.0, ramp(3200).data, 16000)
    assert second == AudioRun(1.5, ramp(800).data, 16000)
    assert [run.duration for run in transport.agent_audio] == [0.2, 0.05]
    await transport.aclose()


@in_virtual_time
async def test_transcripts_are_kept_in_order() -> None:
    transport = MemoryTransport()
    pieces = [TranscriptSegment("agent", "1", "Hel", final=False), TranscriptSegment("agent", "1", "lo", final=True)]
    for piece in pieces:
        transport.publish_transcript(piece)
    assert list(transport.transcripts) == pieces


@in_virtual_time
async def test_a_transport_is_connected_once_and_closed_as_often_as_one_likes() -> None:
    transport = MemoryTransport()
    await transport.connect(RoomLog())
    with pytest.raises(SessionStateError, match="connected once"):
        await transport.connect(RoomLog())
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(SessionStateError, match="not connected"):
        transport.type("anybody?")


@in_virtual_time
async def test_mistakes_are_named() -> None:
    transport = MemoryTransport()
    with pytest.raises(SessionStateError, match="'nobody' has no audio in this room; present: 'caller'"):
        transport.source("nobody")
    with pytest.raises(SessionStateError, match="in the room already"):
        transport.join()
    with pytest.raises(SessionStateError, match="'nobody' is not in the room"):
        transport.leave("nobody")
    with pytest.raises(SessionStateError, match="'nobody' is not in the room"):
        transport.type("hi", "nobody")
    with pytest.raises(SessionStateError, match="audio=True"):
        _ = MemoryTransport(audio=False).sink
    with pytest.raises(OptionError, match="frame_ms"):
        MemoryTransport(frame_ms=5)
    source = MemorySource()
    source.play(AudioFrame(b"", 8000))
    listen(source)
    with pytest.raises(SessionStateError, match="started once"):
        listen(source)
