"""A voice of OpenAI's, heard through the real SDK: what is asked, what comes, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import openai as sdk
import pytest

from sessionactors.interfaces.home import Home
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError, OptionError
from sessionactors.providers.openai import TTS

from tests.providers.openai.asking import until
from tests.wire.openai_audio import Speech, Spoken, sound
from tests.wire.openai_server import OpenAIServer


async def pieces(*texts: str) -> AsyncIterator[str]:
    for text in texts:
        yield text


async def spoken(tts: TTS, *texts: str) -> bytes:
    async with aclosing(tts.synthesize(pieces(*texts))) as audio:
        return b"".join([piece.frame.data async for piece in audio])


async def heard(speech: Speech, *texts: str, **options: Any) -> bytes:
    async with OpenAIServer(parts=[speech]) as server:
        tts = TTS(base_url=server.base_url, **options)
        try:
            return await spoken(tts, *texts)
        finally:
            await tts.aclose()


async def failure(spoken: Spoken, **options: Any) -> APIError:
    with pytest.raises(APIError) as raised:
        await heard(Speech([spoken]), "Hello there.", **options)
    return raised.value


async def test_each_sentence_is_a_request_and_the_audio_is_whole() -> None:
    speech = Speech()
    texts = ("The first train leaves at seven. ", "  \n", "...", "The second one leaves at nine.")
    assert await heard(speech, *texts) == sound(texts[0]) + sound(texts[3])
    assert [asked["input"] for asked in speech.asked] == [texts[0], texts[3]]


async def test_what_is_asked() -> None:
    speech = Speech()
    await heard(speech, "Hello.")
    plain = {"input": "Hello.", "model": "gpt-4o-mini-tts", "voice": "ash", "response_format": "pcm", "speed": 1.0}
    assert speech.asked == [plain]
    async with OpenAIServer(parts=[speech]) as server:
        tts = TTS(base_url=server.base_url, instructions="Calmly.", extra_headers={"X-Team": "voice"})
        tts.update_options(model="gpt-4o-tts", voice="coral", speed=1.5)
        await spoken(tts, "Hello.")
        tts.update_options(instructions="Loudly.")
        await spoken(tts, "Hello.")
        await tts.aclose()
    changed = {**plain, "model": "gpt-4o-tts", "voice": "coral", "speed": 1.5}
    assert speech.asked[1:] == [{**changed, "instructions": "Calmly."}, {**changed, "instructions": "Loudly."}]
    assert server.asked[0].headers["x-team"] == "voice"
    assert len(server.connections) == 1
    assert tts.model == "gpt-4o-tts"


async def test_audio_comes_in_short_frames_as_it_is_made() -> None:
    async with OpenAIServer(parts=[Speech([Spoken(piece=48_000, hang_after=1)])]) as server:
        tts = TTS(base_url=server.base_url)
        async with aclosing(tts.synthesize(pieces("Hello there, how are you today?"))) as audio:
            frames = [(await anext(audio)).frame for _ in range(5)]
        await tts.aclose()
    assert all(0 < frame.duration <= 0.2 for frame in frames)
    assert sum(frame.duration for frame in frames) == 1.0


async def test_closing_it_frees_the_connection() -> None:
    speech = Speech([Spoken(hang_after=2)])
    async with OpenAIServer(parts=[speech]) as server:
        tts = TTS(base_url=server.base_url)
        async with aclosing(tts.synthesize(pieces("Hello there."))) as audio:
            await anext(audio)
        await until(lambda: speech.gone)
        assert await spoken(tts, "Hello.") == sound("Hello.")
        await tts.aclose()


@pytest.mark.parametrize("waiting", [Spoken(delay=30.0), Spoken(hang_after=1)])
async def test_cancelling_it_frees_the_connection(waiting: Spoken) -> None:
    speech = Speech([waiting])
    async with OpenAIServer(parts=[speech]) as server:
        tts = TTS(base_url=server.base_url)
        task = asyncio.create_task(spoken(tts, "Hello there."))
        await until(lambda: speech.asked)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: speech.gone)
        await tts.aclose()


@pytest.mark.parametrize("status, retryable", [(400, False), (401, False), (429, True), (500, True)])
async def test_an_error_status_is_typed(status: int, retryable: bool) -> None:
    error = await failure(Spoken(status=status, error={"message": "no, sorry"}, headers={"retry-after": "3"}))
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.retryable, error.request_id, error.retry_after) == (status, retryable, "req_1", 3)
    assert "no, sorry" in str(error)


async def test_a_connection_that_breaks_in_the_audio_is_typed() -> None:
    error = await failure(Spoken(break_after=2))
    assert isinstance(error, APIConnectionError)
    assert error.retryable


async def test_silence_runs_into_the_backstop() -> None:
    for silent in (Spoken(delay=30.0), Spoken(hang_after=1)):
        assert isinstance(await failure(silent, timeout=0.05), APITimeoutError)


@pytest.mark.parametrize("kind", ["audio/mpeg", "audio/wav", "application/json; charset=utf-8"])
async def test_what_is_no_pcm_is_not_played(kind: str) -> None:
    error = await failure(Spoken(content_type=kind))
    assert kind in str(error)
    assert not error.retryable


async def test_endpoints_with_another_rate() -> None:
    tts = TTS(base_url="http://localhost/v1", sample_rate=16000)
    assert tts.sample_rate == 16000
    assert TTS(base_url="http://localhost/v1").sample_rate == 24000


@pytest.mark.parametrize("options", [{"speed": 5.0}, {"response_format": "mp3"}, {"sample_rate": 0}, {"timeout": -1.0}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        TTS(base_url="http://localhost/v1", **options)
    with pytest.raises(OptionError, match="speed"):
        TTS(base_url="http://localhost/v1").update_options(speed=0.1)


def test_a_key_is_needed_without_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(OptionError, match=r"openai\.TTS needs an api_key"):
        TTS()
    assert TTS(client=sdk.AsyncOpenAI(api_key="mine")).home is Home.USER


async def test_prewarming_opens_the_connection_of_the_first_sentence() -> None:
    async with OpenAIServer(parts=[Speech()]) as server:
        tts = TTS(base_url=server.base_url)
        tts.prewarm()
        await until(lambda: server.pinged)
        await asyncio.sleep(0.01)
        await spoken(tts, "Hello.")
        await tts.aclose()
        assert len(server.connections) == 1


async def test_azure_is_asked_for_a_deployment() -> None:
    speech = Speech()
    async with OpenAIServer(parts=[speech], key="secret") as server:
        tts = TTS.with_azure(
            azure_endpoint=server.base_url.removesuffix("/v1"),
            azure_deployment="voice",
            api_version="2025-04-01-preview",
            api_key="secret",
        )
        assert await spoken(tts, "Hello.") == sound("Hello.")
        await tts.aclose()
