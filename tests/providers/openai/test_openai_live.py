"""The same against OpenAI itself: `OPENAI_API_KEY=... pytest -m live tests/providers/openai`. Costs a cent or so."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import pytest

from sessionactors.interfaces.stt import SpeechEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import FLUSH, FlushSentinel
from sessionactors.providers.openai import LLM, STT, TTS, responses

from tests.providers.openai.asking import WEATHER, answer, hello, text_of

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("OPENAI_API_KEY" not in os.environ, reason="needs OPENAI_API_KEY, and spends its money"),
    pytest.mark.may_block("the SDK looks at the platform in its first request"),
]
SENTENCE = "The first train to Zermatt leaves at seven."


async def piece() -> AsyncIterator[str]:
    yield SENTENCE


async def spoken() -> AudioFrame:
    tts = TTS()
    async with aclosing(tts.synthesize(piece())) as audio:
        pcm = b"".join([part.frame.data async for part in audio])
    await tts.aclose()
    return AudioFrame(pcm, tts.sample_rate)


@pytest.mark.parametrize("make", [LLM, responses.LLM])
async def test_a_model_answers_and_calls(make: Any) -> None:
    llm = make(model="gpt-4.1-mini")
    chunks = await answer(llm)
    assert text_of(chunks).strip()
    assert [chunk.usage for chunk in chunks if chunk.usage]
    called = await answer(llm, hello(), tools=[WEATHER], tool_choice="required")
    assert {call.name for chunk in called for call in chunk.tool_calls} == {"weather"}
    await llm.aclose()


async def test_a_voice_is_understood_by_a_recogniser() -> None:
    stt = STT(model="gpt-4o-mini-transcribe")
    heard = await stt.recognize([await spoken()])
    assert "Zermatt" in heard.text
    await stt.aclose()


async def test_a_stream_is_understood() -> None:
    said = await spoken()
    stt = STT(model="gpt-4o-mini-transcribe", use_realtime=True)

    async def line() -> AsyncIterator[AudioFrame | FlushSentinel]:
        for at in range(0, len(said.data), 4800):
            yield AudioFrame(said.data[at : at + 4800], said.sample_rate)
        yield AudioFrame(bytes(48000), said.sample_rate)
        yield FLUSH

    events = [event async for event in stt.transcribe(cast("Any", line()))]
    finals = [event.text for event in events if event.type is SpeechEventType.FINAL_TRANSCRIPT]
    assert "Zermatt" in " ".join(finals)
    await stt.aclose()
