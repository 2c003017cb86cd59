"""Pieces of audio as they come, with the words that end in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from sessionactors.interfaces.tts import SynthesizedAudio, WordTiming
from sessionactors.model.audio import AudioFrame

from .char_alignment import CharAlignment

LONGEST: Final = 0.2
"""Seconds of a frame: what is interrupted was not passed on."""


class Times(Protocol):
    """Times of characters, as ElevenLabs gives them over a WebSocket."""

    @property
    def chars(self) -> list[str] | None:
        """Spoken in the piece."""

    @property
    def char_start_times_ms(self) -> list[int] | None:
        """Milliseconds."""

    @property
    def char_durations_ms(self) -> list[int] | None:
        """Milliseconds."""


class SpokenPieces:
    """The audio of one text.

    Args:
        sample_rate: hertz.
        alignment: knows the text.
    """

    def __init__(self, sample_rate: int, alignment: CharAlignment) -> None:
        self._rate = sample_rate
        self._alignment = alignment
        self._samples = 0
        self._odd = b""
        """Half a sample: pieces are cut anywhere."""

    def of(self, pcm: bytes, times: Times | None) -> Iterator[SynthesizedAudio]:
        """Frames of one piece.

        Args:
            pcm: int16 little-endian, mono.
            times: of its characters.
        """
        frame = self._whole(pcm)
        timings: tuple[WordTiming, ...] = ()
        if times is not None:
            starts, durations = times.char_start_times_ms or (), times.char_durations_ms or ()
            timings = self._alignment.words(times.chars or (), starts, durations, self.seconds, frame.duration)
        yield from self._frames(frame, timings)

    def timed(self, pcm: bytes, timings: tuple[WordTiming, ...]) -> Iterator[SynthesizedAudio]:
        """Frames of one piece, with the words that end in it."""
        yield from self._frames(self._whole(pcm), timings)

    @property
    def seconds(self) -> float:
        """Of audio so far."""
        return self._samples / self._rate

    def _whole(self, pcm: bytes) -> AudioFrame:
        pcm = self._odd + pcm
        self._odd = pcm[len(pcm) & ~1 :]
        return AudioFrame(pcm[: len(pcm) & ~1], self._rate)

    def _frames(self, frame: AudioFrame, timings: tuple[WordTiming, ...]) -> Iterator[SynthesizedAudio]:
        while frame.data:
            part, frame = frame.split(round(LONGEST * self._rate))
            self._samples += part.samples_per_channel
            now = self.seconds
            ended = tuple(timing for timing in timings if timing.end_time <= now) if frame.data else timings
            timings = timings[len(ended) :]
            yield SynthesizedAudio(part, ended)

    def rest(self) -> Iterator[SynthesizedAudio]:
        """Words that were still owed when the last piece has come."""
        if timings := self._alignment.last_words(self.seconds):
            yield SynthesizedAudio(AudioFrame(b"", self._rate), timings)
