"""A voice whose backend is in its head: it conforms, or has exactly the flaw that one check is there for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager

from sessionactors.interfaces.tts import TTS, SynthesizedAudio, WordTiming
from sessionactors.model.audio import AudioFrame
from sessionactors.testing import VirtualLoop
from sessionactors.testing.conformance import Fault, TTSRig
from sessionactors.testing.scripted_tts import pcm_of

from tests.conformance.fake_backend import KEY, FakeBackend

RATE = 8000
PER_CHARACTER = 400


class FakeTTS(TTS):
    """Speaks the codes of the characters."""

    label = "fake.TTS"
    aligned_transcript = True

    def __init__(self, fault: Fault | None = None, flaw: str = "") -> None:
        self.backend = FakeBackend(fault, flaw)
        self._flaw = flaw
        if flaw == "names_itself":
            self.label = ""

    @property
    def sample_rate(self) -> int:
        return RATE

    def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[SynthesizedAudio]:
        return self.backend.request(self._audio(text))

    async def aclose(self) -> None:
        self.backend.close()

    async def _audio(self, text: AsyncIterable[str]) -> AsyncGenerator[SynthesizedAudio, None]:
        await self.backend.begin()
        if self._flaw == "speaks_before_the_text_ends":
            text = _at_once([piece async for piece in text])
        if self._flaw == "drip_is_passed_on":
            text = _at_once(["".join([piece async for piece in text])])
        if self._flaw == "ends_with_its_text":
            text = _whatever_comes(text)
        spoken = 0
        async for piece in text:
            if self._flaw == "says_nothing_for_nothing" and not piece.strip():
                raise ValueError("nothing to say")
            async for audio in self._piece(piece, spoken):
                yield audio
            spoken += len(piece)
            if self._flaw == "speaks_every_piece":
                return

    async def _piece(self, piece: str, before: int) -> AsyncGenerator[SynthesizedAudio, None]:
        if self._flaw == "answers" or self.backend.fault is Fault.EMPTY:
            return
        dripping = self.backend.fault is Fault.DRIP
        words = [word for word in piece.replace(" ", " \0").split("\0") if word]
        if self._flaw in ("comes_in_pieces", "drip_is_passed_on"):
            await asyncio.sleep(0.02 * len(words) if dripping else 0)
            words = [piece]
        end = before
        for number, word in enumerate(words):
            if number == 3 and await self.backend.midway():
                return
            end += len(word)
            timing = WordTiming(before if self._flaw == "times_its_words" else end, end * PER_CHARACTER / RATE)
            rate = RATE * 2 if self._flaw == "keeps_its_format" else RATE
            frame = AudioFrame(pcm_of(word, PER_CHARACTER), rate)
            yield SynthesizedAudio(frame, (timing,) if word.strip() else ())
            await asyncio.sleep(0.02 if dripping else 0.001)


async def _at_once(pieces: list[str]) -> AsyncGenerator[str, None]:
    for piece in pieces:
        yield piece


async def _whatever_comes(text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
    try:
        async for piece in text:
            yield piece
    except Exception:
        return


def fake_tts_rig(flaw: str = "") -> TTSRig:
    """A rig of a voice with a flaw."""
    voices: list[FakeTTS] = []

    @asynccontextmanager
    async def opened(fault: Fault | None) -> AsyncIterator[TTS]:
        voices.append(FakeTTS(fault, flaw))
        yield voices[-1]

    return TTSRig(
        name="fake.TTS",
        open=opened,
        faults=frozenset(Fault),
        secret=KEY,
        connections=lambda: voices[-1].backend.connections,
        most_connections=2,
        loop_factory=VirtualLoop,
    )
