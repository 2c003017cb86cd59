from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from sessionactors.interfaces.audio_io import PlaybackFinished, PlaybackProgressed, PlaybackStarted
from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError, OptionError, SessionStateError
from sessionactors.transports import ConsoleTransport, DeviceSink, DeviceSource
from sessionactors.transports.device import Device, StreamCallback, load_sounddevice

from .fakes import RoomLog, SinkLog, ramp, samples

RATE = 48000


class FakePortAudioError(Exception):
    pass


@dataclass
class FakeStream:
    """A stream of sounddevice whose callback is called by the test."""

    samplerate: int
    blocksize: int
    device: Device
    channels: int
    dtype: str
    latency_wanted: str
    callback: StreamCallback
    finished_callback: Callable[[], None]
    started: bool = False
    closed: threading.Event = field(default_factory=threading.Event)
    fails: bool = False

    @property
    def latency(self) -> float:
        return 0.012

    def start(self) -> None:
        if self.fails:
            raise FakePortAudioError("busy")
        self.started = True

    def close(self) -> None:
        self.closed.set()
        self.finished_callback()

    def play(self, frames: int = 480, *, status: object = 0) -> bytes:
        out = bytearray(b"\x55" * (2 * frames))
        self.callback(out, frames, None, status)
        return bytes(out)

    def record(self, pcm: bytes, *, status: object = 0) -> None:
        self.callback(memoryview(bytearray(pcm)), len(pcm) // 2, None, status)


class FakeSoundDevice:
    """The module."""

    PortAudioError = FakePortAudioError

    def __init__(self, *, missing: str = "", busy: str = "") -> None:
        self.missing = missing
        self.busy = busy
        self.streams: dict[str, FakeStream] = {}

    def query_devices(self, device: Device, kind: str) -> Mapping[str, object]:
        if kind == self.missing:
            raise FakePortAudioError("Error querying device -1")
        return {"default_samplerate": float(RATE)}

    def RawInputStream(self, **options: object) -> FakeStream:  # noqa: N802
        return self._open("input", options)

    def RawOutputStream(self, **options: object) -> FakeStream:  # noqa: N802
        return self._open("output", options)

    def _open(self, kind: str, options: dict[str, object]) -> FakeStream:
        if options["samplerate"] == 1:
            raise FakePortAudioError("Invalid sample rate")
        options["latency_wanted"] = options.pop("latency")
        self.streams[kind] = FakeStream(**options, fails=kind == self.busy)  # type: ignore[arg-type]
        return self.streams[kind]


def speakers(sound: FakeSoundDevice | None = None) -> tuple[DeviceSink, FakeStream, SinkLog]:
    sound = sound or FakeSoundDevice()
    sink = DeviceSink(sound)
    log = SinkLog()
    sink.attach(log)
    return sink, sound.streams["output"], log


# --- speakers -------------------------------------------------------------------------------------------------------


def test_speakers_open_in_the_devices_own_rate_and_declare_their_latency() -> None:
    sink, stream, _ = speakers()
    sink.start()
    assert stream.started
    assert (stream.samplerate, stream.blocksize, stream.channels, stream.dtype) == (RATE, 480, 1, "int16")
    assert (sink.sample_rate, sink.position_error) == (RATE, 0.012)


def test_positions_are_the_samples_that_the_device_took() -> None:
    sink, stream, log = speakers()
    assert stream.play() == bytes(960)
    sink.begin("a")
    sink.write("a", ramp(5000, rate=RATE))
    sink.write("a", ramp(700, rate=RATE, first=5001))
    sink.end("a")
    assert log.events == []
    heard = b"".join(stream.play() for _ in range(12))
    assert heard == ramp(5700).data + bytes(2 * 60)
    assert log.events == [
        PlaybackStarted("a"),
        PlaybackProgressed("a", 4800 / RATE),
        PlaybackFinished("a", 5700 / RATE, interrupted=False),
    ]


async def test_what_is_heard_beside_the_agent_is_added_to_its_voice_and_cut_off_where_it_is_too_loud() -> None:
    sink, stream, _ = speakers()
    sink.background.play(AudioFrame(b"\xff\x7f" * 480 + b"\x02\x00" * 100, RATE))
    sink.begin("a")
    sink.write("a", AudioFrame(b"\x01\x00" * 960, RATE))
    assert stream.play() == b"\xff\x7f" * 480
    assert stream.play() == b"\x03\x00" * 100 + b"\x01\x00" * 380
    sink.background.play(AudioFrame(b"\x05\x00" * 480, RATE))
    await sink.background.aclose()
    sink.background.play(AudioFrame(b"\x05\x00" * 480, RATE))
    assert stream.play() == bytes(960)


def test_clear_is_silent_from_the_next_block_on() -> None:
    sink, stream, log = speakers()
    sink.begin("a")
    sink.write("a", ramp(4800, rate=RATE))
    stream.play()
    log.take()
    sink.clear("a")
    assert log.take() == [PlaybackFinished("a", 480 / RATE, interrupted=True)]
    assert stream.play() == bytes(960)
    sink.write("a", ramp(480, rate=RATE))
    assert sink.refused == 1


def test_a_paused_device_is_silent_and_goes_on_at_the_next_sample() -> None:
    sink, stream, log = speakers()
    assert sink.can_pause
    sink.begin("a")
    sink.write("a", ramp(1200, rate=RATE))
    sink.end("a")
    first = stream.play()
    log.take()
    sink.pause("a")
    assert log.take() == [PlaybackProgressed("a", 480 / RATE)]
    assert stream.play() == stream.play() == bytes(960)
    sink.resume("a")
    rest = stream.play() + stream.play()
    assert first + rest == ramp(1200).data + bytes(2 * 240)
    assert log.finished() == [PlaybackFinished("a", 1200 / RATE, interrupted=False)]
    assert sink.statistics.underruns == 0


def test_a_gap_within_a_segment_is_an_underrun_and_one_behind_it_is_not() -> None:
    sink, stream, _ = speakers()
    sink.begin("a")
    sink.write("a", ramp(240, rate=RATE))
    stream.play()
    stream.play()
    assert sink.statistics.underruns == 0
    sink.write("a", ramp(480, rate=RATE))
    stream.play()
    stream.play()
    sink.end("a")
    assert sink.statistics.underruns == 1
    assert sink.statistics.underrun_seconds == pytest.approx(720 / RATE)


def test_segments_share_a_block_without_a_gap() -> None:
    sink, stream, log = speakers()
    for name, first in (("a", 1), ("b", 101)):
        sink.begin(name)
        sink.write(name, ramp(100, rate=RATE, first=first))
        sink.end(name)
    assert stream.play(200) == ramp(200).data
    assert [event.segment for event in log.finished()] == ["a", "b"]


def test_mute_needs_no_lock_and_silences_the_next_block() -> None:
    sink, stream, log = speakers()
    sink.begin("a")
    sink.write("a", ramp(4800, rate=RATE))
    stream.play()
    with sink._lock:  # a loop that hangs within the sink
        watchdog = threading.Thread(target=sink.mute)
        watchdog.start()
        watchdog.join(5)
        assert not watchdog.is_alive()
    assert stream.play() == bytes(960)
    assert log.finished() == [PlaybackFinished("a", 480 / RATE, interrupted=True)]
    sink.begin("b")
    sink.write("b", ramp(480, rate=RATE))
    sink.end("b")
    assert stream.play() == ramp(480, rate=RATE).data


def test_a_block_that_waits_for_the_lock_while_the_sink_is_muted_is_silent() -> None:
    sink, stream, log = speakers()
    sink.begin("a")
    sink.write("a", ramp(4800, rate=RATE))
    block: list[bytes] = []
    with sink._lock:
        device = threading.Thread(target=lambda: block.append(stream.play()))
        device.start()
        sink.mute()
    device.join(5)
    assert block == [bytes(960)]
    assert log.finished() == [PlaybackFinished("a", 0.0, interrupted=True)]


def test_close_reports_what_was_playing_and_releases_the_device_elsewhere() -> None:
    sink, stream, log = speakers()
    sink.begin("a")
    sink.write("a", ramp(4800, rate=RATE))
    sink.close()
    sink.close()
    sink.join()
    assert stream.closed.is_set()
    assert log.events == [PlaybackFinished("a", 0.0, interrupted=True)]
    assert stream.play() == bytes(960)


def test_speakers_that_go_away_end_what_was_playing_and_say_so() -> None:
    sound, lost = FakeSoundDevice(), list[str]()
    sink = DeviceSink(sound, on_lost=lost.append)
    log = SinkLog()
    sink.attach(log)
    sink.begin("a")
    sink.write("a", ramp(4800, rate=RATE))
    stream = sound.streams["output"]
    stream.play()
    stream.finished_callback()
    stream.finished_callback()
    assert log.finished() == [PlaybackFinished("a", 480 / RATE, interrupted=True)]
    assert lost == ["the speakers are gone"]
    sink.close()
    sink.join()
    assert stream.closed.is_set()


def test_blocks_that_the_device_missed_are_counted() -> None:
    sink, stream, _ = speakers()
    stream.play(status=4)
    assert sink.device_underflows == 1


def test_speakers_begin_nothing_while_nobody_listens() -> None:
    with pytest.raises(SessionStateError, match="attach"):
        DeviceSink(FakeSoundDevice()).begin("a")


@given(
    st.lists(
        st.tuples(st.sampled_from(["begin", "write", "end", "clear", "pause", "resume", "play"]), st.integers(0, 900)),
        max_size=50,
    )
)
@settings(deadline=None)
def test_speakers_account_for_every_sample_and_segment(steps: list[tuple[str, int]]) -> None:
    sink, stream, log = speakers()
    begun: list[str] = []
    heard = b""
    for step, number in steps:
        name = begun[number % len(begun)] if begun else "none"
        if step == "begin":
            try:
                sink.begin(str(len(begun)))
            except SessionStateError:
                continue
            begun.append(str(len(begun)))
        elif step == "write":
            sink.write(name, ramp(number, rate=RATE))
        elif step == "end":
            sink.end(name)
        elif step == "clear":
            sink.clear(name)
        elif step == "pause":
            sink.pause(name)
        elif step == "resume":
            sink.resume(name)
        else:
            heard += stream.play(number)
    sink.close()
    sink.join()
    account = sink.statistics
    assert account.written == account.played + account.discarded
    assert sum(sample != 0 for sample in samples(heard)) == account.played
    assert sorted(event.segment for event in log.finished()) == sorted(begun)


# --- microphone -----------------------------------------------------------------------------------------------------


def test_a_microphone_delivers_frames_once_somebody_listens() -> None:
    sound = FakeSoundDevice()
    source = DeviceSource(sound)
    stream = sound.streams["input"]
    source.run()
    stream.record(ramp(960).data)
    frames: list[AudioFrame] = []
    source.start(frames.append, lambda: None)
    stream.record(ramp(960).data, status=2)
    source.stop()
    stream.record(ramp(960).data)
    assert frames == [ramp(960, rate=RATE)]
    assert source.overflows == 1
    with pytest.raises(SessionStateError):
        source.start(frames.append, lambda: None)
    source.release()
    assert stream.closed.is_set()


def test_a_microphone_that_goes_away_ends_its_audio_once() -> None:
    for before in (True, False):
        sound, ends = FakeSoundDevice(), list[int]()
        source = DeviceSource(sound, sample_rate=16000)
        stream = sound.streams["input"]
        if before:
            stream.finished_callback()
        source.start(lambda _: None, lambda ends=ends: ends.append(1))  # type: ignore[misc]
        stream.finished_callback()
        source.release()
        assert ends == [1]
        assert stream.samplerate == 16000


# --- the library and the devices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error, says",
    [
        (ModuleNotFoundError("No module named 'sounddevice'"), r"pip install 'sessionactors\[console-audio\]'"),
        (OSError("PortAudio library not found"), "apt install libportaudio2"),
    ],
)
def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch, error: Exception, says: str) -> None:
    def fail(_name: str) -> None:
        raise error

    monkeypatch.setattr("sessionactors.transports.device.importlib.import_module", fail)
    with pytest.raises(OptionError, match=says):
        load_sounddevice()


def test_a_missing_device_is_named() -> None:
    with pytest.raises(APIConnectionError, match=r"default output device.*python -m sounddevice") as raised:
        DeviceSink(FakeSoundDevice(missing="output"))
    assert not raised.value.retryable
    with pytest.raises(APIConnectionError, match="input device 'USB': Invalid sample rate"):
        DeviceSource(FakeSoundDevice(), device="USB", sample_rate=1)


# --- a console with sound --------------------------------------------------------------------------------------------


async def test_a_console_with_audio_has_microphone_and_speakers() -> None:
    sound, room = FakeSoundDevice(), RoomLog()
    transport = ConsoleTransport(
        audio=True, sounddevice=sound, stdin=io.StringIO(""), console=Console(file=io.StringIO())
    )
    await transport.connect(room)
    assert isinstance(transport.audio_sink, DeviceSink)
    assert room.source("user").label == "microphone"
    assert all(stream.started for stream in sound.streams.values())
    sound.streams["output"].finished_callback()
    transport.publish_transcript(TranscriptSegment("agent", "1", "hello", final=True))
    await transport.aclose()
    assert all(stream.closed.is_set() for stream in sound.streams.values())
    assert room.told == [
        ("joined", "user"),
        ("closed", "the speakers are gone"),
    ]  # no end of input: they can still speak


@pytest.mark.parametrize("sound", [FakeSoundDevice(missing="output"), FakeSoundDevice(busy="output")])
async def test_a_console_without_speakers_gives_the_microphone_back(sound: FakeSoundDevice) -> None:
    room = RoomLog()
    transport = ConsoleTransport(audio=True, sounddevice=sound, stdin=io.StringIO(""))
    with pytest.raises(APIConnectionError, match="output device"):
        await transport.connect(room)
    assert sound.streams["input"].closed.is_set()
    assert room.told == []


def test_a_sink_written_from_the_loop_and_played_by_a_device_thread_loses_nothing() -> None:
    sink, stream, log = speakers()
    heard = bytearray()
    done = threading.Event()

    def device() -> None:
        while not (done.is_set() and log.finished()):
            heard.extend(stream.play(37))

    thread = threading.Thread(target=device)
    thread.start()
    sink.begin("a")
    for number in range(200):
        sink.write("a", ramp(100, rate=RATE, first=1 + 100 * number))
    sink.end("a")
    done.set()
    thread.join(5)
    assert [sample for sample in samples(bytes(heard)) if sample] == samples(ramp(20000).data)
    assert isinstance(log.events[0], PlaybackStarted)
    assert log.events[-1] == PlaybackFinished("a", 20000 / RATE, interrupted=False)
