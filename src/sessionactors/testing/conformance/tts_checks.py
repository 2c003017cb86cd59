"""What a voice must do."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import ClassVar

from sessionactors.interfaces.tts import TTS, SynthesizedAudio
from sessionactors.model.errors import APIError

from .check import Checks
from .footprint import footprint, settled
from .outcome import Nonconforming, NotApplicable
from .reading import within
from .request_checks import REQUEST_CHECKS
from .rig import RequestRig

TTS_CHECKS = Checks(REQUEST_CHECKS)
needs = TTS_CHECKS.needs

SHORTEST, LONGEST = 0.01, 0.5
"""Seconds of audio that a character can take."""


class TextError(Exception):
    """Raised by a text in the middle of it."""


class Text(AsyncIterator[str]):
    """A text in pieces, as a session gives it; not a generator, as nobody closes it.

    Args:
        pieces: of it.
        stays_open: no end comes after the last one.
        error: raised after the last one.
    """

    def __init__(self, pieces: Iterable[str], *, stays_open: bool = False, error: Exception | None = None) -> None:
        self._pieces = iter(pieces)
        self._stays_open = stays_open
        self._error = error

    async def __anext__(self) -> str:
        await asyncio.sleep(0)
        for piece in self._pieces:
            return piece
        if self._stays_open:
            await asyncio.get_running_loop().create_future()
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration


@dataclass(frozen=True, kw_only=True)
class TTSRig(RequestRig[TTS]):
    """A voice.

    Args:
        pieces: a text in two sentences or more, as a session gives it: they are joined as they are.
        streams: audio comes before all of it is made.
    """

    kind: ClassVar[str] = "tts"
    pieces: tuple[str, ...] = ("The first train leaves at seven. ", "The second one leaves at nine. ")
    streams: bool = True

    def ask(self, provider: TTS) -> AsyncGenerator[object, None]:
        """The text, spoken."""
        return self.speak(provider, Text(self.pieces))

    @staticmethod
    async def speak(provider: TTS, text: AsyncIterable[str]) -> AsyncGenerator[object, None]:
        """What the voice makes of a text, closed as a session closes it."""
        audio = provider.synthesize(text)
        try:
            async for piece in audio:
                yield piece
        finally:
            aclose = getattr(audio, "aclose", None)
            if aclose is not None:
                await aclose()

    def is_answer(self, item: object) -> bool:
        """Sound."""
        return isinstance(item, SynthesizedAudio) and bool(item.frame.data)

    def is_whole(self, items: list[object]) -> str:
        """So much audio as such a text can take."""
        if strange := [item for item in items if not isinstance(item, SynthesizedAudio)]:
            return f"it yielded {strange[0]!r}, not SynthesizedAudio"
        characters = sum(map(len, self.pieces))
        seconds = seconds_of(items)
        if SHORTEST * characters <= seconds <= LONGEST * characters:
            return ""
        return f"{seconds:.2f} s of audio for {characters} characters"


def seconds_of(items: Iterable[object]) -> float:
    """Seconds of audio in them."""
    return sum(item.frame.duration for item in items if isinstance(item, SynthesizedAudio))


async def _spoken(rig: TTSRig, provider: TTS, pieces: Iterable[str]) -> list[SynthesizedAudio]:
    async def read() -> list[SynthesizedAudio]:
        async with aclosing(rig.speak(provider, Text(pieces))) as audio:
            return [item async for item in audio if isinstance(item, SynthesizedAudio)]

    return await within(rig.patience, "a synthesis", read())


@needs()
async def keeps_its_format(rig: TTSRig) -> None:
    """All audio is mono at the rate that it says it has."""
    async with rig.opened() as provider:
        for audio in await _spoken(rig, provider, rig.pieces):
            if audio.frame.num_channels != 1 or audio.frame.sample_rate != provider.sample_rate:
                raise Nonconforming(f"{audio.frame}, not mono at {provider.sample_rate} Hz")


@needs()
async def speaks_every_piece(rig: TTSRig) -> None:
    """Each piece of the text is spoken: the whole takes longer than the first piece alone, in audio."""
    async with rig.opened() as provider:
        first = seconds_of(await _spoken(rig, provider, rig.pieces[:1]))
        whole = seconds_of(await _spoken(rig, provider, rig.pieces))
    share = len(rig.pieces[0]) / sum(map(len, rig.pieces))
    if first > whole * (1 + share) / 2:
        raise Nonconforming(f"{first:.2f} s for the first of {len(rig.pieces)} pieces, {whole:.2f} s for all")


@needs()
async def speaks_before_the_text_ends(rig: TTSRig) -> None:
    """A sentence is spoken when it is there, not when the next one comes or the text ends: replies grow."""

    async def first(provider: TTS) -> None:
        async with aclosing(rig.speak(provider, Text(rig.pieces[:1], stays_open=True))) as audio:
            async for item in audio:
                if rig.is_answer(item):
                    return
        raise Nonconforming("the audio ended before the text")

    async with rig.opened() as provider:
        await within(rig.patience, "the first audio of a text that goes on", first(provider))


@needs()
async def comes_in_pieces(rig: TTSRig) -> None:
    """Audio comes in pieces of less than a second: what is interrupted was not made, and not paid for."""
    if not rig.streams:
        raise NotApplicable("it makes all audio of a text at once")
    async with rig.opened() as provider:
        audio = await _spoken(rig, provider, rig.pieces)
    longest = max((item.frame.duration for item in audio), default=0.0)
    if len(audio) < 2 or longest >= 1.0:
        raise Nonconforming(f"{len(audio)} piece(s), the longest of {longest:.2f} s")


@needs()
async def says_nothing_for_nothing(rig: TTSRig) -> None:
    """A text without words ends, with an APIError at the worst; it leaves the voice able to speak."""
    async with rig.opened() as provider:
        for pieces in ((), ("",), ("  \n",), ("...",)):
            try:
                audio = await _spoken(rig, provider, pieces)
            except APIError:
                continue
            if not pieces and seconds_of(audio):
                raise Nonconforming(f"{seconds_of(audio):.2f} s of audio for no text at all")
        if wrong := rig.is_whole([*await _spoken(rig, provider, rig.pieces)]):
            raise Nonconforming(f"after texts without words: {wrong}")


@needs()
async def times_its_words(rig: TTSRig) -> None:
    """Timings go forward in text and audio, lie inside of both, and the last word has one."""
    async with rig.opened() as provider:
        if not provider.aligned_transcript:
            raise NotApplicable("it does not tell when words were spoken")
        audio = await _spoken(rig, provider, rig.pieces)
    text, seconds = "".join(rig.pieces), seconds_of(audio)
    timings = [timing for item in audio for timing in item.timings]
    if not timings:
        raise Nonconforming("no timings, though aligned_transcript is true")
    for before, after in itertools.pairwise(timings):
        if after.text_end <= before.text_end or after.end_time < before.end_time:
            raise Nonconforming(f"{after} comes after {before}")
    last = timings[-1]
    if last.text_end > len(text) or last.end_time > seconds + 0.05 or timings[0].end_time < 0:
        raise Nonconforming(f"{last} in a text of {len(text)} characters and {seconds:.3f} s of audio")
    if any(character.isalnum() for character in text[last.text_end :]):
        raise Nonconforming(f"no timing for {text[last.text_end :]!r}")


@needs()
async def ends_with_its_text(rig: TTSRig) -> None:
    """A text that fails ends the synthesis with its error (or an APIError), and leaves nothing running."""
    async with rig.opened() as provider:
        before = await footprint()
        for _ in range(rig.rounds):
            text = Text(rig.pieces[:1], error=TextError("the text ends here"))

            async def read(text: Text = text) -> None:
                async with aclosing(rig.speak(provider, text)) as audio:
                    async for _ in audio:
                        pass

            try:
                await within(rig.patience, "the end of a text that fails", read())
            except (TextError, APIError):
                continue
            raise Nonconforming("it ended well although its text failed")
        if left := await settled(before, rig.patience, allowed=rig.rounds // 2):
            raise Nonconforming(f"{rig.rounds} texts that failed left {left}")
