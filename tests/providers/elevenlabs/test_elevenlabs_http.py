"""ElevenLabs' voice over HTTP: a request for each sentence, with times."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError
from sessionactors.providers.elevenlabs import TTS, PronunciationDictionaryLocator, VoiceSettings

from tests.providers.voices.reading_aloud import said, spoken
from tests.wire.elevenlabs import ElevenLabsServer, VoiceCall
from tests.wire.vendor_server import Fault

PIECES = ("The first train leaves at seven. ", " ", "The next one at nine.")


def voice(server: ElevenLabsServer, **options: Any) -> TTS:
    return TTS(**{"api_key": server.key, "base_url": server.base_url, "websocket": False, **options})


async def test_each_sentence_is_a_request_and_words_are_told_where_they_end() -> None:
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(server)
        heard = await spoken(tts, *PIECES)
        await tts.aclose()
    text = "".join(PIECES)
    assert said(heard) == PIECES[0] + PIECES[2]
    timings = [timing for audio in heard for timing in audio.timings]
    assert [text[: timing.text_end].split()[-1] for timing in timings] == text.split()
    ends = [timing.text_end - (timing.text_end > len(PIECES[0])) for timing in timings]  # the lone space is not spoken
    assert [round(timing.end_time, 6) for timing in timings] == [end / 50 for end in ends]
    assert [received.path for received in server.received] == [
        "/v1/text-to-speech/hpp4J3VqNfWAUOO0d1Us/stream/with-timestamps"
    ] * 2
    assert server.received[0].body == {
        "text": PIECES[0],
        "model_id": "eleven_turbo_v2_5",
        "apply_text_normalization": "auto",
    }
    assert server.last.body["previous_text"] == PIECES[0]


async def test_what_is_asked_for() -> None:
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(
            server,
            websocket=None,  # the model says how
            model="eleven_v3",
            encoding="pcm_16000",
            voice_settings=VoiceSettings(stability=0.5, style=0.1),
            language="de",
            streaming_latency=1,
            enable_logging=False,
            sync_alignment=False,
            apply_language_text_normalization=True,
            pronunciation_dictionary_locators=[PronunciationDictionaryLocator("dict", "v1")],
        )
        tts.prewarm()
        heard = await spoken(tts, *PIECES)
        await tts.aclose()
    assert len(server.received) == 2
    assert dict(server.last.query) == {
        "output_format": "pcm_16000",
        "enable_logging": "false",
        "optimize_streaming_latency": "1",
    }
    assert server.last.body == {
        "text": PIECES[2],
        "model_id": "eleven_v3",
        "language_code": "de",
        "apply_text_normalization": "auto",
        "apply_language_text_normalization": True,
        "voice_settings": {"stability": 0.5, "style": 0.1},
        "pronunciation_dictionary_locators": [{"pronunciation_dictionary_id": "dict", "version_id": "v1"}],
    }
    assert not any(audio.timings for audio in heard)


@pytest.mark.parametrize("status, retryable", [(401, False), (402, False), (422, False), (429, True), (500, True)])
async def test_a_refusal_is_retried_where_that_can_help(status: int, retryable: bool) -> None:
    async with ElevenLabsServer([VoiceCall(Fault(status, headers={"retry-after": "2"}))]) as server:
        tts = voice(server)
        with pytest.raises(APIStatusError, match="The server says no") as raised:
            await spoken(tts, *PIECES)
        await tts.aclose()
    error = raised.value
    assert (error.status_code, error.retryable, error.retry_after, error.request_id) == (status, retryable, 2.0, "el-1")
    assert server.key not in f"{error!r} {error.body!r}"
    assert len(server.received) == 1, "retries are the session's"


async def test_an_answer_that_breaks_off_is_a_connection_error_behind_what_came() -> None:
    async with ElevenLabsServer([VoiceCall(Fault(cut=True, after=2))]) as server:
        tts = voice(server)
        with pytest.raises(APIConnectionError):
            await spoken(tts, *PIECES)
        await tts.aclose()


async def test_audio_that_cannot_be_read_is_a_typed_error() -> None:
    async with ElevenLabsServer([VoiceCall(Fault(garbage='{"audio_base64": "!"}', after=1))]) as server:
        tts = voice(server)
        with pytest.raises(APIError, match="cannot be read"):
            await spoken(tts, *PIECES)
        await tts.aclose()


async def test_requests_that_are_cancelled_leave_nothing() -> None:
    async with ElevenLabsServer([VoiceCall(pace=0.002)]) as server:
        tts = voice(server)
        for delay in (0, 0.001, 0.005, 0.01):
            request = asyncio.create_task(spoken(tts, *PIECES))
            await asyncio.sleep(delay)
            request.cancel()
            await asyncio.wait((request,))
        await server.all_gone()
        assert said(await spoken(tts, "Yes. ")) == "Yes. "
        await tts.aclose()
