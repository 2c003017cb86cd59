"""Faint noise under audio that is too clean for an acoustic model.

Synthetic voices and gated microphones have digital silence between words, where the log spectrum has no floor; models
trained on recordings score that as nothing they know. Noise of 8 units (-72 dB of full scale, below any room) brought
an espeak voice from 28 of 30 to 30 of 30 sentences, its scores from -45 to -27 at low level, and cost nothing on
recordings of people and on flite voices down to -34 dB (measured with :mod:`.front_desk`).
"""

from __future__ import annotations

import random
import sys
from array import array
from typing import Final

NOISE_RMS: Final = 8.0
"""Standard deviation in units of int16."""
_PERIOD: Final = 16381
"""Samples until the noise repeats: a prime near one second, so that it locks to no frame length."""


class Dither:
    """Adds the same noise to every stream, so that equal audio is heard equally. Pure Python: 50 us per 30 ms."""

    def __init__(self) -> None:
        noise = random.Random(0)
        self._noise = [round(noise.gauss(0.0, NOISE_RMS)) for _ in range(_PERIOD)]
        self._at = 0

    def restart(self) -> None:
        """Begin the noise again."""
        self._at = 0

    def __call__(self, pcm: bytes) -> bytes:
        """The audio with noise (int16 little-endian), clipped to the range."""
        samples = array("h", pcm)
        if sys.byteorder == "big":
            samples.byteswap()
        noise = self._take(len(samples))
        # Conditional expressions, not min and max: a call per sample would triple the cost.
        mixed = array(
            "h",
            [
                -32768 if (value := sample + hiss) < -32768 else 32767 if value > 32767 else value  # noqa: FURB136
                for sample, hiss in zip(samples, noise, strict=True)
            ],
        )
        if sys.byteorder == "big":
            mixed.byteswap()
        return mixed.tobytes()

    def _take(self, count: int) -> list[int]:
        taken: list[int] = []
        while len(taken) < count:
            piece = self._noise[self._at : self._at + count - len(taken)]
            taken += piece
            self._at = (self._at + len(piece)) % _PERIOD
        return taken
