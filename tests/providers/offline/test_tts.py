"""The offline voices: audio as it is made, words where they end, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import numpy as np
import pytest

from sessionactors.interfaces.tts import SynthesizedAudio, WordTiming
from sessionactors.model.errors import APIError, OptionError
from sessionactors.providers.offline import flite as flite_module
from sessionactors.providers.offline import tts as tts_module
from sessionactors.providers.offline.errors import MissingDependencyError
from sessionactors.providers.offline.espeak import EspeakTTS, espeak_installed
from sessionactors.providers.offline.flite import VOICES, FliteTTS, flite_installed
from sessionactors.providers.offline.synthesis import Emit, Frames, Spoken, ThreadedTTS
from sessionactors.providers.offline.tts import default_tts

from tests.providers.offline.speech import pieces

needs_flite = pytest.mark.skipif(not flite_installed(), reason="flite is not installed: apt install flite")
needs_espeak = pytest.mark.skipif(not espeak_installed(), reason="espeakng-loader is not installed")

STORY = "The soup is warm. " * 40


@pytest.fixture(params=[pytest.param("flite", marks=needs_flite), pytest.param("espeak", marks=needs_espeak)])
async def tts(request: pytest.FixtureRequest) -> AsyncIterator[ThreadedTTS]:
    voice = FliteTTS(voice="kal16") if request.param == "flite" else EspeakTTS()
    yield voice
    await voice.aclose()


async def audio_of(tts: ThreadedTTS, *texts: str) -> list[SynthesizedAudio]:
    return [audio async for audio in tts.synthesize(pieces(*texts))]


def seconds(parts: list[SynthesizedAudio]) -> float:
    return sum(part.frame.duration for part in parts)


def timings(parts: list[SynthesizedAudio]) -> list[WordTiming]:
    return [timing for part in parts for timing in part.timings]


async def test_a_text_becomes_audible_frames_of_20_to_60_ms(tts: ThreadedTTS) -> None:
    parts = await audio_of(tts, "Your table is booked for seven thirty.")
    assert 1.5 < seconds(parts) < 4
    assert all(0.02 <= part.frame.duration <= 0.0605 for part in parts)
    assert {(part.frame.sample_rate, part.frame.num_channels) for part in parts} == {(tts.sample_rate, 1)}
    samples = np.frombuffer(b"".join(part.frame.data for part in parts), dtype="<i2")
    assert np.abs(samples).max() > 3000
    assert np.argmax(np.abs(samples) > 300) < 0.1 * tts.sample_rate


async def test_a_piece_is_heard_before_the_next_one_exists(tts: ThreadedTTS) -> None:
    asked = asyncio.Event()
    go_on = asyncio.Event()

    async def text() -> AsyncIterator[str]:
        yield "Just a moment. "
        asked.set()
        await go_on.wait()
        yield "Here it is."

    async with aclosing(tts.synthesize(text())) as stream:
        first = await anext(stream)
        assert first.frame.duration > 0
        assert not asked.is_set()
        before = 1
        async for _ in stream:
            before += not go_on.is_set()
            if asked.is_set() or before == 20:
                go_on.set()
    assert asked.is_set()


async def test_words_end_in_order_within_the_audio(tts: ThreadedTTS) -> None:
    texts = ("Hello, I'd like a table ", "for 25 people. ", "Caf\u00e9 \u201cParis\u201d \u2013 thanks!")
    text = "".join(texts)
    parts = await audio_of(tts, *texts)
    found = timings(parts)
    assert found[-1].text_end == len(text)
    assert found[-1].end_time <= seconds(parts) + 0.001
    assert [timing.end_time for timing in found] == sorted(timing.end_time for timing in found)
    ends = [timing.text_end for timing in found]
    assert ends == sorted(set(ends))
    for word in ("Hello,", "table", "25", "people.", "Caf\u00e9"):
        assert text.index(word) + len(word) in ends


async def test_words_come_with_the_frame_they_end_in(tts: ThreadedTTS) -> None:
    position = 0.0
    for part in await audio_of(tts, "When do you close? ", "At eleven in the evening."):
        position += part.frame.duration
        assert all(timing.end_time <= position + 0.02 for timing in part.timings)


async def test_the_end_of_a_word_is_where_a_shorter_text_ends(tts: ThreadedTTS) -> None:
    whole = timings(await audio_of(tts, "good morning everybody"))
    shorter = await audio_of(tts, "good morning")
    morning = next(timing for timing in whole if timing.text_end == len("good morning"))
    assert 0.3 < morning.end_time < seconds(shorter) < morning.end_time + 0.6  # a pause is at its end


@pytest.mark.parametrize("texts", [(), ("",), ("  ", "\n"), ("...", "\u2014", "!?"), ("\u2603",)])
async def test_a_text_without_words_is_silent(tts: ThreadedTTS, texts: tuple[str, ...]) -> None:
    assert await audio_of(tts, *texts) == []


async def test_odd_characters_do_not_stop_the_voice(tts: ThreadedTTS) -> None:
    parts = await audio_of(tts, "One \0 two \x1b[31m \U0001f600 <speak> 100% & #5 http://x.y/z \u4f60\u597d three")
    assert seconds(parts) > 1


async def test_closing_stops_the_voice_and_it_can_speak_again(tts: ThreadedTTS) -> None:
    async with aclosing(tts.synthesize(pieces(STORY))) as stream:
        await anext(stream)
    assert 0.5 < seconds(await audio_of(tts, "Yes, of course.")) < 3


async def test_cancelling_who_listens_stops_the_voice(tts: ThreadedTTS) -> None:
    listening = asyncio.create_task(audio_of(tts, STORY))
    await asyncio.sleep(0.01)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    assert await audio_of(tts, "Yes.")


async def test_many_speak_at_once(tts: ThreadedTTS) -> None:
    texts = [f"This is reply number {number}." for number in ("one", "two", "three", "four", "five", "six")]
    together = await asyncio.gather(*(audio_of(tts, text) for text in texts))
    for text, parts in zip(texts, together, strict=True):
        assert seconds(parts) == pytest.approx(seconds(await audio_of(tts, text)), abs=0.1)
        assert timings(parts)[-1].text_end == len(text)


async def test_a_long_text_is_heard_at_once(tts: ThreadedTTS) -> None:
    await audio_of(tts, "Warm up.")
    started = asyncio.get_running_loop().time()
    async with aclosing(tts.synthesize(pieces(STORY))) as stream:
        await anext(stream)
        assert asyncio.get_running_loop().time() - started < 0.3


async def test_a_closed_voice_says_so(tts: ThreadedTTS) -> None:
    async with aclosing(tts.synthesize(pieces(STORY, STORY))) as stream:
        await anext(stream)
        await tts.aclose()
        with pytest.raises(APIError, match="the voice is closed"):
            [audio async for audio in stream]
    with pytest.raises(APIError, match="the voice is closed") as raised:
        await audio_of(tts, "Hello.")
    assert not raised.value.retryable
    await tts.aclose()


async def test_texts_that_wait_when_the_voice_is_closed_fail_too(tts: ThreadedTTS) -> None:
    waiting = [asyncio.create_task(audio_of(tts, STORY, STORY, STORY)) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await tts.aclose()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [APIError] * 5


@needs_flite
async def test_flite_repeats_itself_to_the_bit() -> None:
    tts = FliteTTS(voice="kal16")
    assert await audio_of(tts, "Good evening.") == await audio_of(tts, "Good evening.")
    await tts.aclose()


@needs_flite
@pytest.mark.parametrize("voice", VOICES)
async def test_every_voice_of_flite_speaks(voice: str) -> None:
    tts = FliteTTS(voice=voice)
    parts = await audio_of(tts, "Hi.")
    assert seconds(parts) > 0.2
    assert timings(parts)[-1].text_end == 3
    await tts.aclose()


@needs_espeak
async def test_espeak_speaks_the_voice_speed_and_pitch_of_each_object() -> None:
    slow, fast = EspeakTTS(voice="de", words_per_minute=90), EspeakTTS(words_per_minute=350, pitch=80)
    text = "Good evening, this is the front desk."
    durations = [seconds(await audio_of(tts, text)) for tts in (slow, fast, slow, fast)]
    assert durations[0] == pytest.approx(durations[2], rel=0.1)
    assert durations[1] == pytest.approx(durations[3], rel=0.1)
    assert durations[0] > 2 * durations[1]
    await slow.aclose()
    await fast.aclose()


@needs_espeak
async def test_an_unknown_voice_of_espeak_fails_with_examples() -> None:
    tts = EspeakTTS(voice="nonsense")
    with pytest.raises(APIError, match=r"no voice 'nonsense'.*en-us") as raised:
        await audio_of(tts, "Hello.")
    assert not raised.value.retryable
    await tts.aclose()


@pytest.mark.parametrize(
    "make",
    [
        lambda: FliteTTS(voice="kal"),
        pytest.param(lambda: FliteTTS(threads=0), marks=needs_flite),
        lambda: EspeakTTS(words_per_minute=20),
        lambda: EspeakTTS(pitch=100),
    ],
)
def test_options_out_of_range_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(OptionError):
        make()


async def test_an_unclosed_voice_is_reported(tts: ThreadedTTS) -> None:
    other = FliteTTS() if isinstance(tts, FliteTTS) else EspeakTTS()
    await audio_of(other, "Yes.")
    with pytest.warns(ResourceWarning, match="unclosed <"):  # noqa: PT031
        del other
        gc.collect()


class BrokenTTS(ThreadedTTS):
    """An engine that fails after its first sound."""

    label = "broken"
    sample_rate = 16000

    def _speak(self, text: str, emit: Emit) -> None:
        emit(Spoken(bytes(3200)))
        raise ValueError(text)


async def test_what_an_engine_raises_reaches_who_listens() -> None:
    tts = BrokenTTS(threads=1)
    for _ in range(2):
        with pytest.raises(APIError, match="the voice failed: ValueError") as raised:
            await audio_of(tts, "Hello.")
        assert isinstance(raised.value.__cause__, ValueError)
    await tts.aclose()


def test_threads_start_with_the_first_word() -> None:
    before = threading.active_count()
    tts = BrokenTTS(threads=3)
    assert threading.active_count() == before
    asyncio.run(tts.aclose())


def test_a_voice_that_nobody_hears_does_not_mind_a_closed_loop() -> None:
    tts = BrokenTTS(threads=1)

    async def leave() -> None:
        with pytest.raises(APIError):
            await audio_of(tts, "Hello.")

    asyncio.run(leave())
    asyncio.run(leave())
    asyncio.run(tts.aclose())


def test_frames_are_of_one_length_but_for_the_last() -> None:
    frames = Frames(16000, 0)
    lengths: list[int] = []
    for samples in (100, 5000, 1, 640):
        spoken = Spoken(bytes(2 * samples))
        lengths += [audio.frame.samples_per_channel for audio in frames.push(spoken)]
    lengths += [audio.frame.samples_per_channel for audio in frames.rest()]
    assert sum(lengths) == 5741 == frames.end
    assert set(lengths[:-1]) == {640}
    assert 320 <= lengths[-1] < 960


@pytest.mark.parametrize(
    "flite, espeak, expected",
    [
        pytest.param(True, True, ("<FliteTTS slt>", "<FliteTTS rms>"), marks=needs_flite),
        pytest.param(False, True, ("<EspeakTTS en-us+f3>", "<EspeakTTS en-us+klatt4>"), marks=needs_espeak),
    ],
)
async def test_the_default_is_the_best_voice_installed(
    monkeypatch: pytest.MonkeyPatch, flite: bool, espeak: bool, expected: tuple[str, str]
) -> None:
    monkeypatch.setattr(tts_module, "flite_installed", lambda: flite)
    monkeypatch.setattr(tts_module, "espeak_installed", lambda: espeak)
    voices = default_tts("agent"), default_tts("caller")
    assert tuple(map(repr, voices)) == expected
    for voice in voices:
        await voice.aclose()


def test_without_any_voice_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tts_module, "flite_installed", lambda: False)
    monkeypatch.setattr(tts_module, "espeak_installed", lambda: False)
    with pytest.raises(MissingDependencyError, match=r"apt install flite.*sessionactors\[offline-tts-gpl\]"):
        default_tts()


def test_a_missing_engine_is_named_when_its_voice_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_there(name: str, mode: int) -> object:
        raise OSError(name)

    monkeypatch.setattr(flite_module, "_voices", {})
    monkeypatch.setattr(flite_module, "_libraries", {})
    monkeypatch.setattr("ctypes.CDLL", not_there)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not flite_module.flite_installed()
    with pytest.raises(MissingDependencyError, match=r"libflite\.so\.1"):
        FliteTTS()
    with pytest.raises(MissingDependencyError, match="offline-tts-gpl"):
        EspeakTTS()
