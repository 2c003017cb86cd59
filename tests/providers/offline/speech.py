"""Sentences drawn from an intent table, spoken by an installed voice, as the audio that a session gives providers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import cache
from typing import Final, TypeVar

import numpy as np
import soxr

from sessionactors.interfaces.stt import SpeechEvent, SpeechEventType
from sessionactors.interfaces.tts import TTS
from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import FLUSH, FlushSentinel
from sessionactors.providers.offline.espeak import EspeakTTS, espeak_installed
from sessionactors.providers.offline.flite import FliteTTS, flite_installed
from sessionactors.providers.offline.intents import IntentTable
from sessionactors.providers.offline.phrases import Maybe, Phrase, SlotRef
from sessionactors.providers.offline.stt import PocketSphinxSTT

RATE: Final = 16000
T = TypeVar("T")
NO_VOICE: Final = "no voice: apt install flite, or pip install espeakng-loader"


def voice_installed() -> bool:
    return flite_installed() or espeak_installed()


def caller_voice() -> TTS:
    """A voice the recogniser should understand; flite's is the same to the bit each time."""
    return FliteTTS(voice="kal16") if flite_installed() else EspeakTTS(voice="en-us+klatt4")


def random_sentence(table: IntentTable, rng: random.Random) -> str:
    """A sentence of the table's grammar."""
    _, phrase = rng.choice(table.phrases)
    return " ".join(_chosen(phrase, table, rng))


def _chosen(phrase: Phrase, table: IntentTable, rng: random.Random) -> Iterator[str]:
    for element in phrase:
        match element:
            case SlotRef(name):
                yield rng.choice(list(table.slots[name].values))
            case Maybe(elements):
                if rng.random() < 0.5:
                    yield from _chosen(elements, table, rng)
            case str():
                yield element


@cache
def spoken(sentence: str) -> bytes:
    """The sentence at 16 kHz, by the caller's voice. Kept, because espeak says it differently each time."""
    with ThreadPoolExecutor(1) as thread:  # tests ask for it inside of their loops
        return thread.submit(asyncio.run, _spoken(sentence)).result()


async def _spoken(sentence: str) -> bytes:
    voice = caller_voice()
    try:
        pcm = b"".join([audio.frame.data async for audio in voice.synthesize(pieces(sentence))])
    finally:
        await voice.aclose()
    samples = np.frombuffer(pcm, dtype="<i2")
    resampled = soxr.resample(samples, voice.sample_rate, RATE, quality="MQ")
    return np.asarray(resampled, dtype="<i2").tobytes()


class Stream(AsyncIterator[T]):
    """What a session hands to a provider. Not a generator: nobody closes those that a provider stops reading."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)

    async def __anext__(self) -> T:
        await asyncio.sleep(0)
        for item in self._items:
            return item
        raise StopAsyncIteration


def pieces(*texts: str) -> Stream[str]:
    return Stream(texts)


def silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


def noise(seconds: float, rms: float, seed: int = 0) -> bytes:
    samples = np.random.default_rng(seed).normal(scale=rms, size=round(seconds * RATE))
    return np.clip(np.round(samples), -32768, 32767).astype("<i2").tobytes()


def in_frames(pcm: bytes, milliseconds: int = 20) -> Iterator[AudioFrame]:
    length = 2 * RATE * milliseconds // 1000
    for start in range(0, len(pcm), length):
        yield AudioFrame(pcm[start : start + length], RATE)


def as_audio(parts: Iterable[bytes | FlushSentinel]) -> Stream[AudioFrame | FlushSentinel]:
    """Audio in 20 ms frames with flushes between, faster than real time."""
    return Stream(item for part in parts for item in ((part,) if isinstance(part, FlushSentinel) else in_frames(part)))


def utterances(*sentences: str) -> list[bytes | FlushSentinel]:
    """Each sentence with silence around it and a flush half a second after its end, as a session with a VAD does."""
    parts: list[bytes | FlushSentinel] = []
    for sentence in sentences:
        parts += [silence(0.6), spoken(sentence), silence(0.5), FLUSH]
    return parts


async def heard(stt: PocketSphinxSTT, parts: Sequence[bytes | FlushSentinel]) -> list[SpeechEvent]:
    async with aclosing(stt.transcribe(as_audio(parts))) as events:
        return [event async for event in events]


def finals(events: Iterable[SpeechEvent]) -> list[str]:
    """Texts of the finals that have any."""
    return [event.text for event in events if event.type is SpeechEventType.FINAL_TRANSCRIPT and event.text]
