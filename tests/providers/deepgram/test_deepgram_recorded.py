"""Deepgram's recogniser with utterances that are over: one request each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessionactors.interfaces.stt import SpeechEvent
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError
from sessionactors.providers.deepgram import STT

from tests.wire.deepgram import Call, DeepgramServer, Spoken
from tests.wire.vendor_server import Fault

UTTERANCE = [AudioFrame(bytes(640), 16000)] * 50


def stt(server: DeepgramServer, **options: Any) -> STT:
    return STT(**{"api_key": server.key, "base_url": server.listen_url, **options})


async def recognized(call: Call, **options: Any) -> tuple[SpeechEvent, DeepgramServer]:
    async with DeepgramServer([call]) as server:
        recognizer = stt(server, **options)
        try:
            return await recognizer.recognize(UTTERANCE), server
        finally:
            await recognizer.aclose()


async def test_an_utterance_is_one_final_with_its_words() -> None:
    heard, server = await recognized(Call([Spoken("Hello there.", 0.2, 0.6, speaker=1)]), enable_diarization=True)
    assert (heard.type.value, heard.text, heard.language) == ("final_transcript", "Hello there.", "en-US")
    assert [(word.text, word.start_time, word.end_time, word.speaker_id) for word in heard.words] == [
        ("Hello", 0.2, 0.4, "S1"),
        ("there.", 0.4, 0.6, "S1"),
    ]
    assert (heard.start_time, heard.end_time, heard.speaker_id, heard.request_id) == (0.2, 0.6, "S1", "dg-1")
    assert bytes(server.last.audio) == bytes(640) * 50
    assert server.last.options == {
        "model": "nova-3",
        "language": "en-US",
        "punctuate": "true",
        "smart_format": "false",
        "filler_words": "true",
        "profanity_filter": "false",
        "numerals": "false",
        "mip_opt_out": "false",
        "diarize": "true",
    }


async def test_the_language_can_be_detected() -> None:
    call = Call([Spoken("Hola", 0.2, 0.6, language="es")])
    heard, server = await recognized(
        call, detect_language=True, keyterm=["Brig", "Thun"], tags=["desk"], redact="pci", replace={"a": "b"}
    )
    assert (heard.text, heard.language) == ("Hola", "es")
    assert "language" not in server.last.options
    assert server.last.all("keyterm") == ["Brig", "Thun"]
    assert (server.last.options["redact"], server.last.options["replace"]) == ("pci", "a:b")


async def test_noise_and_no_audio_at_all_have_no_words() -> None:
    heard, _ = await recognized(Call())
    assert heard.text == ""
    async with DeepgramServer([Call()]) as server:
        assert (await stt(server).recognize([])).text == ""
    assert server.received == []


@pytest.mark.parametrize("status, retryable", [(400, False), (401, False), (429, True), (503, True)])
async def test_a_refusal_is_retried_where_that_can_help(status: int, retryable: bool) -> None:
    with pytest.raises(APIStatusError) as raised:
        await recognized(Call(fault=Fault(status, {"err_msg": "not now"}, {"retry-after": "2"})))
    error = raised.value
    assert (error.status_code, error.retryable, error.retry_after, error.request_id) == (status, retryable, 2.0, "dg-1")
    assert "not now" in str(error)


async def test_what_goes_wrong_below_is_typed_and_leaves_nothing() -> None:
    with pytest.raises(APIConnectionError):
        await recognized(Call(fault=Fault(cut=True)))
    with pytest.raises(APIError, match="cannot be read"):
        await recognized(Call(fault=Fault(garbage='{"results": 7}')))
    async with DeepgramServer([Call(fault=Fault(silent=True))]) as server:
        recognizer = stt(server)
        request = asyncio.create_task(recognizer.recognize(UTTERANCE))
        await asyncio.sleep(0.02)
        request.cancel()
        await asyncio.wait((request,))
        await server.all_gone()
        await recognizer.aclose()
