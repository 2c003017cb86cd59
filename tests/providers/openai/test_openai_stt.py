"""Recognisers of OpenAI's: whole utterances through the real SDK, streams over a transcription session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any, cast

import pytest

from sessionactors.interfaces.recognition_context import NO_CONTEXT, RecognitionContext
from sessionactors.interfaces.stt import RecognitionUsage, SpeechEvent, SpeechEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError, OptionError
from sessionactors.model.sentinel import FLUSH, FlushSentinel
from sessionactors.providers.adapters.stt import StreamAdapter
from sessionactors.providers.offline.energy_vad import EnergyVAD
from sessionactors.providers.openai import STT

from tests.providers.openai.asking import until
from tests.wire.openai_audio import Transcribed, Transcriptions
from tests.wire.openai_server import OpenAIServer
from tests.wire.openai_transcription import Session, TranscriptionServer, silence, speech
from tests.wire.vendor_server import Fault

FINAL, INTERIM = SpeechEventType.FINAL_TRANSCRIPT, SpeechEventType.INTERIM_TRANSCRIPT
USAGE = SpeechEventType.RECOGNITION_USAGE
START, END = SpeechEventType.START_OF_SPEECH, SpeechEventType.END_OF_SPEECH


# -- whole utterances ------------------------------------------------------------------------------------------------


async def recognized(
    answer: Transcribed | str, *frames: AudioFrame, language: str | None = None, **options: Any
) -> tuple[SpeechEvent, Transcriptions]:
    part = Transcriptions([answer])
    async with OpenAIServer(parts=[part]) as server:
        stt = STT(base_url=server.base_url, **options)
        try:
            return await stt.recognize(frames or [speech(1, 0.5), silence(0.5)], language=language), part
        finally:
            await stt.aclose()
            assert server.refused == []


async def test_an_utterance_is_sent_whole_and_understood() -> None:
    event, part = await recognized("hello there", speech(1, 0.5), silence(0.5))
    assert (event.type, event.text, event.language) == (FINAL, "hello there", "en")
    assert event.usage == RecognitionUsage(1.0, 14, 5)
    assert part.asked == [{"model": "gpt-4o-mini-transcribe", "language": "en", "response_format": "json"}]
    assert part.heard[0].pcm == speech(1, 0.5).data + silence(0.5).data
    assert part.heard[0].rate == 24000


async def test_what_a_recogniser_of_utterances_is_told() -> None:
    _, part = await recognized(
        "hi", model="gpt-4o-transcribe", prompt="A hotel's front desk.", temperature=0.2, language="de-CH"
    )
    (asked,) = part.asked
    assert (asked["prompt"], asked["temperature"], asked["language"]) == ("A hotel's front desk.", 0.2, "de")
    _, part = await recognized("hi", model="gpt-transcribe", keywords=["Zermatt"], language=None, detect_language=True)
    assert part.asked[0]["keywords"] == ["Zermatt"]
    assert not {"language", "languages"} & set(part.asked[0])


async def test_several_languages_for_models_that_take_them() -> None:
    part = Transcriptions()
    async with OpenAIServer(parts=[part]) as server:
        stt = STT(base_url=server.base_url, model="gpt-transcribe", language=["de-CH", "fr"])
        await stt.recognize([speech(1, 0.5)])
        await stt.aclose()
    assert part.asked[0]["languages"] == ["de", "fr"]


async def test_whisper_says_the_language_that_it_heard() -> None:
    event, part = await recognized(Transcribed("guten tag", "german"), model="whisper-1")
    assert (event.text, event.language) == ("guten tag", "de")
    assert part.asked[0]["response_format"] == "verbose_json"
    event, _ = await recognized(Transcribed("nuqneH", "klingon"), model="whisper-1", language="tlh")
    assert event.language == "tlh"


async def test_too_little_audio_has_no_words_and_costs_nothing() -> None:
    event, part = await recognized("never", speech(1, 0.05))
    assert (event.type, event.text) == (FINAL, "")
    assert part.asked == []


@pytest.mark.parametrize("status, retryable", [(401, False), (413, False), (429, True), (500, True)])
async def test_an_error_status_is_typed(status: int, retryable: bool) -> None:
    with pytest.raises(APIStatusError) as raised:
        await recognized(Transcribed(status=status, headers={"retry-after": "2", "x-request-id": "req_7"}))
    error = raised.value
    assert (error.status_code, error.retryable, error.request_id, error.retry_after) == (status, retryable, "req_7", 2)


@pytest.mark.parametrize(
    "answer, kind",
    [
        (Transcribed(break_off=True), APIConnectionError),
        (Transcribed(delay=30.0), APITimeoutError),
        (Transcribed(garbage=True), APIError),
    ],
)
async def test_what_goes_wrong_is_typed(answer: Transcribed, kind: type[APIError]) -> None:
    with pytest.raises(APIError) as raised:
        await recognized(answer, timeout=0.05)
    assert isinstance(raised.value, kind)
    assert raised.value.retryable


async def test_cancelling_a_recognition_frees_its_connection() -> None:
    part = Transcriptions([Transcribed(delay=30.0)])
    async with OpenAIServer(parts=[part]) as server:
        stt = STT(base_url=server.base_url)
        task = asyncio.create_task(stt.recognize([speech(1, 0.5)]))
        await until(lambda: part.asked)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await stt.aclose()


async def test_a_stream_is_understood_flush_by_flush() -> None:
    part = Transcriptions(["hello there", "how are you"])
    async with OpenAIServer(parts=[part]) as server:
        stt = STT(base_url=server.base_url, model="gpt-transcribe")
        assert not stt.capabilities.streaming
        first, second = (AudioFrame(bytes(3200), stt.sample_rate), AudioFrame(bytes(6400), stt.sample_rate))
        known = RecognitionContext(keyterms=("Brig",))
        line = Line([first, first, FLUSH, FLUSH, known, second])
        events = [event async for event in stt.transcribe(line, language="de")]
        await stt.aclose()
    assert finals(events) == ["hello there", "how are you"]
    assert [event.usage.audio_duration for event in events if event.type is USAGE and event.usage] == [0.2, 0.2]
    assert [heard.rate for heard in part.heard] == [16000, 16000]
    assert [asked.get("keywords") for asked in part.asked] == [None, ["Brig"]]


async def test_behind_a_stream_adapter_utterances_are_cut_out_of_the_audio() -> None:
    part = Transcriptions(["hello there", "how are you"])
    async with OpenAIServer(parts=[part]) as server:
        ear = StreamAdapter(stt=STT(base_url=server.base_url), vad=EnergyVAD())
        loud = AudioFrame(
            (8000).to_bytes(2, "little") * 8000 + (-8000).to_bytes(2, "little", signed=True) * 8000, 16000
        )
        quiet = AudioFrame(bytes(2 * 24000), 16000)
        frames = [piece for whole in (quiet, loud, quiet, loud, quiet) for piece in _in_frames(whole)]
        events = [event async for event in ear.transcribe(Line(frames))]
        await ear.aclose()
    assert finals(events) == ["hello there", "how are you"]
    assert all(0.9 < heard.seconds < 2.5 for heard in part.heard)


def _in_frames(audio: AudioFrame) -> list[AudioFrame]:
    return [AudioFrame(audio.data[at : at + 640], audio.sample_rate) for at in range(0, len(audio.data), 640)]


# -- streams ---------------------------------------------------------------------------------------------------------


class Line(AsyncIterator[AudioFrame | FlushSentinel]):
    """What is heard; an event is waited for, a context becomes what is known."""

    def __init__(self, items: Iterable[object], context: RecognitionContext = NO_CONTEXT) -> None:
        self.context = context
        self._items = iter(items)

    async def __anext__(self) -> AudioFrame | FlushSentinel:
        for item in self._items:
            if isinstance(item, asyncio.Event):
                await item.wait()
            elif isinstance(item, RecognitionContext):
                self.context = item
            else:
                return cast("AudioFrame | FlushSentinel", item)
        raise StopAsyncIteration


UTTERANCE = (speech(1, 0.4), silence(0.4))


async def streamed(session: Session, *items: object, **options: Any) -> tuple[list[SpeechEvent], TranscriptionServer]:
    context = options.pop("context", NO_CONTEXT)
    language = options.pop("language_of_stream", None)
    async with TranscriptionServer([session]) as server:
        stt = STT(base_url=server.base_url, api_key=server.key, **{"use_realtime": True, **options})
        events = stt.transcribe(Line(items, context), language=language)
        heard = [event async for event in events]
        await stt.aclose()
        await server.all_gone()
    assert server.last.complaints == []
    return heard, server


def words(events: Iterable[SpeechEvent]) -> list[tuple[SpeechEventType, str]]:
    return [(event.type, event.text) for event in events if event.type in (FINAL, INTERIM)]


def finals(events: Iterable[SpeechEvent]) -> list[str]:
    return [event.text for event in events if event.type is FINAL]


async def test_words_are_shown_while_they_come_and_edges_are_told() -> None:
    events, server = await streamed(Session(), silence(1.0), *UTTERANCE, silence(0.2))
    assert words(events) == [(INTERIM, "hello "), (INTERIM, "hello there "), (FINAL, "hello there")]
    assert [event.start_time for event in events if event.type is START] == [1.0]
    assert [event.end_time for event in events if event.type is END] == [pytest.approx(1.4, abs=0.021)]
    (final,) = [event for event in events if event.type is FINAL]
    assert (final.start_time, final.language) == (1.0, "en")
    assert final.end_time == pytest.approx(1.4, abs=0.021)
    tokens = [event.usage for event in events if event.usage and event.usage.input_tokens]
    assert tokens == [RecognitionUsage(0.0, 10, 2)]
    assert server.last.options == {"intent": "transcription", "model": "gpt-4o-mini-transcribe"}


async def test_what_a_session_is_told() -> None:
    _, server = await streamed(
        Session(), *UTTERANCE, prompt="Front desk.", noise_reduction_type="near_field", language="de"
    )
    assert server.last.messages[0]["session"] == {
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": "gpt-4o-mini-transcribe", "prompt": "Front desk.", "language": "de"},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 600,
                    "silence_duration_ms": 350,
                },
                "noise_reduction": {"type": "near_field"},
            }
        },
    }


async def test_a_language_of_the_stream_alone_and_the_one_that_is_found() -> None:
    events, server = await streamed(Session(), *UTTERANCE, language_of_stream="fr-FR")
    assert server.last.messages[0]["session"]["audio"]["input"]["transcription"]["language"] == "fr"
    assert {event.language for event in events if event.text} == {"fr-FR"}
    events, server = await streamed(Session(language="it"), *UTTERANCE, detect_language=True)
    assert "language" not in server.last.messages[0]["session"]["audio"]["input"]["transcription"]
    assert [event.language for event in events if event.type is FINAL] == ["it"]


async def test_utterances_whose_words_come_late_stay_in_order() -> None:
    session = Session(late=frozenset({"hello there"}))
    events, _ = await streamed(session, *UTTERANCE, speech(2, 0.4), silence(0.4))
    assert words(events) == [
        (INTERIM, "hello "),
        (INTERIM, "hello there "),
        (FINAL, "hello there"),
        (FINAL, "how are you"),
    ]


async def test_a_model_without_turn_detection_is_told_where_utterances_end() -> None:
    items = (*UTTERANCE, FLUSH, speech(2, 0.4), FLUSH, FLUSH, silence(0.05))
    events, server = await streamed(Session(), *items, model="gpt-realtime-whisper")
    assert finals(events) == ["hello there", "how are you"]
    kinds = server.last.types()
    assert kinds.count("input_audio_buffer.commit") == 2
    assert server.last.messages[0]["session"]["audio"]["input"]["turn_detection"] is None


async def test_the_sessions_own_detector_may_end_utterances_of_any_model() -> None:
    events, _ = await streamed(Session(), speech(1, 0.4), FLUSH, turn_detection=None)
    assert finals(events) == ["hello there"]


async def test_a_microphone_that_is_switched_off_is_heard_as_silence() -> None:
    told = asyncio.Event()
    heard: list[SpeechEvent] = []
    async with TranscriptionServer([Session()]) as server:
        stt = STT(base_url=server.base_url, api_key=server.key, use_realtime=True)
        started = asyncio.Event()
        line = Line([speech(1, 0.4), started, FLUSH, told, speech(2, 0.4), silence(0.5)])
        async for event in stt.transcribe(line):
            heard.append(event)
            if event.type is START:
                started.set()
            if event.type is FINAL:
                told.set()
        await stt.aclose()
    assert finals(heard) == ["hello there", "how are you"]
    # The silence that was put in is not in our audio: the second utterance begins where the first one was cut off.
    assert [event.start_time for event in heard if event.type is START] == [0.0, pytest.approx(0.4, abs=0.021)]


async def test_semantic_turn_detection_is_told_that_the_microphone_is_off() -> None:
    started, told = asyncio.Event(), asyncio.Event()
    async with TranscriptionServer([Session()]) as server:
        stt = STT(
            base_url=server.base_url,
            api_key=server.key,
            use_realtime=True,
            turn_detection={"type": "semantic_vad", "eagerness": "low"},
        )
        heard: list[SpeechEvent] = []
        async for event in stt.transcribe(Line([speech(1, 0.4), started, FLUSH, told])):
            heard.append(event)
            if event.type is START:
                started.set()
            if event.type is FINAL:
                told.set()
        await stt.aclose()
    assert finals(heard) == ["hello there"]


async def test_the_end_of_the_audio_ends_what_is_being_said() -> None:
    for options in ({}, {"turn_detection": None}):
        events, _ = await streamed(Session(), speech(1, 0.4), **options)
        assert finals(events) == ["hello there"]
    events, _ = await streamed(Session())
    assert events == []
    events, server = await streamed(Session(), silence(1.0))
    assert finals(events) == []
    assert "input_audio_buffer.commit" not in server.last.types()


async def test_words_to_expect_reach_a_running_session() -> None:
    known = RecognitionContext(keyterms=("Zermatt", "Brig"))
    events, server = await streamed(
        Session(),
        *UTTERANCE,
        known,
        *UTTERANCE,
        model="gpt-live-transcribe",
        keywords=["Visp"],
        context=RecognitionContext(keyterms=("Brig",)),
    )
    updates = [message for message in server.last.messages if message["type"] == "session.update"]
    told = [update["session"]["audio"]["input"]["transcription"]["keywords"] for update in updates]
    assert told == [["Visp", "Brig"], ["Visp", "Zermatt", "Brig"], ["Visp", "Zermatt", "Brig"]]
    assert len(finals(events)) == 1


async def test_options_that_change_reach_a_running_session() -> None:
    told = asyncio.Event()
    async with TranscriptionServer([Session()]) as server:
        stt = STT(base_url=server.base_url, api_key=server.key, use_realtime=True)
        async for event in stt.transcribe(Line([*UTTERANCE, told, *UTTERANCE])):
            if event.type is FINAL:
                stt.update_options(prompt="Trains.", language="de")
                told.set()
        await stt.aclose()
    told_last = server.last.messages[-1]["session"]["audio"]["input"]["transcription"]
    assert told_last == {"model": "gpt-4o-mini-transcribe", "prompt": "Trains.", "language": "de"}


async def test_models_that_bill_seconds_are_billed_what_was_sent() -> None:
    events, _ = await streamed(Session(seconds_billed=True), *UTTERANCE)
    billed = [event.usage.audio_duration for event in events if event.usage]
    assert sum(billed) == pytest.approx(0.8)


async def test_closing_a_stream_closes_its_connection() -> None:
    async with TranscriptionServer([Session()]) as server:
        stt = STT(base_url=server.base_url, api_key=server.key, use_realtime=True)
        events = stt.transcribe(Line([*UTTERANCE, asyncio.Event()]))
        async with aclosing(cast("Any", events)):
            await anext(aiter(events))
        await server.all_gone()
        await stt.aclose()


@pytest.mark.parametrize(
    "fault, kind, retryable",
    [
        (Fault(status=401), APIStatusError, False),
        (Fault(status=429, headers={"retry-after": "3"}), APIStatusError, True),
        (Fault(status=500), APIStatusError, True),
        (Fault(after=2, cut=True), APIConnectionError, True),
        (Fault(after=2, close=(1011, "internal error")), APIConnectionError, True),
        (Fault(after=2, garbage="{no json"), APIError, True),
        (Fault(after=2, garbage='{"type": "input_audio_buffer.speech_started"}'), APIError, True),
        (
            Fault(after=2, garbage='{"type": "conversation.item.input_audio_transcription.delta", "item_id": 3}'),
            APIError,
            True,
        ),
        (
            Fault(after=2, garbage='{"type": "input_audio_buffer.speech_stopped", "item_id": "a", "audio_end_ms": ""}'),
            APIError,
            True,
        ),
        (
            Fault(after=2, garbage='{"type": "error", "error": {"type": "server_error", "message": "no"}}'),
            APIError,
            True,
        ),
        (
            Fault(after=2, garbage='{"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}'),
            APIError,
            False,
        ),
    ],
)
async def test_a_session_that_fails_is_typed(fault: Fault, kind: type[APIError], retryable: bool) -> None:
    with pytest.raises(APIError) as raised:
        await streamed(Session(fault=fault), *UTTERANCE, silence(1.0))
    assert isinstance(raised.value, kind)
    assert raised.value.retryable is retryable
    if fault.headers:
        assert cast("APIStatusError", raised.value).retry_after == 3.0


async def test_words_that_cannot_be_transcribed_fail_the_stream() -> None:
    with pytest.raises(APIError, match="could not be transcribed") as raised:
        await streamed(Session(failed=frozenset({"hello there"})), *UTTERANCE)
    assert raised.value.retryable


async def test_a_session_that_is_too_old_is_opened_anew() -> None:
    with pytest.raises(APIConnectionError, match="as long as it may"):
        await streamed(Session(expires=True), *UTTERANCE, silence(1.0))


# -- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, about",
    [
        ({"language": ["de", "fr"]}, "takes one language"),
        ({"keywords": ["Zermatt"]}, "takes no keywords"),
        ({"model": "gpt-realtime-whisper", "prompt": "x"}, "takes no prompt"),
        ({"model": "gpt-live-transcribe", "use_realtime": False}, "realtime only"),
        ({"model": "gpt-live-transcribe", "turn_detection": {}}, "no turn detection"),
        ({"use_realtime": True, "turn_detection": {"type": "magic"}}, "server_vad or semantic_vad"),
        ({"use_realtime": True, "noise_reduction_type": "all"}, "near_field or far_field"),
        ({"noise_reduction_type": "near_field"}, "needs use_realtime"),
        ({"temperature": 2.0}, "between 0 and 1"),
        ({"use_realtime": True, "temperature": 0.5}, "not for realtime"),
        ({"timeout": 0.0}, "timeout must be positive"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], about: str) -> None:
    with pytest.raises(OptionError, match=about):
        STT(base_url="http://localhost/v1", **options)


def test_capabilities_follow_the_options() -> None:
    stt = STT(base_url="http://localhost/v1", use_realtime=True)
    assert (stt.capabilities.streaming, stt.capabilities.end_of_speech, stt.capabilities.keyterms) == (
        True,
        True,
        False,
    )
    stt.update_options(turn_detection=None)
    silent: bool = stt.capabilities.end_of_speech
    assert not silent
    stt.update_options(model="gpt-live-transcribe", language=["de", "fr"], keywords=["Zermatt"])
    assert stt.capabilities.keyterms
    assert stt.model == "gpt-live-transcribe"
    with pytest.raises(OptionError, match="takes one language"):
        stt.update_options(model="gpt-4o-transcribe", keywords=[])
    stt.update_options(model="gpt-4o-transcribe", keywords=[], detect_language=True)
    assert stt.capabilities.end_of_speech
    assert repr(stt) == "<openai.STT gpt-4o-transcribe at localhost>"


async def test_azure_is_asked_for_a_deployment() -> None:
    part = Transcriptions()
    async with OpenAIServer(parts=[part], key="secret") as server:
        stt = STT.with_azure(
            azure_endpoint=server.base_url.removesuffix("/v1"),
            azure_deployment="ear",
            api_version="2025-04-01-preview",
            api_key="secret",
        )
        assert (await stt.recognize([speech(1, 0.5)])).text == "hello there"
        await stt.aclose()
