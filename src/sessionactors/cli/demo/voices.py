"""The caller's lines as recordings: another voice than the agent's, each in a WAV file of its own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from sessionactors.interfaces.tts import TTS
from sessionactors.model.audio import AudioFrame
from sessionactors.providers.offline import default_tts
from sessionactors.transports.wav import read_wav, write_wav


async def spoken(sentences: Sequence[str]) -> list[AudioFrame]:
    """The sentences in the caller's voice.

    Raises:
        MissingDependencyError: no voice is installed; says what to install.
    """
    voice = default_tts("caller")
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="sessionactors-demo-"))
    try:
        return [
            await _through_a_file(folder / f"line-{number}.wav", voice, sentence)
            for number, sentence in enumerate(sentences, start=1)
        ]
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)
        await voice.aclose()


async def _through_a_file(path: Path, voice: TTS, sentence: str) -> AudioFrame:
    pcm = [audio.frame.data async for audio in voice.synthesize(_one(sentence))]
    await asyncio.to_thread(write_wav, path, pcm, sample_rate=voice.sample_rate, num_channels=1)
    recording = await asyncio.to_thread(read_wav, path)
    return AudioFrame(recording.pcm, recording.sample_rate, recording.num_channels)


async def _one(text: str) -> AsyncIterator[str]:
    yield text
