"""What a recogniser may report, and what becomes of it."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence

import pytest

from sessionactors.actors.stt_state import STTState
from sessionactors.interfaces.stt import (
    STT,
    RecognitionUsage,
    RecognizedWord,
    SpeechData,
    SpeechEvent,
    SpeechEventType,
    STTCapabilities,
)
from sessionactors.interfaces.vad import VADEvent, VADEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.events import MetricsCollectedEvent, UserInputTranscribedEvent
from sessionactors.model.metrics import STTMetrics
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.testing.scripted_ear import ScriptedVAD

from tests.actors.ear_bench import Bench, about

FINAL = SpeechEventType.FINAL_TRANSCRIPT


class Reporting(STT):
    """Reports what it is given, each event when so many seconds were heard."""

    def __init__(self, *events: tuple[float, SpeechEvent]) -> None:
        self._events: Sequence[tuple[float, SpeechEvent]] = events

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        left, heard = list(self._events), 0.0
        async for item in audio:
            heard += item.duration if isinstance(item, AudioFrame) else 0.0
            while left and heard >= left[0][0] - 1e-9:
                yield left.pop(0)[1]


def test_flat_and_as_alternatives_is_the_same() -> None:
    words = (RecognizedWord("hello", 0.1, 0.4, 0.9), RecognizedWord("ann", 0.5, 0.7))
    flat = SpeechEvent(
        FINAL, "hello ann", "en", 0.9, start_time=0.1, end_time=0.7, words=words, speaker_id="S1", request_id="r"
    )
    best = SpeechData("en", "hello ann", 0.1, 0.7, 0.9, "S1", words)
    nested = SpeechEvent(FINAL, alternatives=(best, SpeechData("en", "hello Anne")), request_id="r")
    assert flat.alternatives == (best,)
    assert (nested.text, nested.confidence, nested.end_time, nested.speaker_id) == ("hello ann", 0.9, 0.7, "S1")
    assert nested.words == words


def test_an_event_without_words_has_no_alternatives() -> None:
    assert SpeechEvent(SpeechEventType.END_OF_SPEECH).alternatives == ()


def test_a_recogniser_need_not_say_what_it_can_do() -> None:
    assert Reporting().capabilities == STTCapabilities(streaming=True, aligned_transcript=None, end_of_speech=False)


@pytest.mark.parametrize("position, expected", [(None, 20.0), (5.0, 10.0), (4.0, 9.0), (0.0, 5.0), (30.0, 20.0)])
def test_when_a_position_in_the_audio_was_spoken(position: float | None, expected: float) -> None:
    """Five seconds of audio were given, the last of it at 10 s; it is 20 s now."""
    state = STTState(fed=5.0, fed_at=10_000_000_000)
    assert state.moment(position, 20_000_000_000) == round(expected * 1e9)


def test_a_preflight_is_published_as_an_interim_and_does_not_end_the_turn() -> None:
    stt = Reporting(
        (2.0, SpeechEvent(SpeechEventType.PREFLIGHT_TRANSCRIPT, "what time is")),
        (3.4, SpeechEvent(FINAL, "what time is it")),
    )
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), stt).call(6.0)
    events = bench.events(UserInputTranscribedEvent)
    assert [(event.transcript, event.is_final) for event in events] == [
        ("what time is", False),
        ("what time is it", True),
    ]
    assert bench.transcripts == ["what time is it"]
    assert bench.turn_times == [about(3.4)]


def test_a_recogniser_that_tells_speakers_apart_names_them() -> None:
    stt = Reporting((2.7, SpeechEvent(FINAL, "hello", speaker_id="S2")))
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), stt).call(5.0)
    assert [event.speaker_id for event in bench.events(UserInputTranscribedEvent)] == ["S2"]


def test_what_a_recogniser_bills_takes_the_place_of_what_was_measured() -> None:
    usage = SpeechEvent(SpeechEventType.RECOGNITION_USAGE, usage=RecognitionUsage(12.5, 40, 3), request_id="item-1")
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), Reporting((2.6, usage), (2.7, SpeechEvent(FINAL, "hello")))).call(5.0)
    metrics = [event.metrics for event in bench.events(MetricsCollectedEvent)]
    (billed,) = [each for each in metrics if isinstance(each, STTMetrics)]
    assert (billed.audio_duration, billed.input_tokens, billed.output_tokens) == (12.5, 40, 3)
    assert billed.request_id == "item-1"


@pytest.mark.parametrize(
    "silence, raw_silence, raw_speech, expected",
    [(0.3, None, None, 0.3), (0.3, 0.2, None, 0.2), (0.3, 0.2, 0.1, 0.0), (0.3, None, 0.0, 0.3)],
)
def test_the_raw_silence_of_a_finding(
    silence: float, raw_silence: float | None, raw_speech: float | None, expected: float
) -> None:
    event = VADEvent(
        VADEventType.INFERENCE_DONE,
        1.0,
        silence,
        raw_accumulated_silence=raw_silence,
        raw_accumulated_speech=raw_speech,
    )
    assert event.raw_silence == expected
