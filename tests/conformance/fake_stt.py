"""A recogniser whose backend is in its head: it conforms, or has exactly the flaw that one check is there for.

It hears what :mod:`.fake_tts` says: samples that are the codes of characters.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager

from sessionactors.interfaces.stt import (
    STT,
    RecognitionUsage,
    RecognizedWord,
    SpeechEvent,
    SpeechEventType,
    STTCapabilities,
)
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import AudioFormatError
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.testing import VirtualLoop
from sessionactors.testing.conformance import Fault, STTRig, Utterance
from sessionactors.testing.scripted_tts import pcm_of

from tests.conformance.fake_backend import KEY, FakeBackend

RATE = 16000
PER_CHARACTER = 160


def marked(text: str) -> Utterance:
    """A text that the fake recogniser hears, with silence around it."""
    silence = bytes(2 * 20 * PER_CHARACTER)
    return Utterance(AudioFrame(silence + pcm_of(text, PER_CHARACTER) + silence, RATE), text)


class FakeSTT(STT):
    """Hears the codes of the characters."""

    label = "fake.STT"

    def __init__(self, fault: Fault | None = None, flaw: str = "") -> None:
        self.backend = FakeBackend(fault, flaw)
        self._flaw = flaw
        self._shared = bytearray()
        if flaw == "names_itself":
            self.label = ""

    @property
    def capabilities(self) -> STTCapabilities:
        return STTCapabilities(aligned_transcript="word", end_of_speech=True)

    def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        return self.backend.request(self._events(audio))

    async def aclose(self) -> None:
        self.backend.close()

    async def _events(self, audio: AsyncIterable[AudioFrame | FlushSentinel]) -> AsyncGenerator[SpeechEvent, None]:
        await self.backend.begin()
        heard = self._shared if self._flaw == "mixes_no_streams" else bytearray()
        before, words = 0, 0
        async for item in audio:
            if isinstance(item, AudioFrame):
                if self._hears_nothing(item):
                    return
                heard += item.data
                if (now := _text(heard).count(" ")) > words:
                    words = now
                    if words == 2 and await self.backend.midway():
                        return
                    if self._shows_interims:
                        yield SpeechEvent(SpeechEventType.INTERIM_TRANSCRIPT, _text(heard))
            elif self._flaw != "finishes_at_a_flush":
                async for event in self._final(heard, before):
                    yield event
                if self._flaw == "goes_on_after_a_flush":
                    return
                before, words = before + len(heard) // 2, 0
                heard.clear()
        async for event in self._end(heard, before):
            yield event

    async def _end(self, heard: bytearray, before: int) -> AsyncGenerator[SpeechEvent, None]:
        if self._flaw == "ends_without_audio" and not before and not heard:
            raise KeyError("no audio")
        if self._flaw != "ends_with_the_audio":
            async for event in self._final(heard, before):
                yield event

    @property
    def _shows_interims(self) -> bool:
        dripping = self.backend.fault is Fault.DRIP
        return self._flaw != "interims_come_before_the_final" and not (dripping and self._flaw == "drip_is_passed_on")

    def _hears_nothing(self, frame: AudioFrame) -> bool:
        if self._flaw == "takes_frames_of_any_length" and frame.samples_per_channel != 320:
            raise AudioFormatError("20 ms, please")
        return self.backend.fault is Fault.EMPTY or self._flaw == "answers"

    async def _final(self, heard: bytearray, before: int) -> AsyncGenerator[SpeechEvent, None]:
        await asyncio.sleep(0.001)
        text = _text(heard)
        if not text and heard and self._flaw == "hears_nothing_in_silence":
            yield SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, "thanks for watching")
        if not text:
            return
        if self._flaw != "tells_the_edges_of_speech":
            yield SpeechEvent(SpeechEventType.START_OF_SPEECH)
        at = before / RATE
        words = []
        for word in text.split():
            end = at + len(word) * PER_CHARACTER / RATE
            words.append(RecognizedWord(word, end if self._flaw == "times_its_words" else at, at + 0.01))
            at = end
        yield SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, text, words=tuple(words))
        yield SpeechEvent(SpeechEventType.END_OF_SPEECH)
        if self._flaw != "reports_usage":
            usage = RecognitionUsage(len(heard) / 2 / RATE)
            yield SpeechEvent(SpeechEventType.RECOGNITION_USAGE, usage=usage)


def _text(heard: bytearray) -> str:
    codes = memoryview(bytes(heard)).cast("h")[PER_CHARACTER // 2 :: PER_CHARACTER]
    return "".join(map(chr, codes)).replace("\0", "")


def fake_stt_rig(flaw: str = "") -> STTRig:
    """A rig of a recogniser with a flaw."""
    recognisers: list[FakeSTT] = []

    @asynccontextmanager
    async def opened(fault: Fault | None) -> AsyncIterator[STT]:
        recognisers.append(FakeSTT(fault, flaw))
        yield recognisers[-1]

    return STTRig(
        name="fake.STT",
        open=opened,
        faults=frozenset(Fault),
        secret=KEY,
        utterances=(marked("one two three four five six"), marked("the second train leaves at nine")),
        usage=True,
        speed=1.0,
        patience=30.0,
        rounds=4,
        connections=lambda: recognisers[-1].backend.connections,
        most_connections=2,
        loop_factory=VirtualLoop,
    )
