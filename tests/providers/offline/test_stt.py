"""The recogniser as a session sees it, with its real process."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import signal
import stat
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from sessionactors.interfaces.stt import SpeechEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError, APIError, APITimeoutError, AudioFormatError, OptionError
from sessionactors.model.sentinel import FLUSH, FlushSentinel
from sessionactors.providers.offline.errors import MissingPronunciationError
from sessionactors.providers.offline.front_desk import FRONT_DESK
from sessionactors.providers.offline.intents import Intent, IntentTable
from sessionactors.providers.offline.stt import PocketSphinxSTT

from tests.providers.offline.speech import (
    Stream,
    as_audio,
    finals,
    heard,
    in_frames,
    noise,
    silence,
    spoken,
    utterances,
)

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("pocketsphinx") is None, reason="pocketsphinx is not installed"),
    pytest.mark.usefixtures("voice"),
]

INTERIM, FINAL = SpeechEventType.INTERIM_TRANSCRIPT, SpeechEventType.FINAL_TRANSCRIPT


@pytest.fixture
async def stt() -> AsyncIterator[PocketSphinxSTT]:
    """A recogniser of its own, for tests that harm it."""
    recogniser = PocketSphinxSTT(FRONT_DESK, response_timeout=1.0)
    yield recogniser
    await recogniser.aclose()


def pid_of(stt: PocketSphinxSTT) -> int:
    (worker,) = (worker for worker in stt._grammar_workers if worker.usable)
    assert worker.pid is not None
    return worker.pid


class Microphone(Stream[AudioFrame | FlushSentinel]):
    """Audio that the test hands out; it does not end by itself."""

    def __init__(self) -> None:
        super().__init__(())
        self._queue: asyncio.Queue[AudioFrame | FlushSentinel] = asyncio.Queue()

    def hears(self, *parts: bytes | FlushSentinel) -> None:
        for part in parts:
            for item in (part,) if isinstance(part, FlushSentinel) else in_frames(part):
                self._queue.put_nowait(item)

    async def __anext__(self) -> AudioFrame | FlushSentinel:
        return await self._queue.get()


async def test_a_phrase_is_heard_growing_and_then_complete(front_desk_stt: PocketSphinxSTT) -> None:
    sentence = "i would like a table for two at seven thirty"
    events = await heard(front_desk_stt, utterances(sentence))
    interims = [event for event in events if event.type is INTERIM]
    assert len(interims) >= 5
    assert interims[0].complete is False
    final = next(event for event in events if event.type is FINAL)
    assert (final.text, final.complete, final.language) == (sentence, True, "en")
    assert final.confidence is not None
    assert 0.5 < final.confidence <= 1.0


async def test_an_interim_says_that_the_phrase_is_complete_before_the_flush(front_desk_stt: PocketSphinxSTT) -> None:
    microphone = Microphone()
    microphone.hears(silence(0.5), spoken("when do you close"), silence(0.3))
    async with aclosing(front_desk_stt.transcribe(microphone)) as events:
        async for event in events:
            assert event.type is INTERIM
            if event.complete:
                assert event.text == "when do you close"
                break


async def test_each_flush_ends_one_utterance(front_desk_stt: PocketSphinxSTT) -> None:
    sentences = ["when do you open", "what is for dinner", "many thanks"]
    assert finals(await heard(front_desk_stt, utterances(*sentences))) == sentences


async def test_every_flush_is_answered_even_when_nothing_was_said(front_desk_stt: PocketSphinxSTT) -> None:
    events = await heard(front_desk_stt, [silence(1.0), FLUSH, FLUSH, noise(1.0, rms=30), FLUSH])
    assert [(event.type, event.text, event.confidence) for event in events] == [(FINAL, "", None)] * 4


async def test_the_end_of_the_audio_finalises_too(front_desk_stt: PocketSphinxSTT) -> None:
    assert finals(await heard(front_desk_stt, [silence(0.3), spoken("bye bye")])) == ["bye bye"]


async def test_audio_can_be_one_large_frame_or_many_small_ones(front_desk_stt: PocketSphinxSTT) -> None:
    pcm = silence(0.5) + spoken("when do you close") + silence(0.3)
    for frames in ([AudioFrame(pcm, 16000)], list(in_frames(pcm, 1)), [AudioFrame(b"", 16000), *in_frames(pcm, 100)]):
        async with aclosing(front_desk_stt.transcribe(Stream(frames))) as events:
            assert finals([event async for event in events]) == ["when do you close"]


async def test_speech_that_is_no_phrase_is_rejected(front_desk_stt: PocketSphinxSTT) -> None:
    events = await heard(front_desk_stt, utterances("my brother plays football every sunday with old friends"))
    assert finals(events) == []
    assert events[-2].type is FINAL


async def test_a_pause_inside_a_phrase_does_not_lose_it(front_desk_stt: PocketSphinxSTT) -> None:
    events = await heard(front_desk_stt, utterances("book a table for", "two at seven thirty please"))
    assert " ".join(finals(events)) == "book a table for two at seven thirty please"
    assert [event.complete for event in events if event.type is FINAL and event.text] == [False, True]


async def test_many_callers_are_heard_at_once_each_for_themselves(front_desk_stt: PocketSphinxSTT) -> None:
    sentences = ["when do you open", "when do you close", "what is for dinner", "give me directions"] * 3
    together = await asyncio.gather(*(heard(front_desk_stt, utterances(sentence)) for sentence in sentences))
    assert [finals(events) for events in together] == [[sentence] for sentence in sentences]


def test_one_recogniser_serves_loops_in_several_threads(front_desk_stt: PocketSphinxSTT) -> None:
    parts = utterances("when do you close")

    async def on_two_loops() -> list[list[str]]:
        return await asyncio.gather(
            *(asyncio.to_thread(lambda: finals(asyncio.run(heard(front_desk_stt, parts)))) for _ in range(2))
        )

    assert asyncio.run(on_two_loops()) == [["when do you close"]] * 2


def test_it_works_on_uvloop(front_desk_stt: PocketSphinxSTT) -> None:
    uvloop = pytest.importorskip("uvloop")
    parts = utterances("when do you close")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert finals(runner.run(heard(front_desk_stt, parts))) == ["when do you close"]


async def test_closing_a_stream_in_the_middle_leaves_nothing_open(front_desk_stt: PocketSphinxSTT) -> None:
    microphone = Microphone()
    microphone.hears(silence(0.3), spoken("tell me about the menu"))
    async with aclosing(front_desk_stt.transcribe(microphone)) as events:
        await anext(events)
    (worker,) = front_desk_stt._grammar_workers
    assert worker.streams == 0
    assert finals(await heard(front_desk_stt, utterances("many thanks"))) == ["many thanks"]


async def test_what_the_audio_raises_reaches_who_listens(front_desk_stt: PocketSphinxSTT) -> None:
    class Broken(Stream[AudioFrame | FlushSentinel]):
        async def __anext__(self) -> AudioFrame | FlushSentinel:
            raise OSError("microphone unplugged")

    with pytest.raises(OSError, match="unplugged"):
        [event async for event in front_desk_stt.transcribe(Broken(()))]


@pytest.mark.parametrize("frame", [AudioFrame(bytes(960), 24000), AudioFrame(bytes(1280), 16000, 2)], ids=str)
async def test_other_formats_are_refused(front_desk_stt: PocketSphinxSTT, frame: AudioFrame) -> None:
    with pytest.raises(AudioFormatError, match="16000 Hz mono"):
        [event async for event in front_desk_stt.transcribe(Stream([frame]))]


@pytest.mark.parametrize("language, known", [("en", True), ("en-GB", True), ("en_US", True), ("de", False)])
async def test_only_english_is_known(front_desk_stt: PocketSphinxSTT, language: str, known: bool) -> None:
    stream = front_desk_stt.transcribe(as_audio([]), language=language)
    if known:
        assert [event.text async for event in stream] == [""]
    else:
        with pytest.raises(APIError, match="English only") as raised:
            [event async for event in stream]
        assert not raised.value.retryable


async def test_a_dead_process_fails_its_streams_and_the_next_stream_gets_a_new_one(stt: PocketSphinxSTT) -> None:
    microphone, other = Microphone(), Microphone()
    microphone.hears(silence(0.3), spoken("tell me about the menu"))
    async with aclosing(stt.transcribe(microphone)) as events, aclosing(stt.transcribe(other)) as silent:
        await anext(events)
        waiting = asyncio.ensure_future(anext(silent))
        await asyncio.sleep(0.05)
        first = pid_of(stt)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(APIConnectionError, match="exit status -9") as raised:
            [event async for event in events]
        assert raised.value.retryable
        with pytest.raises(APIConnectionError, match="exit status -9"):
            await waiting
    assert finals(await heard(stt, utterances("many thanks"))) == ["many thanks"]
    assert pid_of(stt) != first


async def test_a_process_that_does_not_answer_is_killed_in_time(stt: PocketSphinxSTT) -> None:
    await stt.prewarm()
    frozen = pid_of(stt)
    os.kill(frozen, signal.SIGSTOP)
    with pytest.raises(APITimeoutError, match="did not answer within 1 s"):
        await heard(stt, [silence(0.1), FLUSH])
    assert finals(await heard(stt, utterances("many thanks"))) == ["many thanks"]
    assert pid_of(stt) != frozen


async def test_a_process_that_takes_no_audio_is_killed_in_time(stt: PocketSphinxSTT) -> None:
    await stt.prewarm()
    os.kill(pid_of(stt), signal.SIGSTOP)
    microphone = Microphone()
    microphone.hears(silence(30.0))
    with pytest.raises(APITimeoutError, match="did not take audio within 1 s"):
        [event async for event in stt.transcribe(microphone)]


async def test_a_process_that_is_too_slow_to_start_is_killed_in_time(tmp_path: Path) -> None:
    sleeper = tmp_path / "python"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(sleeper.stat().st_mode | stat.S_IXUSR)
    stt = PocketSphinxSTT(FRONT_DESK, start_timeout=0.2, python=str(sleeper))
    with pytest.raises(APITimeoutError, match=r"not ready within 0.2 s"):
        await heard(stt, [silence(0.1)])
    await stt.aclose()


@pytest.mark.parametrize("python, complaint", [("/no/such/python", "could not be started"), ("/bin/false", "is gone")])
async def test_a_process_that_can_not_start_says_why(python: str, complaint: str) -> None:
    stt = PocketSphinxSTT(FRONT_DESK, python=python)
    for _ in range(2):
        with pytest.raises(APIConnectionError, match=complaint):
            await stt.prewarm()
    await stt.aclose()


async def test_a_word_without_pronunciation_is_named_and_not_tried_again() -> None:
    stt = PocketSphinxSTT(IntentTable((Intent("a", ("say xyzzyx please",), ""),)))
    with pytest.raises(APIError, match="no pronunciation for 'xyzzyx'") as raised:
        await stt.prewarm()
    assert not raised.value.retryable
    assert isinstance(raised.value.__cause__, MissingPronunciationError)
    await stt.aclose()


async def test_a_given_pronunciation_is_heard() -> None:
    table = IntentTable(
        (Intent("a", ("open the doora",), ""), Intent("b", ("close the window",), "")),
        pronunciations={"doora": "D AO R"},
    )
    stt = PocketSphinxSTT(table)
    assert finals(await heard(stt, utterances("open the door"))) == ["open the doora"]
    await stt.aclose()


async def test_files_in_the_working_directory_do_not_replace_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "struct.py").write_text("raise RuntimeError('a file of the user')")
    monkeypatch.chdir(tmp_path)
    stt = PocketSphinxSTT(FRONT_DESK)
    await stt.prewarm()
    await stt.aclose()


async def test_streams_are_spread_over_processes() -> None:
    stt = PocketSphinxSTT(FRONT_DESK, processes=2)
    sentences = ["when do you open", "when do you close", "what is for dinner", "many thanks"]
    together = await asyncio.gather(*(heard(stt, utterances(sentence)) for sentence in sentences))
    assert [finals(events) for events in together] == [[sentence] for sentence in sentences]
    assert len(stt._grammar_workers) == 2
    await stt.aclose()


async def test_free_form_gives_a_second_opinion_on_what_is_no_phrase() -> None:
    stt = PocketSphinxSTT(FRONT_DESK, free_form=True)
    await stt.prewarm()
    sentences = ["what is the weather like", "when do you close"]
    events = [event for event in await heard(stt, utterances(*sentences)) if event.type is FINAL and event.text]
    assert len(events) == 2
    assert "weather" in events[0].text
    assert (events[0].confidence, events[0].complete) == (None, None)
    assert (events[1].text, events[1].complete) == ("when do you close", True)
    await stt.aclose()


async def test_closing_ends_open_streams_and_is_safe_twice(stt: PocketSphinxSTT) -> None:
    async with aclosing(stt.transcribe(Microphone())) as events:
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.05)
        await stt.prewarm()
        await asyncio.sleep(0.05)
        await stt.aclose()
        with pytest.raises(APIConnectionError, match="was closed"):
            await waiting
    await stt.aclose()
    with pytest.raises(APIError, match="is closed") as raised:
        await stt.prewarm()
    assert not raised.value.retryable


async def test_a_frozen_process_does_not_keep_us_from_closing(stt: PocketSphinxSTT) -> None:
    await stt.prewarm()
    os.kill(pid_of(stt), signal.SIGSTOP)
    async with asyncio.timeout(3):
        await stt.aclose()


async def test_closing_while_it_starts_leaves_nothing(stt: PocketSphinxSTT) -> None:
    starting = asyncio.create_task(stt.prewarm())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await stt.aclose()
    with pytest.raises(APIConnectionError, match="was closed"):
        await starting


async def test_opening_and_closing_leaves_no_descriptor_behind() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    before = descriptors()
    for _ in range(3):
        stt = PocketSphinxSTT(FRONT_DESK)
        await stt.prewarm()
        await stt.aclose()
    assert descriptors() <= before


async def test_an_unclosed_recogniser_is_reported_and_ends() -> None:
    stt = PocketSphinxSTT(FRONT_DESK)
    await stt.prewarm()
    with pytest.warns(ResourceWarning, match="unclosed <PocketSphinxSTT"):  # noqa: PT031
        del stt
        gc.collect()


@pytest.mark.parametrize("options", [{"processes": 0}, {"start_timeout": 0.0}, {"max_utterance": -1.0}], ids=str)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        PocketSphinxSTT(FRONT_DESK, **options)  # type: ignore[arg-type]
    gc.collect()  # a half-made object complains about nothing
