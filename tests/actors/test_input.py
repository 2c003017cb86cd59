"""The way of the audio: formats, the gate, sources that change, fail and end, and a mailbox that is full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable

import numpy as np
import pytest

from sessionactors.interfaces.audio_io import AudioSource, FrameCallback
from sessionactors.interfaces.stt import STT, SpeechEvent
from sessionactors.interfaces.vad import VAD, VADEvent
from sessionactors.messages.ear import AttachSource, SetInputEnabled, SourceEnded, SubstituteSilence
from sessionactors.model.audio import AudioFrame
from sessionactors.model.events import ErrorEvent
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.testing.scripted_ear import ScriptedSTT, ScriptedVAD
from sessionactors.transports.memory_source import MemorySource

from tests.actors.ear_bench import Bench, about


class Recorded(STT):
    """Keeps what it hears and understands nothing."""

    sample_rate = 16000

    def __init__(self) -> None:
        self.items: list[AudioFrame | FlushSentinel] = []
        self.says: list[SpeechEvent] = []

    @property
    def frames(self) -> list[AudioFrame]:
        return [item for item in self.items if isinstance(item, AudioFrame)]

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        async for item in audio:
            self.items.append(item)
        for event in self.says:
            yield event


class RecordedVAD(VAD):
    """Keeps what it hears and finds nothing."""

    sample_rate = 8000

    def __init__(self) -> None:
        self.frames: list[AudioFrame] = []
        self.says: list[VADEvent] = []

    @property
    def min_silence_duration(self) -> float:
        return 0.5

    async def detect(self, audio: AsyncIterable[AudioFrame]) -> AsyncIterator[VADEvent]:
        async for frame in audio:
            self.frames.append(frame)
        for event in self.says:
            yield event


class HandSource(AudioSource):
    """A source that delivers when the test says so."""

    label = "hand"

    def __init__(self, *, broken: bool = False) -> None:
        self.on_frame: FrameCallback | None = None
        self.on_end: Callable[[], None] | None = None
        self.stopped = 0
        self._broken = broken

    def start(self, on_frame: FrameCallback, on_end: Callable[[], None]) -> None:
        if self._broken:
            raise OSError("no such microphone")
        self.on_frame, self.on_end = on_frame, on_end

    def stop(self) -> None:
        self.stopped += 1

    def push(self, frame: AudioFrame, times: int = 1) -> None:
        assert self.on_frame is not None
        for _ in range(times):
            self.on_frame(frame)

    def end(self) -> None:
        assert self.on_end is not None
        self.on_end()


def tone(rate: int, channels: int = 1, seconds: float = 0.02, hertz: float = 440.0) -> AudioFrame:
    """A sine at half level; the second channel is silent."""
    time = np.arange(round(rate * seconds)) / rate
    sine = (16000 * np.sin(2 * np.pi * hertz * time)).astype("<i2")
    columns = [sine] + [np.zeros_like(sine)] * (channels - 1)
    return AudioFrame(np.stack(columns, axis=1).tobytes(), rate, channels)


def seconds_of(frames: list[AudioFrame]) -> float:
    return sum(frame.duration for frame in frames)


FRAME = AudioFrame(b"\x01\x00" * 320, 16000)
"""20 ms in the format of the recogniser."""


def test_a_frame_of_the_right_format_passes_without_a_copy() -> None:
    stt, source = Recorded(), HandSource()
    Bench(stt=stt, source=source).call(1.0, (0.1, lambda: source.push(FRAME)))
    (heard,) = stt.frames
    assert heard is FRAME


def test_audio_is_mixed_and_resampled_for_each_listener() -> None:
    stt, vad, source = Recorded(), RecordedVAD(), HandSource()
    frame = tone(48000, channels=2)
    pushes = [(0.02 * number, lambda: source.push(frame)) for number in range(1, 51)]
    bench = Bench(vad, stt, source=source).call(2.0, *pushes, (1.5, source.end))
    assert {(frame.sample_rate, frame.num_channels) for frame in stt.frames} == {(16000, 1)}
    assert {(frame.sample_rate, frame.num_channels) for frame in vad.frames} == {(8000, 1)}
    assert seconds_of(stt.frames) == pytest.approx(1.0, abs=0.001), "what the filter held back is flushed at the end"
    assert seconds_of(vad.frames) == pytest.approx(1.0, abs=0.04), "its stream is broken off, not finished"
    samples = np.frombuffer(b"".join(frame.data for frame in stt.frames), dtype="<i2")
    assert 7500 < samples.max() <= 8100, "the mean of the channels"
    assert bench.summaries["input"]["heard"] == pytest.approx(1.0)


def test_a_source_that_changes_its_rate_is_heard_on() -> None:
    stt, source = Recorded(), HandSource()
    first, second = tone(48000), tone(24000)
    Bench(stt=stt, source=source).call(
        1.0, (0.1, lambda: source.push(first, 20)), (0.2, lambda: source.push(second, 20))
    )
    assert seconds_of(stt.frames) == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_p03_what_a_closed_ear_does_not_hear_is_counted(seed: int | None) -> None:
    vad = ScriptedVAD([(0.5, 2.5), (4.0, 5.0)])
    stt = ScriptedSTT([(2.7, "hello"), (5.2, "again")])
    bench = Bench(vad, stt, seed=seed)
    bench.call(8.0, (1.0, bench.tell(SetInputEnabled(False))), (3.5, bench.tell(SetInputEnabled(True))))
    assert bench.finals == ["again"]
    assert bench.activity == [(True, about(0.5)), (False, about(0.99)), (True, about(4.0)), (False, about(5.0))]
    assert bench.summaries["input"]["unheard"] == pytest.approx(2.5, abs=0.03)
    assert bench.summaries["input"]["heard"] == pytest.approx(5.5, abs=0.03)


def test_p03_silence_of_the_same_size_takes_the_place_of_audio_for_the_recogniser_alone() -> None:
    source, vad, stt = MemorySource(), RecordedVAD(), Recorded()
    source.play(tone(16000, seconds=3.0))
    bench = Bench(vad, stt, source=source)
    bench.call(3.2, (1.0, bench.tell(SubstituteSilence(True))), (2.0, bench.tell(SubstituteSilence(False))))
    silent = [not any(frame.data) for frame in stt.frames]
    assert sum(frame.duration for frame in stt.frames) == pytest.approx(3.0, abs=0.03)
    assert sum(frame.duration for frame, quiet in zip(stt.frames, silent, strict=True) if quiet) == about(1.0)
    first, last = silent.index(True), len(silent) - 1 - silent[::-1].index(True)
    assert all(silent[first : last + 1])
    assert all(any(frame.data) for frame in vad.frames)
    assert bench.summaries["input"]["silenced"] == about(1.0)
    assert bench.summaries["input"]["heard"] == about(3.0)


def test_a_closed_ear_tells_the_recogniser_to_finish() -> None:
    stt = ScriptedSTT([(1.0, "hello")], latency=0.0, on_flush=True)
    bench = Bench(stt=stt)
    bench.call(4.0, (1.05, bench.tell(SetInputEnabled(False))))
    assert stt.flushes == [about(1.05)]
    assert bench.transcripts == ["hello"]


def test_audio_of_a_source_that_ended_is_finished() -> None:
    source = MemorySource()
    source.play(AudioFrame(bytes(32000 * 2), 16000))
    stt = ScriptedSTT([(2.0, "goodbye")], latency=0.0, on_flush=True)
    bench = Bench(ScriptedVAD([(0.5, 9.0)]), stt, source=source)
    bench.call(5.0, (2.05, source.end))
    assert bench.activity == [(True, about(0.5)), (False, about(2.0))]
    assert bench.transcripts == ["goodbye"]


def test_the_end_of_a_source_that_was_replaced_ends_nothing() -> None:
    old, new, stt = HandSource(), HandSource(), Recorded()
    bench = Bench(stt=stt, source=old)
    bench.call(
        2.0,
        (0.1, lambda: old.push(FRAME)),
        (0.2, bench.tell(AttachSource(new))),
        (0.3, lambda: new.push(FRAME)),
        (0.4, old.end),
        (0.5, lambda: new.push(FRAME)),
    )
    assert old.stopped == 1
    assert [type(item) for item in stt.items] == [AudioFrame, FlushSentinel, AudioFrame, AudioFrame]
    assert new.stopped == 1, "the ear lets go of its source when it ends"


def test_a_source_is_detached() -> None:
    source = HandSource()
    bench = Bench(stt=Recorded(), source=source)
    bench.call(1.0, (0.1, bench.tell(AttachSource(source))), (0.2, bench.tell(AttachSource(None))))
    assert source.stopped == 1
    assert bench.summaries["input"]["source"] is None


def test_the_end_may_be_told_by_others() -> None:
    stt, source = Recorded(), HandSource()
    bench = Bench(stt=stt, source=source)
    bench.call(1.0, (0.1, lambda: source.push(FRAME)), (0.2, bench.tell(SourceEnded())))
    assert [type(item) for item in stt.items] == [AudioFrame, FlushSentinel]


def test_a_source_that_cannot_start_is_reported_and_the_ear_stays() -> None:
    broken, good, stt = HandSource(broken=True), HandSource(), Recorded()
    bench = Bench(stt=stt, source=broken)
    bench.call(1.0, (0.1, bench.tell(AttachSource(good))), (0.2, lambda: good.push(FRAME)))
    (error,) = bench.events(ErrorEvent)
    assert (type(error.error), error.source, error.recoverable) == (OSError, "room/ear-ann/input", False)
    assert (broken.stopped, bench.ended, len(stt.frames)) == (0, [], 1)


def test_a_source_stays_attached_over_a_restart() -> None:
    source, stt = HandSource(), Recorded()
    bench = Bench(stt=stt, source=source)
    bench.call(1.0, (0.1, bench.kill("input")), (0.3, lambda: source.push(FRAME)))
    assert (len(stt.frames), source.stopped) == (1, 1)


def test_an_ear_without_listeners_hears_and_counts() -> None:
    bench = Bench(source=MemorySource(silence_rate=48000)).call(1.0)
    assert bench.summaries["input"]["heard"] == pytest.approx(1.0, abs=0.03)


def test_p15_a_full_mailbox_drops_the_oldest_frames_and_counts_them() -> None:
    source, stt = HandSource(), Recorded()
    frames = [AudioFrame(number.to_bytes(2, "little") * 320, 16000) for number in range(80)]
    bench = Bench(stt=stt, source=source)

    async def flood() -> None:
        await bench.cell("input").suspend()
        for frame in frames:
            source.push(frame)
        await bench.cell("input").resume()

    bench.call(1.0, (0.1, flood))
    assert stt.frames == frames[30:]
    assert bench.dropped["input"] == 30


def test_nothing_rises_into_a_source_whose_ear_is_gone() -> None:
    source = HandSource()
    Bench(stt=Recorded(), source=source).call(0.5)
    source.push(FRAME)
    source.end()


def test_a_source_may_deliver_from_any_thread() -> None:
    source, stt = HandSource(), Recorded()
    bench = Bench(stt=stt, source=source)
    bench.call(1.0, (0.1, lambda: asyncio.to_thread(source.push, FRAME, 3)))
    assert len(stt.frames) == 3
