"""Scribe's realtime recognition against a server on this machine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessionactors.interfaces.recognition_context import RecognitionContext
from sessionactors.interfaces.stt import SpeechEventType
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError, OptionError
from sessionactors.model.sentinel import FLUSH
from sessionactors.providers import recognition_socket, vendor_socket
from sessionactors.providers.elevenlabs import STT

from tests.providers.deepgram.speech import Microphone, heard, told
from tests.wire.deepgram import Call, Spoken
from tests.wire.elevenlabs_scribe import ScribeServer
from tests.wire.vendor_server import Fault

FINAL = SpeechEventType.FINAL_TRANSCRIPT
HELLO = Spoken("Hello there.", 0.2, 0.6)


def scribe(server: ScribeServer, **options: Any) -> STT:
    return STT(**{"api_key": server.key, "base_url": server.base_url, **options})


def commits(server: ScribeServer) -> int:
    return sum(message["commit"] for message in server.last.messages)


async def test_an_utterance_is_committed_where_the_session_heard_its_end() -> None:
    async with ScribeServer([Call([HELLO, Spoken("Bye.", 1.0, 1.2)])]) as server:
        events = await heard(scribe(server, include_timestamps=True), 0.7, FLUSH, 0.6, FLUSH)
        await server.all_gone()
    assert told(events) == [
        ("interim_transcript", "Hello"),
        ("interim_transcript", "Hello there."),
        ("final_transcript", "Hello there."),
        ("interim_transcript", "Bye."),
        ("final_transcript", "Bye."),
    ]
    final = next(event for event in events if event.type is FINAL)
    assert (final.start_time, final.end_time, final.request_id, final.language) == (0.2, 0.6, "el-1", "en")
    assert [(word.text, word.start_time, word.end_time) for word in final.words] == [
        ("Hello", 0.2, 0.4),
        ("there.", 0.4, 0.6),
    ]
    assert final.confidence == pytest.approx(0.905, abs=0.001)
    assert commits(server) == 2
    assert sum(event.usage.audio_duration for event in events if event.usage) == pytest.approx(1.3)


async def test_what_is_not_committed_when_the_audio_ends_is_committed_then() -> None:
    async with ScribeServer([Call([HELLO])]) as server:
        events = await heard(scribe(server), 0.7)
        assert await heard(scribe(server)) == []
        await server.all_gone()
    assert told(events, FINAL) == [("final_transcript", "Hello there.")]


async def test_noise_is_answered_with_an_empty_final() -> None:
    async with ScribeServer([Call()]) as server:
        assert told(await heard(scribe(server), 0.5, FLUSH), FINAL) == [("final_transcript", "")]
        assert told(await heard(scribe(server), 0.04, FLUSH), FINAL) == [("final_transcript", "")]  # throttled


async def test_with_its_own_vad_it_tells_the_edges_of_speech() -> None:
    async with ScribeServer([Call([HELLO, Spoken("Bye.", 1.4, 1.6)])]) as server:
        recognizer = scribe(server, server_vad={"vad_silence_threshold_secs": 0.4})
        hang_up, events = asyncio.Event(), []
        async for event in recognizer.transcribe(Microphone([0.7, FLUSH, 1.5, hang_up])):
            events.append(event)
            if told(events, SpeechEventType.END_OF_SPEECH) == [("end_of_speech", "")] * 2:
                hang_up.set()
    assert told(events) == [
        ("start_of_speech", ""),
        ("interim_transcript", "Hello"),
        ("interim_transcript", "Hello there."),
        ("final_transcript", "Hello there."),
        ("end_of_speech", ""),
        ("start_of_speech", ""),
        ("interim_transcript", "Bye."),
        ("final_transcript", "Bye."),
        ("end_of_speech", ""),
    ]
    assert commits(server) == 1, "at the end of the audio, not at the flush"
    assert recognizer.capabilities.end_of_speech
    assert server.last.options["commit_strategy"] == "vad"


async def test_audio_that_ceases_within_words_commits_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition_socket, "TICK", 0.01)
    monkeypatch.setattr(recognition_socket, "IDLE_AFTER", 0.02)
    unmuted = asyncio.Event()
    async with ScribeServer([Call([HELLO])]) as server:
        async for event in scribe(server, server_vad={}).transcribe(Microphone([0.7, FLUSH, unmuted])):
            if event.type is FINAL:
                unmuted.set()
    assert commits(server) == 1


async def test_what_the_connection_is_asked_for() -> None:
    async with ScribeServer([Call([Spoken("Grüezi mitenand", 0.02, 0.1, language="de")])]) as server:
        await heard(scribe(server))
        assert server.last.options == {
            "model_id": "scribe_v2_realtime",
            "audio_format": "pcm_16000",
            "commit_strategy": "manual",
            "include_timestamps": "false",
            "include_language_detection": "true",
            "enable_logging": "true",
        }
        recognizer = scribe(
            server,
            language_code="de",
            secondary_languages=["fr", "it"],
            include_language_detection=True,
            sample_rate=8000,
            server_vad={"vad_threshold": 0.5, "min_speech_duration_ms": 100, "min_silence_duration_ms": 200},
            keyterms=["Brig"],
            no_verbatim=True,
            enable_logging=False,
            previous_text="We spoke of trains.",
        )
        context = RecognitionContext(("Zermatt", "a word that is much too long for it"))
        events = [event async for event in recognizer.transcribe(Microphone([0.2], 8000, context))]
    received = server.last
    assert received.options == {
        "model_id": "scribe_v2_realtime",
        "audio_format": "pcm_8000",
        "commit_strategy": "vad",
        "include_timestamps": "false",
        "include_language_detection": "true",
        "enable_logging": "false",
        "language_code": "de",
        "no_verbatim": "true",
        "secondary_languages": "it",
        "keyterms": "Zermatt",
        "vad_threshold": "0.5",
        "min_speech_duration_ms": "100",
        "min_silence_duration_ms": "200",
    }
    assert (received.all("keyterms"), received.all("secondary_languages")) == (["Brig", "Zermatt"], ["fr", "it"])
    assert [message.get("previous_text") for message in received.messages[:2]] == ["We spoke of trains.", None]
    assert {event.language for event in events if event.type is FINAL} == {"de"}


async def test_a_wrong_key_is_final() -> None:
    async with ScribeServer([Call()]) as server:
        with pytest.raises(APIStatusError, match="You must be authenticated") as raised:
            await heard(scribe(server, api_key="wrong-secret"), 0.5)
    assert (raised.value.status_code, raised.value.retryable) == (401, False)
    assert "wrong-secret" not in f"{raised.value!r} {raised.value.body!r}"


@pytest.mark.parametrize(
    "fault, kind, retryable, says",
    [
        (Fault(status=401), APIStatusError, False, "refused with 401"),
        (Fault(status=429), APIStatusError, True, "refused with 429"),
        (Fault(close=(1011, "oops"), after=2), APIConnectionError, True, "closed with 1011 oops"),
        (Fault(cut=True, after=2), APIConnectionError, True, "the connection broke"),
        (Fault(garbage="{no json", after=2), APIError, True, "cannot be read"),
        (Fault(garbage="[]", after=2), APIError, True, "cannot be read"),
        (Fault(garbage='{"message_type": "rate_limited", "error": "slow"}', after=2), APIStatusError, True, "slow"),
        (Fault(garbage='{"message_type": "quota_exceeded", "error": "no"}', after=2), APIStatusError, False, "no"),
        (
            Fault(garbage='{"message_type": "transcriber_error", "error": "oh"}', after=2),
            APIError,
            True,
            "request el-1",
        ),
    ],
)
async def test_a_connection_that_goes_wrong_is_a_typed_error(
    fault: Fault, kind: type[APIError], retryable: bool, says: str
) -> None:
    async with ScribeServer([Call([HELLO], fault=fault)]) as server:
        with pytest.raises(APIError) as raised:
            await heard(scribe(server), 1.0, asyncio.Event())
    assert type(raised.value) is kind
    assert raised.value.retryable is retryable
    assert says in str(raised.value)


async def test_messages_of_a_kind_that_is_not_known_cost_nothing() -> None:
    fault = Fault(garbage='{"message_type": "warning", "warning": "noisy"}', after=2)
    async with ScribeServer([Call([HELLO], fault=fault)]) as server:
        assert told(await heard(scribe(server), 0.7), FINAL) == [("final_transcript", "Hello there.")]


async def test_a_commit_that_is_not_answered_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition_socket, "TICK", 0.01)
    monkeypatch.setattr(recognition_socket, "END_WITHIN", 0.03)
    monkeypatch.setattr(vendor_socket, "CLOSE_WITHIN", 0.02)
    async with ScribeServer([Call([HELLO], fault=Fault(silent=True, after=2))]) as server:
        with pytest.raises(APITimeoutError, match="no end within"):
            await heard(scribe(server), 1.0)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"model": "scribe_v1"}, "must be a realtime one"),
        ({"sample_rate": 11025}, "there are: 8000"),
        ({"audio_chunk_duration_ms": 0}, "between 10 and 1000"),
        ({"server_vad": {"vad_threshold": 2}}, "between 0.1 and 0.9"),
        ({"server_vad": {"loudness": 2}}, "server_vad has no 'loudness'"),
        ({"keyterms": ["x" * 21]}, "at most 20 characters"),
        ({"keyterms": ["x"] * 51}, "50 keyterms at most"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        STT(api_key="key", **options)
