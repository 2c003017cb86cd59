"""Noise under audio that is too clean."""

from __future__ import annotations

import numpy as np

from sessionactors.providers.offline.dither import NOISE_RMS, Dither


def samples(pcm: bytes) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.frombuffer(pcm, dtype="<i2")


def test_silence_gets_faint_noise() -> None:
    assert abs(samples(Dither()(bytes(2 * 16000))).astype(float).std() - NOISE_RMS) < 0.5


def test_the_noise_does_not_depend_on_how_the_audio_is_cut() -> None:
    whole, cut = Dither(), Dither()
    assert whole(bytes(40000)) == b"".join(cut(bytes(size)) for size in (2, 960, 19038, 20000))


def test_a_restart_begins_the_noise_again() -> None:
    dither = Dither()
    first = dither(bytes(960))
    assert dither(bytes(960)) != first
    dither.restart()
    assert dither(bytes(960)) == first


def test_loud_audio_is_clipped_and_does_not_wrap() -> None:
    loud = np.tile(np.array([32767, -32768], dtype="<i2"), 500)
    mixed = samples(Dither()(loud.tobytes()))
    assert mixed[::2].min() > 32000
    assert mixed[1::2].max() < -32000
