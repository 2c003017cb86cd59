"""Deepgram and ElevenLabs themselves: only with a key. CONTRIBUTING.md says how to run them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from sessionactors.interfaces.stt import STT, SpeechEventType
from sessionactors.interfaces.tts import TTS
from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import FLUSH, FlushSentinel
from sessionactors.providers import deepgram, elevenlabs

from tests.providers.voices.reading_aloud import spoken

TEXT = "The first train leaves at seven. "

pytestmark = pytest.mark.live


def needs(*variables: str) -> None:
    if not any(os.environ.get(name) for name in variables):
        pytest.skip(f"needs a key in {' or '.join(variables)}")


async def said_by(tts: TTS) -> bytes:
    try:
        audio = await spoken(tts, TEXT)
    finally:
        await tts.aclose()
    timings = [timing for piece in audio for timing in piece.timings]
    assert not tts.aligned_transcript or timings[-1].text_end >= len(TEXT.strip())
    return b"".join(piece.frame.data for piece in audio)


async def understood_by(stt: STT, pcm: bytes) -> str:
    async def line() -> AsyncIterator[AudioFrame | FlushSentinel]:
        whole = pcm + bytes(3 * stt.sample_rate)
        for at in range(0, len(whole), stt.sample_rate // 25):
            yield AudioFrame(whole[at : at + stt.sample_rate // 25], stt.sample_rate)
        yield FLUSH

    events = [event async for event in stt.transcribe(line())]
    return " ".join(event.text for event in events if event.type is SpeechEventType.FINAL_TRANSCRIPT).lower()


@pytest.mark.parametrize("websocket", [True, False])
async def test_deepgram_understands_what_deepgram_says(websocket: bool) -> None:
    needs("DEEPGRAM_API_KEY")
    pcm = await said_by(deepgram.TTS(sample_rate=16000, websocket=websocket))
    assert "train" in await understood_by(deepgram.STT(), pcm)
    assert "train" in await understood_by(deepgram.STTv2(), pcm)


@pytest.mark.parametrize("websocket", [True, False])
async def test_elevenlabs_understands_what_elevenlabs_says(websocket: bool) -> None:
    needs("ELEVEN_API_KEY", "ELEVENLABS_API_KEY")
    pcm = await said_by(elevenlabs.TTS(encoding="pcm_16000", websocket=websocket))
    assert "train" in await understood_by(elevenlabs.STT(include_timestamps=True), pcm)
