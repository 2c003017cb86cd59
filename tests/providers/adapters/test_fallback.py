"""Fallback adapters: order, cool-down, events, one budget, one sample rate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar, cast

import pytest

from sessionactors import Agent
from sessionactors.interfaces import llm as llm_port
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.stt import SpeechEvent, SpeechEventType
from sessionactors.interfaces.tts import TTS, SynthesizedAudio
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, OptionError, ProviderReplaced
from sessionactors.model.options import APIConnectOptions, SessionConnectOptions
from sessionactors.model.sentinel import FLUSH, FlushSentinel
from sessionactors.providers.adapters import AvailabilityChangedEvent, llm, stt, tts
from sessionactors.testing import MarkedVoice, Scenario, ScriptedLLM, ScriptedReply, ScriptedTTS
from sessionactors.testing.scripted_tts import ScriptedVoice
from sessionactors.testing.virtual_loop import run

from tests.conformance.fake_stt import RATE, FakeSTT, marked
from tests.conformance.fake_vad import FakeVAD
from tests.failover.faulty import FaultyLLM, FaultyTTS
from tests.session.talks import keeper

T = TypeVar("T")
DEAD = APIConnectionError("dead")


def virtually(main: Callable[[], Coroutine[object, object, T]]) -> T:
    return run(main)


async def answer_of(model: LLM) -> str:
    async with model.chat(chat_ctx=ChatContext()) as chunks:
        return "".join([chunk.content async for chunk in chunks])


class Pieces(AsyncIterator[str]):
    def __init__(self, *pieces: str) -> None:
        self._pieces = iter(pieces)

    async def __anext__(self) -> str:
        await asyncio.sleep(0)
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration


async def spoken_by(voice: TTS, *pieces: str) -> list[SynthesizedAudio]:
    return [audio async for audio in voice.synthesize(Pieces(*pieces))]


def test_one_that_failed_rests_and_is_asked_again_when_its_cooldown_is_over() -> None:
    first = ScriptedLLM([ScriptedReply(error=DEAD), ScriptedReply(error=DEAD), "first"])
    second = ScriptedLLM(otherwise=ScriptedReply("second"))
    adapter = llm.FallbackAdapter([first, second], cooldown=10.0)
    told: list[AvailabilityChangedEvent[LLM]] = []
    adapter.on("llm_availability_changed", told.append)

    async def calls() -> list[str]:
        answers = []
        for wait in (0.0, 5.0, 6.0, 15.0, 6.0):  # it rests for 10 s, and then, having failed again, for 20
            await asyncio.sleep(wait)
            answers.append(await answer_of(adapter))
        return answers

    assert virtually(calls) == ["second", "second", "second", "second", "first"]
    assert len(first.requests) == 3
    assert [(event.provider, event.available) for event in told] == [(first, False), (first, True)]
    assert told[0].error is DEAD
    assert (adapter.model, adapter.label) == ("scripted", "FallbackAdapter(scripted.LLM)")


def test_when_all_rest_all_are_asked() -> None:
    first = ScriptedLLM([ScriptedReply(error=DEAD)], otherwise=ScriptedReply("first"))
    second = ScriptedLLM(otherwise=ScriptedReply(error=DEAD))
    adapter = llm.FallbackAdapter([first, second])

    async def calls() -> str:
        with pytest.raises(APIError, match=r"all 2 providers failed: scripted\.LLM: dead; scripted\.LLM: dead"):
            await answer_of(adapter)
        return await answer_of(adapter)

    assert virtually(calls) == "first"


def test_each_gets_its_retries_unless_asking_again_is_in_vain() -> None:
    refused = ScriptedLLM(otherwise=ScriptedReply(error=APIStatusError("no", status_code=401)))
    busy = ScriptedLLM([ScriptedReply(error=DEAD)] * 2, otherwise=ScriptedReply("third time"))
    adapter = llm.FallbackAdapter([refused, busy], max_retry_per_llm=2)
    assert virtually(lambda: answer_of(adapter)) == "third time"
    assert (len(refused.requests), len(busy.requests)) == (1, 3)


@pytest.mark.parametrize("fault", ["dead", "empty success"])
def test_p13_retries_of_adapter_and_session_do_not_multiply(fault: str) -> None:
    models = [FaultyLLM("a", fault), FaultyLLM("b", fault)]
    patient = SessionConnectOptions(llm_conn_options=APIConnectOptions(max_retry=5, retry_interval=0.1, timeout=1.0))
    scenario = Scenario(
        keeper(), audio=False, llm=llm.FallbackAdapter(models, max_retry_per_llm=1), conn_options=patient
    )
    scenario.user_types("Hello?", at=0.5)
    outcome = scenario.play()
    assert [model.asked for model in models] == [2, 2]
    assert [event.recoverable for event in outcome.errors] == [False]


class OwnNode(Agent):
    """Overrides the node only to pass on what the stock one says."""

    async def llm_node(
        self, chat_ctx: ChatContext, tools: Any, model_settings: Any
    ) -> AsyncIterator[llm_port.ChatChunk | str]:
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            yield chunk


def test_p13_an_own_llm_node_keeps_the_budget_of_the_adapter() -> None:
    models = [FaultyLLM("a", "hung"), FaultyLLM("b", "dead")]
    impatient = SessionConnectOptions(llm_conn_options=APIConnectOptions(max_retry=5, retry_interval=0.1, timeout=1.0))
    adapter = llm.FallbackAdapter(models, attempt_timeout=3.0)
    scenario = Scenario(OwnNode(instructions="Be kind."), audio=False, llm=adapter, conn_options=impatient)
    scenario.user_types("Hello?", at=0.5)
    outcome = scenario.play()
    assert [model.asked for model in models] == [1, 1]
    assert [event.recoverable for event in outcome.errors] == [False]


def test_p13_the_session_waits_for_the_attempts_of_an_adapter_and_no_longer() -> None:
    models = [FaultyLLM("a", "hung"), FaultyLLM("b", "hung"), FaultyLLM("c")]
    impatient = SessionConnectOptions(llm_conn_options=APIConnectOptions(timeout=1.0))
    adapter = llm.FallbackAdapter(models, attempt_timeout=4.0)
    scenario = Scenario(keeper(), audio=False, llm=adapter, conn_options=impatient)
    scenario.user_types("Hello?", at=0.5)
    outcome = scenario.play()
    assert outcome.agent_became("speaking")[0] == pytest.approx(0.5 + 8.0, abs=0.3)
    assert adapter.answers_within == 13.0


def test_a_voice_adapter_that_failed_with_all_is_not_asked_again_by_the_session() -> None:
    voice = MarkedVoice()
    voices = [FaultyTTS("a", voice, "dead"), FaultyTTS("b", voice, "empty success")]
    adapter = tts.FallbackAdapter(voices, max_retry_per_tts=1)
    scenario = Scenario(keeper(), without=("stt", "vad"), tts=adapter)
    scenario.call(0.5, lambda session: session.say("Hello there."))
    outcome = scenario.play()
    assert [voice.asked for voice in voices] == [2, 2]
    assert len([event for event in outcome.errors if not event.recoverable]) == 1


def test_voices_of_different_rates_sound_at_the_highest() -> None:
    low = ScriptedTTS(sample_rate=8000, script=[ScriptedVoice()] * 2)
    high = ScriptedTTS(sample_rate=24000)
    adapter = tts.FallbackAdapter([low, high])
    assert (adapter.sample_rate, adapter.aligned_transcript) == (24000, True)
    audio = virtually(lambda: spoken_by(adapter, "Good morning, ", "Peter."))
    assert {(part.frame.sample_rate, part.frame.num_channels) for part in audio} == {(24000, 1)}
    assert sum(part.frame.duration for part in audio) == pytest.approx(20 * 0.06, abs=0.02)
    assert [timing.text_end for part in audio for timing in part.timings][-1] == 20


def test_markers_are_those_that_all_voices_know() -> None:
    class Steered(ScriptedTTS):
        markup = cast("Any", "markers of the vendor")

    assert tts.FallbackAdapter([Steered(), Steered()]).markup == Steered.markup
    assert tts.FallbackAdapter([Steered(), ScriptedTTS()]).markup is None
    assert tts.StreamAdapter(tts=Steered()).markup == Steered.markup


def test_the_next_voice_speaks_the_text_from_its_beginning() -> None:
    dead = ScriptedTTS(script=[ScriptedVoice(0.0, DEAD)])
    good = ScriptedTTS()
    adapter = tts.FallbackAdapter([dead, good], max_retry_per_tts=0)
    virtually(lambda: spoken_by(adapter, "One. ", "Two."))
    assert good.syntheses[0].text == "One. Two."


def test_a_voice_that_broke_off_is_not_followed_within_the_synthesis() -> None:
    breaks = ScriptedTTS(script=[ScriptedVoice(0.5, DEAD)])
    good = ScriptedTTS()
    adapter = tts.FallbackAdapter([breaks, good])
    with pytest.raises(APIConnectionError, match="dead"):
        virtually(lambda: spoken_by(adapter, "One two three four. "))
    assert not good.syntheses


def test_time_in_which_a_voice_waits_for_text_is_not_its_own() -> None:
    class Slow(Pieces):
        async def __anext__(self) -> str:
            await asyncio.sleep(20.0)
            return await super().__anext__()

    adapter = tts.FallbackAdapter([ScriptedTTS()], attempt_timeout=2.0)

    async def slowly() -> list[SynthesizedAudio]:
        return [audio async for audio in adapter.synthesize(Slow("One. ", "Two."))]

    assert sum(part.frame.duration for part in virtually(slowly)) == pytest.approx(9 * 0.06)


class Line(AsyncIterator[AudioFrame | FlushSentinel]):
    """Utterances in 20 ms frames, each with a flush behind it; then it stays open."""

    def __init__(self, *texts: str) -> None:
        self._items: list[AudioFrame | FlushSentinel] = []
        for text in texts:
            rest = marked(text).audio
            while rest.data:
                frame, rest = rest.split(320)
                self._items.append(frame)
            self._items.append(FLUSH)

    async def __anext__(self) -> AudioFrame | FlushSentinel:
        await asyncio.sleep(0.02)
        return self._items.pop(0) if self._items else AudioFrame(bytes(640), RATE)


class Deaf(FakeSTT):
    """Reads on and says nothing."""

    async def transcribe(self, audio: Any, *, language: str | None = None) -> AsyncIterator[SpeechEvent]:
        async for _ in audio:
            pass
        yield SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT)


async def first_event(adapter: stt.FallbackAdapter | stt.StreamAdapter, line: Line) -> SpeechEvent:
    events = adapter.transcribe(line)
    try:
        return await anext(events)
    finally:
        await events.aclose()


def test_a_recogniser_that_says_nothing_about_three_utterances_is_taken_for_hung() -> None:
    adapter = stt.FallbackAdapter([Deaf(), FakeSTT()], attempt_timeout=2.0, max_retry_per_stt=0)

    async def three() -> float:
        with pytest.raises(ProviderReplaced, match="another recogniser takes its place"):
            await first_event(adapter, Line("one two", "three four", "five six"))
        return asyncio.get_running_loop().time()

    assert 2.0 < virtually(three) < 5.0

    async def two() -> None:
        again = stt.FallbackAdapter([Deaf(), FakeSTT()], attempt_timeout=2.0, max_retry_per_stt=0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30.0):
                await first_event(again, Line("one two", "three four"))

    virtually(two)


def test_an_adapter_can_do_what_all_of_its_recognisers_can() -> None:
    class Plain(FakeSTT):
        @property
        def capabilities(self) -> Any:
            return super().capabilities.__class__(interim_results=False)

    both = stt.FallbackAdapter([FakeSTT(), Plain()]).capabilities
    assert (both.interim_results, both.aligned_transcript, both.end_of_speech) == (False, None, False)
    alone = stt.FallbackAdapter([FakeSTT()]).capabilities
    assert (alone.interim_results, alone.aligned_transcript, alone.end_of_speech) == (True, "word", True)


class Batch(FakeSTT):
    @property
    def capabilities(self) -> Any:
        return super().capabilities.__class__(streaming=False, interim_results=False)


def test_a_recogniser_that_cannot_stream_needs_a_detector() -> None:
    with pytest.raises(OptionError, match=r"fake\.STT cannot stream: give the FallbackAdapter a vad"):
        stt.FallbackAdapter([Batch()])
    adapter = stt.FallbackAdapter([Batch()], vad=FakeVAD())
    assert virtually(lambda: first_event(adapter, Line("one two three"))).type is SpeechEventType.START_OF_SPEECH


def test_utterances_have_times_of_the_whole_audio() -> None:
    adapter = stt.StreamAdapter(stt=Batch(), vad=FakeVAD())
    finals: list[SpeechEvent] = []

    async def listen() -> None:
        line = Line("one two three four five", "six seven eight nine ten")
        async with aclosing(adapter.transcribe(line)) as events:
            async for event in events:
                if event.type is SpeechEventType.FINAL_TRANSCRIPT:
                    finals.append(event)
                if len(finals) == 2:
                    return

    virtually(listen)
    assert [event.text for event in finals] == ["one two three four five", "six seven eight nine ten"]
    starts = [event.words[0].start_time for event in finals]
    assert starts[0] is not None
    assert starts[1] is not None
    assert starts[1] - starts[0] > 0.5


def test_a_detector_that_fails_fails_the_stream() -> None:
    from sessionactors.testing.conformance import Fault

    adapter = stt.StreamAdapter(stt=Batch(), vad=FakeVAD(Fault.UNREACHABLE))
    with pytest.raises(APIConnectionError, match="nobody is there"):
        virtually(lambda: first_event(adapter, Line("one")))


class AtHome(FakeSTT):
    home = Home.USER


class Unclosable(ScriptedLLM):
    async def aclose(self) -> None:
        raise RuntimeError("stuck")


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: llm.FallbackAdapter([]), "needs at least one llm"),
        (lambda: llm.FallbackAdapter([ScriptedLLM()], attempt_timeout=0), "attempt_timeout must be > 0"),
        (lambda: llm.FallbackAdapter([ScriptedLLM()], max_retry_per_llm=-1), "max_retry_per_llm"),
        (lambda: llm.FallbackAdapter([ScriptedLLM()], retry_on_chunk_sent=True), "said twice"),
        (
            lambda: stt.FallbackAdapter([FakeSTT(), AtHome()]),
            r"must live on one loop: fake\.STT: actor, fake\.STT: user",
        ),
        (lambda: stt.StreamAdapter(stt=AtHome(), vad=FakeVAD()), "must live on one loop"),
        (
            lambda: llm.FallbackAdapter([ScriptedLLM()]).on("availability_changed", print),
            "there is 'llm_availability_changed'",
        ),
    ],
)
def test_what_cannot_be_is_told_at_once(make: Callable[[], object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        make()


def test_a_callback_that_fails_hurts_nobody() -> None:
    adapter = llm.FallbackAdapter([ScriptedLLM([ScriptedReply(error=DEAD)]), ScriptedLLM(["fine"])])

    def fails(event: object) -> None:
        raise ValueError(event)

    adapter.on("llm_availability_changed", fails)
    assert virtually(lambda: answer_of(adapter)) == "fine"


def test_all_are_closed_also_when_one_raises() -> None:
    other = Unclosable()
    with pytest.raises(ExceptionGroup, match="did not close") as raised:
        virtually(llm.FallbackAdapter([other, Unclosable(), ScriptedLLM()]).aclose)
    assert len(raised.value.exceptions) == 2


def test_a_voice_given_one_sentence_at_a_time_counts_on() -> None:
    voice = ScriptedTTS()
    audio = virtually(lambda: spoken_by(tts.StreamAdapter(tts=voice), "One two. ", "...", " Three."))
    assert [synthesis.text for synthesis in voice.syntheses] == ["One two. ", " Three."]
    ends = [(timing.text_end, round(timing.end_time, 2)) for part in audio for timing in part.timings]
    assert ends == [(3, 0.18), (8, 0.48), (19, round((9 + 7) * 0.06, 2))]
    with pytest.raises(APIError, match="gave no audio for 'One'"):
        virtually(lambda: spoken_by(tts.StreamAdapter(tts=ScriptedTTS(script=[ScriptedVoice(0.0)])), "One"))
