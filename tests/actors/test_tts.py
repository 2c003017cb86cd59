"""`tts`: the text of each segment is spoken once, within credit, through failures, hangs and restarts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from sessionactors.actors.synthesis_segment import TTSState
from sessionactors.actors.tts import TTSActor
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.tts import TTS, SynthesizedAudio, WordTiming
from sessionactors.messages.session import ComponentFailed, Recovered
from sessionactors.messages.tts import (
    AudioCredit,
    CancelSynthesis,
    EndOfText,
    SegmentAudio,
    SegmentAudioEnded,
    SpeakText,
    SynthesisFailed,
)
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError, APIError, APITimeoutError, SessionStateError
from sessionactors.runtime import Scope
from sessionactors.testing.scripted_tts import SAMPLE_RATE, ScriptedTTS, ScriptedVoice, spoken_in

from tests.actors.service_stage import PATIENT, SEEDS, Stage, virtually

SEGMENT = "speech-1/segment-1"
TEXT = "Hello! This is the first sentence of it. And here comes the second one. The third is the last of them."
LEAD = PATIENT.synthesis_lead
CHARACTER = 0.06
PLENTY = 1000.0
"""Seconds of credit."""


def on_stage(
    voice: Callable[[], TTS], body: Callable[[Stage, Any], Awaitable[None]], seeds: Sequence[int | None] = SEEDS
) -> None:
    """Run a test body on a stage with a voice, in every order."""
    for seed in seeds:

        async def main(seed: int | None = seed) -> None:
            made = voice()
            async with Stage(TTSActor, tts=made, seed=seed) as stage:
                await body(stage, made)
            assert all(synthesis.closed for synthesis in getattr(made, "syntheses", ()))

        virtually(main)


def speak(
    stage: Stage, text: str, scope: Scope, *, segment: str = SEGMENT, parts: int = 1, end: bool = True, behind: str = ""
) -> None:
    """Give a segment text, behind what it was given before."""
    size, at = max(1, len(text) // parts), len(behind)
    for start in range(0, len(text), size):
        stage.tell(SpeakText(segment, "speech-1", text[start : start + size], scope, at + start, stage.speech_ref))
    if end:
        stage.tell(EndOfText(segment, scope, at + len(text), stage.speech_ref))


def audio(stage: Stage, segment: str = SEGMENT) -> list[SegmentAudio]:
    return [message for message in stage.output.of(SegmentAudio) if message.segment == segment]


def heard(stage: Stage, segment: str = SEGMENT) -> str:
    return spoken_in(b"".join(message.frame.data for message in audio(stage, segment)))


def handed(stage: Stage, segment: str = SEGMENT) -> float:
    return sum(message.frame.samples_per_channel for message in audio(stage, segment)) / SAMPLE_RATE


def timings(stage: Stage) -> list[WordTiming]:
    return [timing for message in audio(stage) for timing in message.timings]


def state_of(stage: Stage) -> TTSState:
    state = stage.under_test.cell.state
    assert isinstance(state, TTSState)
    return state


async def play(stage: Stage, segment: str = SEGMENT, *, until: float = 60.0) -> None:
    """Play in real time what is handed over, and give credit as `output` does."""
    position = 0.0
    stage.tell(AudioCredit(segment, LEAD))
    for _ in range(round(until / 0.1)):
        await asyncio.sleep(0.1)
        position = min(position + 0.1, handed(stage, segment))
        stage.tell(AudioCredit(segment, position + LEAD))
        if stage.output.of(SegmentAudioEnded, SynthesisFailed):
            return


def test_a_text_is_spoken_whole_and_ends_once() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope(), parts=7)
        await play(stage)
        assert heard(stage) == TEXT
        assert stage.output.messages[-1] == SegmentAudioEnded(SEGMENT, stage.output.messages[-1].scope)
        assert len(stage.output.of(SegmentAudioEnded)) == 1
        (synthesis,) = voice.syntheses
        assert synthesis.text == TEXT
        assert len(synthesis.pieces) == 4
        snapshot = stage.inspect()
        assert snapshot.state["open"] == {}
        assert not snapshot.timers
        assert not snapshot.effects

    on_stage(ScriptedTTS, body)


def test_metrics_tell_the_first_audio_and_the_sums() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope())
        await play(stage)
        (metrics,) = stage.metrics()
        assert (metrics.label, metrics.segment_id, metrics.speech_id) == ("scripted.TTS", SEGMENT, "speech-1")
        assert metrics.ttfb == pytest.approx(0.21, abs=0.01)
        assert metrics.audio_duration == pytest.approx(len(TEXT) * CHARACTER)
        assert metrics.characters_count == len(TEXT)
        assert not metrics.cancelled

    on_stage(ScriptedTTS, body)


def test_word_timings_are_of_the_segments_own_text() -> None:
    original = "**Hello!** This is 😀 the _first_ sentence."

    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, original, stage.scope())
        await play(stage)
        assert heard(stage) == "Hello! This is  the first sentence."
        assert [original[: timing.text_end] for timing in timings(stage)] == [
            "**Hello!**",
            "**Hello!** This",
            "**Hello!** This is",
            "**Hello!** This is 😀 the",
            "**Hello!** This is 😀 the _first_",
            original,
        ]
        times = [timing.end_time for timing in timings(stage)]
        assert times == pytest.approx([end * CHARACTER for end in (6, 11, 14, 19, 25, 35)])

    on_stage(ScriptedTTS, body)


def test_the_voice_begins_before_the_text_is_complete() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        scope = stage.scope()
        stage.tell(AudioCredit(SEGMENT, PLENTY))
        speak(stage, "Hello! This is not ", scope, end=False)
        await asyncio.sleep(1)
        assert heard(stage) == "Hello! "
        speak(stage, "complete.", scope, behind="Hello! This is not ")
        await asyncio.sleep(5)
        assert heard(stage) == "Hello! This is not complete."

    on_stage(ScriptedTTS, body)


def test_a_text_with_nothing_to_say_ends_without_a_voice() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        scope = stage.scope()
        for number, text in enumerate(["", "  \n", "😀", "...", "** **"]):
            speak(stage, text, scope, segment=f"silent-{number}")
        await asyncio.sleep(1)
        assert [type(message) for message in stage.output.messages] == [SegmentAudioEnded] * 5
        assert voice.syntheses == []
        assert stage.metrics() == []

    on_stage(ScriptedTTS, body)


# -- credit ------------------------------------------------------------------------------------------------------------


def test_p15_without_credit_nothing_is_handed_over_and_little_is_held() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope())
        await asyncio.sleep(60)
        assert stage.output.messages == []
        assert voice.syntheses[0].seconds == pytest.approx(LEAD + 0.1, abs=0.1)  # one frame waits in the effect
        state: Any = stage.inspect().state["open"]
        assert state[SEGMENT] == {
            "phase": "waiting for credit",
            "attempts": 1,
            "held": LEAD,
            "handed": 0.0,
            "credit": 0.0,
        }
        assert not stage.inspect().timers  # no deadline while it is we who hold it up
        await play(stage)
        assert heard(stage) == TEXT

    on_stage(ScriptedTTS, body)


def test_p15_credit_is_used_to_the_sample_and_never_exceeded() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope())
        for seconds in (0.05, 0.05, 0.333, 1.0, 0.5, 2.77):
            stage.tell(AudioCredit(SEGMENT, seconds))
            await asyncio.sleep(2)
            allowed = max(0.05, seconds) if seconds != 0.5 else 1.0
            assert handed(stage) == pytest.approx(allowed, abs=1 / SAMPLE_RATE)
            assert handed(stage) <= allowed

    on_stage(ScriptedTTS, body)


def test_p15_credit_may_come_before_the_text() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        stage.tell(AudioCredit(SEGMENT, PLENTY))
        await stage.settle()
        speak(stage, TEXT, stage.scope())
        await asyncio.sleep(20)
        assert heard(stage) == TEXT

    on_stage(ScriptedTTS, body)


def test_credit_that_nobody_claims_is_bounded() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        for number in range(200):
            stage.tell(AudioCredit(f"segment-{number}", 1.0))
            await stage.settle()
        assert len(state_of(stage).early_credit) == 64

    on_stage(ScriptedTTS, body, seeds=(None,))


class OneBreath(TTS):
    """Yields all its audio in one frame."""

    sample_rate = SAMPLE_RATE
    aligned_transcript = True

    def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[SynthesizedAudio]:
        async def breath() -> AsyncIterator[SynthesizedAudio]:
            said = "".join([piece async for piece in text])
            pcm = b"".join(ord(character).to_bytes(2, "little") * 1440 for character in said)
            yield SynthesizedAudio(AudioFrame(pcm, SAMPLE_RATE), (WordTiming(len(said), len(said) * CHARACTER),))

        return breath()


def test_p15_a_frame_longer_than_the_credit_is_cut() -> None:
    async def body(stage: Stage, voice: OneBreath) -> None:
        speak(stage, TEXT, stage.scope())
        stage.tell(AudioCredit(SEGMENT, 1.0))
        await asyncio.sleep(1)
        assert handed(stage) == 1.0
        assert state_of(stage).segments[SEGMENT].audio.received == (1.0 + LEAD) * SAMPLE_RATE
        await play(stage)
        assert heard(stage) == TEXT
        assert [timing.text_end for timing in timings(stage)] == [len(TEXT)]

    on_stage(OneBreath, body)


# -- cancel ------------------------------------------------------------------------------------------------------------


def test_p01_nothing_comes_after_cancel() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope(), parts=4)
        stage.tell(AudioCredit(SEGMENT, PLENTY))
        await asyncio.sleep(0.3)
        stage.tell(CancelSynthesis(SEGMENT))
        await stage.settle()
        said = len(stage.output.messages)
        assert said
        stage.tell(AudioCredit(SEGMENT, 2 * PLENTY))
        speak(stage, " More of it.", stage.scope(), behind=TEXT)
        await asyncio.sleep(60)
        assert len(stage.output.messages) == said
        assert voice.syntheses[0].closed
        assert len(voice.syntheses) == 1
        assert stage.inspect().state["open"] == {}
        (metrics,) = stage.metrics()
        assert metrics.cancelled

    on_stage(ScriptedTTS, body)


def test_p01_cancel_that_overtakes_its_text_still_cancels_it() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        stage.tell(AudioCredit(SEGMENT, PLENTY))
        speak(stage, TEXT, stage.scope())
        stage.tell(CancelSynthesis(SEGMENT))
        await asyncio.sleep(60)
        assert stage.output.messages == []
        assert voice.syntheses == []

    on_stage(ScriptedTTS, body)


def test_p01_a_closed_scope_stops_the_voice_and_its_retries() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        scope = stage.scope()
        stage.tell(AudioCredit(SEGMENT, PLENTY))
        speak(stage, TEXT, scope)
        await asyncio.sleep(0.25)
        stage.close_scope(scope)
        await stage.settle()
        said = len(stage.output.messages)
        await asyncio.sleep(60)
        assert len(stage.output.messages) == said
        assert stage.inspect().state["open"] == {}
        assert stage.facts(ComponentFailed) == []

    on_stage(lambda: ScriptedTTS(script=[ScriptedVoice(after=0.5, error=APIConnectionError("broken"))]), body)
    on_stage(lambda: ScriptedTTS(script=[ScriptedVoice(after=0.5, hang=True)]), body)
    on_stage(lambda: ScriptedTTS(ttfb=3.0), body)


def test_segments_do_not_mix() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        scope = stage.scope()
        for name in ("a", "b"):
            stage.tell(AudioCredit(name, PLENTY))
            speak(stage, f"This is the text of {name}.", scope, segment=name)
        await asyncio.sleep(20)
        assert heard(stage, "a") == "This is the text of a."
        assert heard(stage, "b") == "This is the text of b."
        assert len(stage.output.of(SegmentAudioEnded)) == 2

    on_stage(ScriptedTTS, body)


# -- failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0.0, 0.05, 0.36, 0.5, 2.0, 3.0])
def test_p02_after_a_failure_it_goes_on_at_the_word(after: float) -> None:
    """Nothing is missing; what is heard twice is at most the part of one word that had been handed over."""

    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope())
        await play(stage)
        first, second = voice.syntheses
        assert TEXT.endswith(second.text)
        overlap = len(first.text[: round(first.seconds / CHARACTER)]) - (len(TEXT) - len(second.text))
        assert 0 <= overlap <= len(" sentence")
        said = heard(stage)
        assert said.startswith(TEXT[: len(TEXT) - len(second.text)])
        assert said.endswith(second.text)
        assert len(stage.output.of(SegmentAudioEnded)) == 1
        ends = [timing.text_end for timing in timings(stage)]
        assert ends == sorted(set(ends))
        assert ends[-1] == len(TEXT)
        assert timings(stage)[-1].end_time == pytest.approx(handed(stage), abs=1e-3)
        assert stage.facts(ComponentFailed) == []

    on_stage(lambda: ScriptedTTS(script=[ScriptedVoice(after=after, error=APIConnectionError("broken"))]), body)


def test_p02_a_part_of_a_word_that_was_only_held_is_not_heard_twice() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope())
        stage.tell(AudioCredit(SEGMENT, 0.1))
        await asyncio.sleep(5)
        stage.tell(AudioCredit(SEGMENT, PLENTY))
        await asyncio.sleep(20)
        assert len(voice.syntheses) == 2
        assert heard(stage) == TEXT

    on_stage(lambda: ScriptedTTS(script=[ScriptedVoice(after=1.0, error=APIConnectionError("broken"))]), body)


def test_a_voice_without_timings_that_gave_nothing_begins_again() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope())
        await play(stage)
        assert heard(stage) == TEXT
        assert len(voice.syntheses) == 3

    failing = [ScriptedVoice(after=0.0, error=APIConnectionError("refused")), ScriptedVoice(after=0.0)]
    on_stage(lambda: ScriptedTTS(word_timings=False, script=failing), body)


def test_a_voice_without_timings_goes_on_with_what_it_was_not_given() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        with capture_logs() as logs:
            speak(stage, TEXT, stage.scope())
            await play(stage)
        first, second = voice.syntheses
        assert first.text + second.text == TEXT
        assert heard(stage) == TEXT[: round(0.6 / CHARACTER)] + second.text
        assert [line["segment"] for line in logs if line["event"] == "text_perhaps_unspoken"] == [SEGMENT]
        assert len(stage.output.of(SegmentAudioEnded)) == 1

    failing = [ScriptedVoice(after=0.6, error=APIConnectionError("broken"))]
    on_stage(lambda: ScriptedTTS(word_timings=False, script=failing), body)


def test_a_cut_at_the_end_without_timings_is_no_success() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, "Only one sentence here.", stage.scope())
        await play(stage)
        (failed,) = stage.output.of(SynthesisFailed)
        assert isinstance(failed.error, APIConnectionError)
        assert stage.output.of(SegmentAudioEnded) == []
        assert handed(stage) == pytest.approx(0.6)
        assert [fact.component for fact in stage.facts(ComponentFailed)] == ["tts"]

    failing = [ScriptedVoice(after=0.6, error=APIConnectionError("broken"))]
    on_stage(lambda: ScriptedTTS(word_timings=False, script=failing), body)


def test_a_failure_after_the_last_word_is_none() -> None:
    text = "Only one sentence."

    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, text, stage.scope())
        await play(stage)
        assert heard(stage) == text
        assert len(stage.output.of(SegmentAudioEnded)) == 1
        assert stage.facts(ComponentFailed) == []

    class Clumsy(ScriptedTTS):
        async def _speak(self, given: AsyncIterable[str]) -> Any:
            async for piece in super()._speak(given):
                yield piece
            raise APIConnectionError("reset by peer")

    on_stage(Clumsy, body)


def test_the_retry_budget_is_the_sessions() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        scope = stage.scope()
        speak(stage, TEXT, scope)
        await play(stage)
        (failed,) = stage.output.of(SynthesisFailed)
        assert len(voice.syntheses) == 3
        assert [fact.error for fact in stage.facts(ComponentFailed)] == [failed.error]
        said = len(stage.output.messages)
        speak(stage, " More.", scope, behind=TEXT)  # text that was on its way
        await asyncio.sleep(30)
        assert len(stage.output.messages) == said
        speak(stage, TEXT, scope, segment="next")
        stage.tell(AudioCredit("next", PLENTY))
        await asyncio.sleep(30)
        assert heard(stage, "next") == TEXT
        assert [type(fact) for fact in stage.facts(ComponentFailed, Recovered)] == [ComponentFailed, Recovered]

    failing = [ScriptedVoice(after=0.0, error=APIConnectionError("refused"))] * 3
    on_stage(lambda: ScriptedTTS(script=failing), body)


@pytest.mark.parametrize("error", [ValueError("a bug"), SystemExit(1), asyncio.CancelledError()])
def test_what_a_second_try_would_not_heal_is_not_tried_again(error: BaseException) -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope())
        await play(stage)
        (failed,) = stage.output.of(SynthesisFailed)
        assert isinstance(failed.error, Exception)
        assert len(voice.syntheses) == 1

    on_stage(lambda: ScriptedTTS(script=[ScriptedVoice(after=0.0, error=error)]), body)


def test_p13_an_empty_success_is_a_failure() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope())
        await play(stage)
        (failed,) = stage.output.of(SynthesisFailed)
        assert isinstance(failed.error, APIError)
        assert "no audio" in str(failed.error)
        assert len(voice.syntheses) == 3

    on_stage(lambda: ScriptedTTS(script=[ScriptedVoice(after=0.0)] * 9), body)


@pytest.mark.parametrize("after", [0.0, 0.5])
def test_p13_a_voice_that_hangs_is_given_up_in_time_and_tried_again(after: float) -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope())
        with capture_logs() as logs:
            await play(stage)
        assert heard(stage).endswith(voice.syntheses[1].text)
        assert len(stage.output.of(SegmentAudioEnded)) == 1
        (retry,) = [line for line in logs if line["event"] == "synthesis_retried"]
        assert ("did not start" if after == 0 else "stopped speaking") in retry["error"]

    on_stage(lambda: ScriptedTTS(script=[ScriptedVoice(after=after, hang=True)]), body)


def test_p13_a_hang_for_good_is_named() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope())
        await play(stage)
        (failed,) = stage.output.of(SynthesisFailed)
        assert isinstance(failed.error, APITimeoutError)
        # 3 x 5 s, the retries after 0.1 and 1 s, and no time for having waited for text or credit
        assert stage.output.at(SynthesisFailed)[0] == pytest.approx(16.1, abs=0.02)

    on_stage(lambda: ScriptedTTS(script=[ScriptedVoice(after=0.0, hang=True)] * 9), body)


def test_no_deadline_runs_while_the_voice_waits_for_text() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        scope = stage.scope()
        stage.tell(AudioCredit(SEGMENT, PLENTY))
        speak(stage, "This is the first one. And", scope, end=False)
        await asyncio.sleep(120)
        state: Any = stage.inspect().state["open"]
        assert state[SEGMENT]["phase"] == "the voice waits for text"
        speak(stage, " this is the second.", scope, behind="This is the first one. And")
        await asyncio.sleep(20)
        assert heard(stage) == "This is the first one. And this is the second."
        assert len(voice.syntheses) == 1

    on_stage(ScriptedTTS, body)


class OneSentence(ScriptedTTS):
    """Ends after one piece of text, whatever else there is."""

    def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[SynthesizedAudio]:
        async def first_only() -> AsyncIterator[str]:
            async for piece in text:
                yield piece
                return

        return super().synthesize(first_only())


def test_a_voice_that_ends_early_is_asked_for_the_rest() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope(), parts=5)
        await play(stage)
        assert heard(stage) == TEXT
        assert len(voice.syntheses) == 4
        assert stage.facts(ComponentFailed) == []
        assert timings(stage)[-1].text_end == len(TEXT)

    on_stage(OneSentence, body)


class Yields(TTS):
    """Yields what it was made with."""

    label = "odd.TTS"
    home = Home.USER
    sample_rate = SAMPLE_RATE

    def __init__(self, what: object) -> None:
        self._what = what

    def synthesize(self, text: AsyncIterable[str]) -> Any:
        what = self._what

        class Once:
            """An iterator that cannot be closed."""

            done = False

            def __aiter__(self) -> Once:
                return self

            async def __anext__(self) -> object:
                if self.done:
                    raise StopAsyncIteration
                self.done = True
                return what

        return Once()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\0",
        SynthesizedAudio(AudioFrame(b"\0\0", 8000)),
        SynthesizedAudio(AudioFrame(bytes(4), SAMPLE_RATE, 2)),
    ],
)
def test_p13_garbage_is_a_typed_failure(garbage: object) -> None:
    async def body(stage: Stage, voice: TTS) -> None:
        speak(stage, TEXT, stage.scope())
        await play(stage)
        (failed,) = stage.output.of(SynthesisFailed)
        assert isinstance(failed.error, APIError)
        assert "odd.TTS yielded" in str(failed.error)
        assert stage.inspect().restarts == 0

    on_stage(lambda: Yields(garbage), body)


def test_a_voice_that_never_takes_its_text_is_no_success() -> None:
    async def body(stage: Stage, voice: TTS) -> None:
        speak(stage, TEXT, stage.scope())
        await play(stage)
        (failed,) = stage.output.of(SynthesisFailed)
        assert "no audio for the text" in str(failed.error)
        assert stage.output.of(SegmentAudioEnded) == []

    on_stage(lambda: Yields(SynthesizedAudio(AudioFrame(b"\1\0", SAMPLE_RATE))), body)


def test_without_a_voice_a_segment_fails_with_what_to_do() -> None:
    async def main() -> None:
        async with Stage(TTSActor) as stage:
            speak(stage, TEXT, stage.scope())
            await asyncio.sleep(1)
            (failed,) = stage.output.of(SynthesisFailed)
            assert isinstance(failed.error, SessionStateError)
            assert "no tts" in str(failed.error)

    virtually(main)


# -- restarts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0.1, 0.3, 1.0, 1.6])
def test_p12_a_restart_goes_on_at_the_word(at: float) -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope())
        playing = asyncio.ensure_future(play(stage))
        await asyncio.sleep(at)
        stage.kill()
        await playing
        assert stage.inspect().restarts == 1
        said, second = heard(stage), voice.syntheses[1].text
        assert said.endswith(second)
        assert said.startswith(TEXT[: len(TEXT) - len(second)])
        assert len(said) - len(TEXT) <= len(" sentence")
        assert len(stage.output.of(SegmentAudioEnded)) == 1
        assert stage.facts(ComponentFailed) == []

    on_stage(ScriptedTTS, body)


def test_p12_a_restart_while_waiting_to_try_again_tries_at_once() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        stage.tell(AudioCredit(SEGMENT, PLENTY))
        speak(stage, TEXT, stage.scope())
        await asyncio.sleep(0.25)
        state: Any = stage.inspect().state["open"]
        assert state[SEGMENT]["phase"] == "waiting to try again"
        stage.kill()
        await asyncio.sleep(20)
        assert heard(stage) == TEXT

    on_stage(lambda: ScriptedTTS(script=[ScriptedVoice(after=0.0, error=APIConnectionError("refused"))]), body)


def test_p12_a_kill_at_any_moment_loses_no_word() -> None:
    for seed in range(25):
        chosen = random.Random(seed)

        async def main(seed: int = seed, chosen: random.Random = chosen) -> None:
            voice = ScriptedTTS()
            async with Stage(TTSActor, tts=voice, seed=seed) as stage:
                playing = asyncio.ensure_future(play(stage))
                speak(stage, TEXT, stage.scope(), parts=chosen.randint(1, 20))
                for _ in range(chosen.randint(1, 3)):
                    await asyncio.sleep(chosen.uniform(0, 3))
                    stage.kill()
                await playing
                assert len(stage.output.of(SegmentAudioEnded)) == 1
                said, place = heard(stage), 0
                for word in TEXT.split():
                    place = said.index(word, place) + len(word)
                ends = [timing.text_end for timing in timings(stage)]
                assert ends == sorted(set(ends))
                assert len(ends) == len(TEXT.split())
                snapshot = stage.inspect()
                assert snapshot.state["open"] == {}
                assert not snapshot.timers
                assert not snapshot.effects

        virtually(main)


def test_a_voice_on_the_users_loop_speaks_as_well() -> None:
    class AtHome(ScriptedTTS):
        home = Home.USER

    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        speak(stage, TEXT, stage.scope())
        await play(stage)
        assert heard(stage) == TEXT

    on_stage(AtHome, body)


def test_p01_what_waits_when_a_segment_is_cancelled_is_not_handed_over() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        stage.tell(AudioCredit(SEGMENT, PLENTY))
        speak(stage, TEXT, stage.scope())
        await asyncio.sleep(0.1)
        await stage.under_test.suspend()
        await asyncio.sleep(1)
        assert stage.inspect().data_depth
        stage.tell(CancelSynthesis(SEGMENT))
        await stage.under_test.resume()
        await asyncio.sleep(60)
        assert stage.output.messages == []
        assert voice.syntheses[0].closed

    on_stage(ScriptedTTS, body)


def test_p20_its_summary_says_what_a_segment_waits_for() -> None:
    async def body(stage: Stage, voice: ScriptedTTS) -> None:
        def phase() -> Any:
            state: Any = stage.inspect().state["open"]
            return state[SEGMENT]["phase"]

        scope = stage.scope()
        speak(stage, "Hello", scope, end=False)
        await stage.settle()
        assert phase() == "waiting for text"
        speak(stage, ", this is the first one. And", scope, end=False)
        await asyncio.sleep(0.1)
        assert phase() == "the voice speaks"
        await asyncio.sleep(5)
        assert phase() == "the voice waits for text"
        speak(stage, " this is the second one, and the last.", scope)
        await asyncio.sleep(5)
        assert phase() == "waiting for credit"
        stage.tell(AudioCredit(SEGMENT, PLENTY))
        await asyncio.sleep(5)
        assert stage.output.of(SegmentAudioEnded)

    on_stage(ScriptedTTS, body)
