"""A voice whose audio can be read: each sample says which synthesis it is of, and which character.

What a sink has played is so known from the sound alone, without asking anybody who might be wrong about it: the ground
truth for "no stale sound" (P1) and "history is what was heard" (P2).
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sessionactors.interfaces.tts import TTS, SynthesizedAudio, WordTiming
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import OptionError

from .spoken_frames import spoken_frames

SAMPLE_RATE = 24000
SECONDS_PER_CHARACTER = 0.06
PLACES = 128
"""A sample tells the place of its character in the text modulo this."""
MOST = 255
"""Syntheses of one voice: what fits into a sample beside the place."""

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class VoiceFault:
    """How one synthesis goes wrong."""

    after: float = 0.0
    """Seconds of its audio that come before."""
    error: BaseException | None = None
    """Raised; None: it hangs."""


@dataclass(slots=True)
class Spoken:
    """One synthesis: what the voice was given, and how many samples each character got."""

    text: str = ""
    samples: list[int] = field(default_factory=list)
    """For each character of the text, in order."""

    def words_within(self, samples: int) -> list[str]:
        """The words that have been spoken when so many samples have been played."""
        ends = np.cumsum(self.samples)
        return [word.group() for word in _WORD.finditer(self.text) if ends[word.end() - 1] <= samples]


class MarkedVoice(TTS):
    """Speaks all it is given, with timings for every word.

    Args:
        durations: seconds that a text takes to say; other texts take 0.06 s a character.
        ttfb: seconds from the first piece of text to the first audio.
        speed: seconds of audio that take one second to make, > 0.
        word_timings: tell when each word has been spoken.
        faults: by number of the synthesis, from 1.
        sample_rate: hertz.
    """

    label = "marked-voice"

    def __init__(
        self,
        durations: Mapping[str, float] | None = None,
        *,
        ttfb: float = 0.2,
        speed: float = 10.0,
        word_timings: bool = True,
        faults: Mapping[int, VoiceFault] | None = None,
        sample_rate: int = SAMPLE_RATE,
    ) -> None:
        self._durations = dict(durations or {})
        self._ttfb = ttfb
        self._speed = speed
        self._word_timings = word_timings
        self._faults = dict(faults or {})
        self._sample_rate = sample_rate
        self.syntheses: list[Spoken] = []
        """In the order of their beginnings: number 1 is at index 0."""

    @property
    def sample_rate(self) -> int:
        """Hertz."""
        return self._sample_rate

    @property
    def aligned_transcript(self) -> bool:
        """As given."""
        return self._word_timings

    def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[SynthesizedAudio]:
        """Speak."""
        return self._speak(text)

    def say(self, text: str) -> list[SynthesizedAudio]:
        """The audio of a text as a whole, for a model that speaks with this voice; a synthesis as any other."""
        spoken = Spoken()
        self.syntheses.append(spoken)
        return self._frames(text, len(self.syntheses), spoken)

    def characters_within(self, text: str, seconds: float) -> int:
        """How many characters of a text have been begun after so many seconds of its audio."""
        return round(seconds / self._seconds_per_character(text) + 0.5)

    async def _speak(self, text: AsyncIterable[str]) -> AsyncGenerator[SynthesizedAudio, None]:
        spoken = Spoken()
        self.syntheses.append(spoken)
        number = len(self.syntheses)
        if number > MOST:
            raise OptionError(f"a MarkedVoice can mark {MOST} syntheses; this is one more")
        fault = self._faults.get(number)
        yielded = 0.0
        async for piece in text:
            if not spoken.text:
                await asyncio.sleep(self._ttfb)
            for audio in self._frames(piece, number, spoken):
                if fault is not None and yielded >= fault.after - 1e-9:
                    await _break_off(fault)
                await asyncio.sleep(audio.frame.duration / self._speed)
                yielded += audio.frame.duration
                yield audio

    def _frames(self, piece: str, number: int, spoken: Spoken) -> list[SynthesizedAudio]:
        before, start = len(spoken.text), sum(spoken.samples)
        each = max(1, round(self._seconds_per_character(piece) * self._sample_rate))
        spoken.text += piece
        spoken.samples.extend([each] * len(piece))
        pcm = _pcm(number, before, len(piece), each)
        timings = [
            WordTiming(before + word.end(), (start + word.end() * each) / self._sample_rate)
            for word in _WORD.finditer(piece)
            if self._word_timings
        ]
        return spoken_frames(pcm, self._sample_rate, start, timings)

    def _seconds_per_character(self, piece: str) -> float:
        wanted = piece.strip()
        for text, seconds in self._durations.items():
            if wanted in text:
                return seconds / len(text)
        return SECONDS_PER_CHARACTER


def _pcm(number: int, before: int, characters: int, each: int) -> bytes:
    """int16 little-endian: ``number`` and the place of the character, in every sample."""
    marks = number * PLACES + (before + np.arange(characters)) % PLACES
    return np.repeat(marks, each).astype("<i2").tobytes()


async def _break_off(fault: VoiceFault) -> None:
    if fault.error is not None:
        raise fault.error
    await asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Audio of one synthesis without a gap."""

    synthesis: int
    """Number, from 1."""
    start: int
    """Place of the first sample in the audio it was found in."""
    samples: int


def synthesis_of(frame: AudioFrame) -> int:
    """Number of the synthesis that a frame of a :class:`MarkedVoice` begins with; 0 for an empty frame."""
    values = _values(frame.data[:2])
    return int(values[0]) // PLACES if len(values) else 0


def stretches(pcm: bytes) -> Sequence[Stretch]:
    """The stretches of which audio was made, in order; silence is one of synthesis 0."""
    values = _values(pcm) // PLACES
    if not len(values):
        return ()
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return [Stretch(int(values[begin]), begin, end - begin) for begin, end in itertools.pairwise(edges)]


def _values(pcm: bytes) -> NDArray[np.int32]:
    return np.frombuffer(pcm, dtype="<i2").astype(np.int32)
