from __future__ import annotations

import asyncio
import struct
import wave
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionactors.interfaces.audio_io import AudioSink
from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import AudioFormatError, OptionError, SessionStateError
from sessionactors.transports import FileSource, FileTransport, StereoRecording, Track
from sessionactors.transports.wav import WavAudio, read_wav

from .fakes import RoomLog, SinkLog, ramp, samples
from .virtual import in_virtual_time, now, run

WriteWav = Callable[..., Path]


def wav(path: Path, pcm: bytes, *, rate: int = 16000, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(pcm)
    return path


@pytest.fixture
def caller_wav(tmp_path: Path) -> Path:
    """0.1 s at 16 kHz."""
    return wav(tmp_path / "in.wav", ramp(1600).data)


def heard_from(source: FileSource) -> tuple[list[tuple[float, AudioFrame]], list[float]]:
    frames: list[tuple[float, AudioFrame]] = []
    ends: list[float] = []
    source.start(lambda frame: frames.append((round(now(), 6), frame)), lambda: ends.append(round(now(), 6)))
    return frames, ends


def sink_of(transport: FileTransport) -> AudioSink:
    sink = transport.audio_sink
    assert sink is not None
    sink.attach(SinkLog())
    return sink


# --- the caller's line ----------------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_caller_speaks_in_real_time_and_stays_on_the_line() -> None:
    source = FileSource(WavAudio(ramp(1600).data, 16000, 1), lead_in=0.03)
    await asyncio.sleep(1)
    frames, ends = heard_from(source)
    await asyncio.sleep(0.3)
    assert [at for at, _ in frames] == [pytest.approx(1 + 0.02 * n) for n in range(1, 16)]
    said = b"".join(frame.data for _, frame in frames)
    assert said == bytes(2 * 480) + ramp(1600).data + bytes(2 * (4800 - 480 - 1600))
    source.stop()
    source.stop()
    await asyncio.sleep(1)
    assert len(frames) == 15
    assert ends == []


@in_virtual_time
async def test_with_a_tail_the_caller_hangs_up() -> None:
    hung_up: list[float] = []
    source = FileSource(WavAudio(ramp(1600).data, 16000, 1), tail=0.06, on_hang_up=lambda: hung_up.append(now()))
    frames, ends = heard_from(source)
    await asyncio.sleep(1)
    assert len(frames) == 8
    assert ends == [pytest.approx(0.18)]
    assert hung_up == [pytest.approx(0.18)]


@given(
    st.integers(1, 3000), st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000]), st.integers(10, 100),
    st.floats(0, 0.2), st.sampled_from([1, 2]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_every_sample_is_said_once_between_silences(
    count: int, rate: int, frame_ms: int, lead_in: float, channels: int
) -> None:
    async def scenario() -> None:
        pcm = ramp(count, channels=channels).data
        source = FileSource(WavAudio(pcm, rate, channels), frame_ms=frame_ms, lead_in=lead_in, tail=0.1)
        frames, ends = heard_from(source)
        await asyncio.sleep(3)
        said = b"".join(frame.data for _, frame in frames)
        ahead = round(lead_in * rate) * 2 * channels
        assert said[:ahead] == bytes(ahead)
        assert said[ahead : ahead + len(pcm)] == pcm
        assert not any(said[ahead + len(pcm) :])
        assert len(ends) == 1
        assert {frame.num_channels for _, frame in frames} == {channels}

    run(scenario())


@pytest.mark.parametrize("wrong", [{"frame_ms": 9}, {"frame_ms": 101}, {"lead_in": -1}, {"tail": float("nan")}])
def test_options_out_of_range_are_errors_at_construction(wrong: dict[str, int]) -> None:
    with pytest.raises(OptionError, match=next(iter(wrong))):
        FileTransport("in.wav", **wrong)  # type: ignore[arg-type]


def test_an_unknown_layout_or_rate_is_an_error() -> None:
    with pytest.raises(OptionError, match="layout"):
        FileTransport("in.wav", layout="quadro")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="sample_rate"):
        FileTransport("in.wav", sample_rate=0)


# --- the call -------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_agents_recording_is_aligned_to_the_call(caller_wav: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    transport, room = FileTransport(caller_wav, out), RoomLog()
    await transport.connect(room)
    begun = now()
    sink = sink_of(transport)
    room.source().start(lambda _frame: None, lambda: None)
    await asyncio.sleep(0.25)
    sink.begin("a")
    sink.write("a", ramp(2400))
    sink.end("a")
    await asyncio.sleep(0.5)
    sink.begin("b")
    sink.write("b", ramp(24000))
    await asyncio.sleep(0.05)
    assert not out.exists()
    length = round((now() - begun) * 24000)
    await transport.aclose()
    audio = await asyncio.to_thread(read_wav, out)
    assert (audio.sample_rate, audio.num_channels) == (24000, 1)
    expected = [0] * 6000 + samples(ramp(2400).data) + [0] * (18000 - 8400) + samples(ramp(1200).data)
    assert samples(audio.pcm) == expected
    assert len(expected) == length
    assert list(tmp_path.glob(".*")) == []


@in_virtual_time
async def test_a_stereo_recording_has_the_caller_left_and_the_agent_right(caller_wav: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    transport, room = FileTransport(caller_wav, out, layout="stereo", lead_in=0.1), RoomLog()
    await transport.connect(room)
    sink = sink_of(transport)
    assert sink.sample_rate == 16000
    room.source().start(lambda _frame: None, lambda: None)
    await asyncio.sleep(0.15)
    sink.begin("a")
    sink.write("a", ramp(800, rate=16000, first=5000))
    sink.end("a")
    await asyncio.sleep(0.25)
    await transport.aclose()
    audio = await asyncio.to_thread(read_wav, out)
    assert (audio.sample_rate, audio.num_channels) == (16000, 2)
    left, right = samples(audio.pcm)[::2], samples(audio.pcm)[1::2]
    assert left == [0] * 1600 + samples(ramp(1600).data) + [0] * 3200
    assert right == [0] * 2400 + samples(ramp(800, first=5000).data) + [0] * 3200


@in_virtual_time
async def test_a_caller_who_hangs_up_leaves(caller_wav: Path) -> None:
    transport, room = FileTransport(caller_wav, tail=0.1, participant="ann"), RoomLog()
    await transport.connect(room)
    frames: list[AudioFrame] = []
    room.source("ann").start(frames.append, lambda: room.told.append(("end",)))
    await asyncio.sleep(1)
    assert len(frames) == 10
    assert room.told == [("joined", "ann"), ("end",), ("left", "ann", "hung up")]
    await transport.aclose()


@in_virtual_time
async def test_transcripts_go_where_they_were_wanted(caller_wav: Path) -> None:
    shown: list[TranscriptSegment] = []
    piece = TranscriptSegment("agent", "1", "hi", final=True)
    FileTransport(caller_wav, on_transcript=shown.append).publish_transcript(piece)
    FileTransport(caller_wav).publish_transcript(piece)
    assert shown == [piece]


async def test_a_call_on_a_real_loop_blocks_nothing(caller_wav: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    transport, room = FileTransport(caller_wav, out, layout="stereo"), RoomLog()
    await transport.connect(room)
    enough = asyncio.Event()
    frames: list[AudioFrame] = []

    def hear(frame: AudioFrame) -> None:
        frames.append(frame)
        if len(frames) == 6:
            enough.set()

    room.source().start(hear, lambda: None)
    await asyncio.wait_for(enough.wait(), 2)
    await asyncio.gather(transport.aclose(), transport.aclose())
    assert b"".join(frame.data for frame in frames)[:3200] == ramp(1600).data
    assert (await asyncio.to_thread(read_wav, out)).num_channels == 2


@in_virtual_time
async def test_it_is_connected_once_and_not_after_its_end(caller_wav: Path) -> None:
    transport = FileTransport(caller_wav)
    assert transport.audio_sink is None
    await transport.connect(RoomLog())
    with pytest.raises(SessionStateError, match="connected once"):
        await transport.connect(RoomLog())
    await transport.aclose()
    await transport.aclose()
    closed = FileTransport(caller_wav)
    await closed.aclose()
    with pytest.raises(SessionStateError):
        await closed.connect(RoomLog())


@in_virtual_time
async def test_closing_while_it_connects_reports_nobody(caller_wav: Path) -> None:
    transport, room = FileTransport(caller_wav), RoomLog()
    connecting = asyncio.create_task(transport.connect(room))
    await asyncio.sleep(0)
    await transport.aclose()
    with pytest.raises(SessionStateError, match="closed while it was connecting"):
        await connecting
    assert room.told == []


@in_virtual_time
async def test_a_recording_that_cannot_be_written_is_no_secret(caller_wav: Path, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    transport = FileTransport(caller_wav, folder / "out.wav")
    await transport.connect(RoomLog())
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        await transport.aclose()


# --- files that cannot be read, or written --------------------------------------------------------------------------


def truncated(path: Path) -> Path:
    wav(path, bytes(3200))
    path.write_bytes(path.read_bytes()[:1000])
    return path


def patched(path: Path, offset: int, value: bytes) -> Path:
    """A good file but for one field of its header."""
    wav(path, bytes(3200))
    data = bytearray(path.read_bytes())
    data[offset : offset + len(value)] = value
    path.write_bytes(data)
    return path


def endless(path: Path) -> Path:
    """As written to a pipe: the length was not known."""
    return patched(path, 40, struct.pack("<I", 0xFFFFFFFE))


def floats(path: Path) -> Path:
    return patched(path, 20, struct.pack("<H", 3))


def of_bytes(content: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(
    "make, says",
    [
        (of_bytes(b""), "is empty"),
        (of_bytes(b"RIFF"), "truncated"),
        (of_bytes(b"ID3\x04 this is an mp3 file, more or less"), "not a WAV file"),
        (lambda path: wav(path, b""), "holds no audio"),
        (truncated, "promises 1600 samples a channel .3200 bytes., the file has 1000 bytes"),
        (endless, "truncated"),
        (floats, "not a WAV file of integer PCM: unknown format: 3.*ffmpeg"),
        (lambda path: wav(path, bytes(60), channels=6), "6 channels, mono or stereo"),
        (lambda path: patched(path, 24, struct.pack("<I", 0)), "declares 0 Hz"),
        (lambda path: patched(path, 34, struct.pack("<H", 40)), "40 bit samples, 8 to 32 expected"),
    ],
)
@in_virtual_time
async def test_audio_that_cannot_be_read_is_named_before_anything_starts(
    make: Callable[[Path], Path], says: str, tmp_path: Path
) -> None:
    path = make(tmp_path / "broken.wav")
    room = RoomLog()
    transport = FileTransport(path)
    with pytest.raises(AudioFormatError, match=says) as raised:
        await transport.connect(room)
    assert str(path) in str(raised.value)
    assert room.told == []
    await transport.aclose()


@in_virtual_time
async def test_paths_that_lead_nowhere_are_named_before_anything_starts(caller_wav: Path, tmp_path: Path) -> None:
    for transport, says in [
        (FileTransport(tmp_path / "none.wav"), "cannot read .*none.wav: No such file"),
        (FileTransport(tmp_path), "cannot read .*: Is a directory"),
        (FileTransport(caller_wav, tmp_path / "no" / "out.wav"), "there is no directory"),
        (FileTransport(caller_wav, tmp_path), "it is a directory"),
        (FileTransport(caller_wav, caller_wav), "it is the input file"),
    ]:
        with pytest.raises(OptionError, match=says):
            await transport.connect(RoomLog())


@pytest.mark.parametrize(
    "width, pcm, expected",
    [
        (1, bytes([128, 255, 0]), [0, 127 << 8, -32768]),
        (2, struct.pack("<3h", 0, 32767, -32768), [0, 32767, -32768]),
        (3, bytes([255, 0, 0, 255, 255, 127, 0, 0, 128]), [0, 32767, -32768]),
        (4, struct.pack("<3i", 65535, 2**31 - 1, -(2**31)), [0, 32767, -32768]),
    ],
)  # fmt: skip
def test_integer_samples_of_any_width_become_int16(width: int, pcm: bytes, expected: list[int], tmp_path: Path) -> None:
    audio = read_wav(wav(tmp_path / "in.wav", pcm, rate=11025, width=width))
    assert samples(audio.pcm) == expected
    assert audio.sample_rate == 11025


# --- recordings -----------------------------------------------------------------------------------------------------


def test_a_track_keeps_a_continuous_voice_continuous_however_its_times_round() -> None:
    track = Track(sample_rate=44100, start=0.0)
    for number in range(200):
        track.add(ramp(441, rate=44100), number / 100 + 0.5 / 44100)
    assert track.samples == 200 * 441


def test_jitter_of_arrival_is_no_silence() -> None:
    track = Track(sample_rate=8000, start=10.0, jitter=0.04)
    for at in (10.0, 10.035, 10.041, 10.07):
        track.add(ramp(160, rate=8000), at)
    assert track.samples == 640
    track.add(ramp(160, rate=8000), 10.5)
    assert track.samples == 4160


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 400)), max_size=20), st.floats(0, 0.1))
def test_a_track_loses_no_sample_and_changes_no_order(frames: list[tuple[float, int]], jitter: float) -> None:
    track = Track(sample_rate=8000, start=0.0, jitter=jitter)
    said: list[int] = []
    for at, count in frames:
        frame = ramp(count, rate=8000, first=len(said))
        said += samples(frame.data)
        track.add(frame, at)
    kept = [sample for block in track.blocks(track.samples) for sample in block.tolist()]
    assert [sample for sample in kept if sample] == said


def test_a_stereo_recording_mixes_a_stereo_caller_down_and_pads_the_shorter_voice() -> None:
    recording = StereoRecording(sample_rate=8000, start=5.0)
    recording.caller(AudioFrame(struct.pack("<4h", 100, 300, 32767, 32767), 8000, 2), 5.0)
    recording.agent(AudioFrame(struct.pack("<h", 7), 8000), 5.0 + 3 / 8000)
    assert samples(b"".join(recording.interleaved())) == [200, 0, 32767, 0, 0, 0, 0, 7]
    assert len(b"".join(recording.interleaved(until=6.0))) == 4 * 8000
    with pytest.raises(AudioFormatError, match="resample"):
        recording.agent(ramp(10, rate=16000), 5.0)


@pytest.mark.parametrize("wrong", [{"sample_rate": 0}, {"jitter": -1.0}])
def test_a_track_refuses_options_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        Track(**{"sample_rate": 8000, "start": 0.0, **wrong})  # type: ignore[arg-type]
