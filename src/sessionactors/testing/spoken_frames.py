"""Audio of a scripted voice in the pieces in which voices yield it: frames, each with the words that end in it."""

from __future__ import annotations

from collections.abc import Sequence

from sessionactors.interfaces.tts import SynthesizedAudio, WordTiming
from sessionactors.model.audio import AudioFrame

FRAME = 0.1
"""Seconds of audio that are yielded at once."""
ROUNDING = 1e-9


def spoken_frames(pcm: bytes, sample_rate: int, start: int, timings: Sequence[WordTiming]) -> list[SynthesizedAudio]:
    """The frames of a piece of a synthesis.

    Args:
        pcm: int16 little-endian, mono.
        sample_rate: hertz.
        start: samples of the synthesis that come before.
        timings: of the words in the piece, seconds from the start of the synthesis; ascending.
    """
    size = round(FRAME * sample_rate)
    left = list(timings)
    frames: list[SynthesizedAudio] = []
    for offset in range(0, len(pcm) // 2, size):
        frame = AudioFrame(pcm[offset * 2 : (offset + size) * 2], sample_rate)
        until = (start + offset + frame.samples_per_channel) / sample_rate + ROUNDING
        ended = tuple(timing for timing in left if timing.end_time <= until)
        left = left[len(ended) :]
        frames.append(SynthesizedAudio(frame, ended))
    return frames
