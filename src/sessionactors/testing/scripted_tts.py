"""A voice that speaks from a script, at exact times; its audio says, sample by sample, which character it is of.

Each character takes the same time, and each of its samples has the character's code as its value: quiet for ASCII
(under -48 dBFS), and readable: :func:`spoken_in` gives the text that a piece of audio contains.
"""

from __future__ import annotations

import array
import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass, field

from sessionactors.interfaces.tts import TTS, SynthesizedAudio, WordTiming

from .spoken_frames import spoken_frames

SAMPLE_RATE = 24000
SECONDS_PER_CHARACTER = 0.06


@dataclass(frozen=True, slots=True)
class ScriptedVoice:
    """How one synthesis goes."""

    after: float | None = None
    """Seconds of audio before it breaks off; None: it does not."""
    error: BaseException | None = None
    """Breaks off with this error; without, it hangs, or ends as if all were well."""
    hang: bool = False


@dataclass(slots=True)
class Synthesis:
    """What the voice was given, and how that ended."""

    pieces: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """Audio yielded."""
    closed: bool = False
    """Nothing of it runs any more."""

    @property
    def text(self) -> str:
        """All it was given."""
        return "".join(self.pieces)


class ScriptedTTS(TTS):
    """Speaks all it is given; the n-th synthesis as the n-th voice of the script says, the others without fault.

    Args:
        ttfb: seconds from the first piece of text to the first audio.
        seconds_per_character: seconds of audio a character takes, > 0.
        speed: seconds of audio that take one second to make.
        word_timings: tell when each word has been spoken.
        sample_rate: hertz.
        script: how the first syntheses go.
    """

    label = "scripted.TTS"

    def __init__(
        self,
        *,
        ttfb: float = 0.2,
        seconds_per_character: float = SECONDS_PER_CHARACTER,
        speed: float = 10.0,
        word_timings: bool = True,
        sample_rate: int = SAMPLE_RATE,
        script: Sequence[ScriptedVoice] = (),
    ) -> None:
        self._ttfb = ttfb
        self._samples_per_character = max(1, round(seconds_per_character * sample_rate))
        self._speed = speed
        self._word_timings = word_timings
        self._sample_rate = sample_rate
        self._script = list(script)
        self.syntheses: list[Synthesis] = []

    @property
    def sample_rate(self) -> int:
        """Hertz."""
        return self._sample_rate

    @property
    def aligned_transcript(self) -> bool:
        """As scripted."""
        return self._word_timings

    def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[SynthesizedAudio]:
        """Speak as the script says."""
        return self._speak(text)

    def assert_complete(self) -> None:
        """Every synthesis of the script was asked for, and none runs any more.

        Raises:
            AssertionError: the text lists what is left.
        """
        count = len(self.syntheses)
        left = [f"synthesis {number} was not asked for" for number in range(count + 1, len(self._script) + 1)]
        left += [
            f"synthesis {number} of {synthesis.text!r} still runs"
            for number, synthesis in enumerate(self.syntheses, 1)
            if not synthesis.closed
        ]
        if left:
            raise AssertionError(f"{self.label}: the script is not complete: {'; '.join(left)}")

    async def _speak(self, text: AsyncIterable[str]) -> AsyncGenerator[SynthesizedAudio, None]:
        number = len(self.syntheses)
        voice = self._script[number] if number < len(self._script) else ScriptedVoice()
        synthesis = Synthesis()
        self.syntheses.append(synthesis)
        try:
            if voice.after == 0:
                await asyncio.sleep(self._ttfb)
                await _break_off(voice)
                return
            async for piece in text:
                if not synthesis.pieces:
                    await asyncio.sleep(self._ttfb)
                before = len(synthesis.text)
                synthesis.pieces.append(piece)
                for audio in self._frames(piece, before):
                    room = None if voice.after is None else voice.after - synthesis.seconds
                    head = audio if room is None else _cut(audio, room)
                    await asyncio.sleep(head.frame.duration / self._speed)
                    if head.frame.data:
                        synthesis.seconds += head.frame.duration
                        yield head
                    if head is not audio:
                        await _break_off(voice)
                        return
        finally:
            synthesis.closed = True

    def _frames(self, piece: str, before: int) -> list[SynthesizedAudio]:
        each = self._samples_per_character
        pcm = pcm_of(piece, each)
        start = before * each
        words = _word_ends(piece) if self._word_timings else []
        timings = [WordTiming(before + end, (before + end) * each / self._sample_rate) for end in words]
        return spoken_frames(pcm, self._sample_rate, start, timings)


def pcm_of(text: str, samples_per_character: int) -> bytes:
    """Audio of a text: int16 little-endian, each sample the code of its character (at most 32767)."""
    return b"".join(min(ord(character), 32767).to_bytes(2, "little") * samples_per_character for character in text)


def spoken_in(pcm: bytes, samples_per_character: int = round(SECONDS_PER_CHARACTER * SAMPLE_RATE)) -> str:
    """The text of which audio was made, in the order of the audio; a character that was cut counts by its start.

    A character that was cut and begun again appears twice.
    """
    samples = array.array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    text: list[str] = []
    index = 0
    while index < len(samples):
        value, length = samples[index], 1
        while length < samples_per_character and index + length < len(samples) and samples[index + length] == value:
            length += 1
        text.append(chr(value))
        index += length
    return "".join(text)


def _word_ends(piece: str) -> list[int]:
    return [
        index + 1
        for index, character in enumerate(piece)
        if not character.isspace() and (index + 1 == len(piece) or piece[index + 1].isspace())
    ]


def _cut(audio: SynthesizedAudio, seconds: float) -> SynthesizedAudio:
    """The part of it that comes before the voice breaks off; the same object if all of it does."""
    if audio.frame.duration <= seconds + 1e-9:
        return audio
    head, _ = audio.frame.split(round(max(0.0, seconds) * audio.frame.sample_rate))
    return SynthesizedAudio(head, ())


async def _break_off(voice: ScriptedVoice) -> None:
    if voice.error is not None:
        raise voice.error
    if voice.hang:
        await asyncio.get_running_loop().create_future()
