"""Background sounds that come with the package: made here by arithmetic, so that there are no recordings to license.

They are noise and tones with the colour and the unrest of what they are named after, not recordings of it. Give a file
or frames of your own where that matters.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Wave: TypeAlias = npt.NDArray[np.float64]

SECONDS: Final = 12
"""Of a clip; its end goes over into its beginning."""


class BuiltinAudioClip(enum.Enum):
    """Sounds for :class:`.BackgroundAudioPlayer`."""

    CITY_AMBIENCE = "city-ambience"
    FOREST_AMBIENCE = "forest-ambience"
    OFFICE_AMBIENCE = "office-ambience"
    CROWDED_ROOM = "crowded-room"
    KEYBOARD_TYPING = "keyboard-typing"
    KEYBOARD_TYPING2 = "keyboard-typing2"
    HOLD_MUSIC = "hold-music"

    def pcm(self, sample_rate: int) -> bytes:
        """The clip: int16 little-endian, mono. The same each time; it takes some tenths of a second once."""
        return _made(self, sample_rate)


@cache
def _made(clip: BuiltinAudioClip, rate: int) -> bytes:
    random = np.random.default_rng(list(BuiltinAudioClip).index(clip))
    wave = _MAKERS[clip](random, rate)
    loudest = float(np.abs(wave).max())
    return np.rint(wave / loudest * 16000).astype("<i2").tobytes()


def _coloured(random: np.random.Generator, rate: int, low: float, high: float, slope: float) -> Wave:
    """Noise between two frequencies that falls by ``slope`` with the frequency; made in one circle, so it loops."""
    samples = SECONDS * rate
    frequencies = np.fft.rfftfreq(samples, 1 / rate)
    inside = (frequencies >= low) & (frequencies <= min(high, rate / 2))
    strength = np.where(inside, np.maximum(frequencies, low) ** -slope, 0.0)
    spectrum = strength * np.exp(2j * np.pi * random.random(len(frequencies)))
    wave: Wave = np.fft.irfft(spectrum, samples)
    wave /= np.abs(wave).max()
    return wave


def _swell(random: np.random.Generator, rate: int, depth: float, per_second: float) -> Wave:
    """A volume that comes and goes, between ``1 - depth`` and 1; it loops."""
    slow = _coloured(random, rate, 1 / SECONDS, per_second, 0.5)
    volume: Wave = 1.0 - depth * (slow - slow.min()) / (slow.max() - slow.min())
    return volume


def _city(random: np.random.Generator, rate: int) -> Wave:
    traffic = _coloured(random, rate, 30, 900, 1.0) * _swell(random, rate, 0.7, 0.3)
    return traffic + 0.15 * _coloured(random, rate, 300, 4000, 0.8)


def _forest(random: np.random.Generator, rate: int) -> Wave:
    wave = 0.5 * _coloured(random, rate, 200, 6000, 0.7) * _swell(random, rate, 0.8, 0.2)
    for begin in np.sort(random.uniform(0, SECONDS - 0.5, 10)):
        _put(wave, _chirp(random, rate), begin, rate)
    return wave


def _chirp(random: np.random.Generator, rate: int) -> Wave:
    """A bird: a short whistle that rises or falls."""
    time = np.arange(round(random.uniform(0.08, 0.25) * rate)) / rate
    pitch = random.uniform(2200, 4200) * (1 + random.uniform(-0.3, 0.3) * time / time[-1])
    envelope: Wave = np.sin(np.pi * time / time[-1])
    return random.uniform(0.1, 0.3) * envelope * np.sin(2 * np.pi * np.cumsum(pitch) / rate)


def _office(random: np.random.Generator, rate: int) -> Wave:
    air = _coloured(random, rate, 60, 2500, 0.9)
    return air + 0.3 * _murmur(random, rate, 2) + 0.08 * _typing(random, rate, 3.0)


def _crowd(random: np.random.Generator, rate: int) -> Wave:
    return _murmur(random, rate, 8) + 0.1 * _coloured(random, rate, 80, 3000, 0.8)


def _murmur(random: np.random.Generator, rate: int, voices: int) -> Wave:
    """Noise in the bands of voices, in the rhythm of syllables: nothing that could be understood."""
    wave: Wave = np.zeros(SECONDS * rate)
    for _ in range(voices):
        pitch = random.uniform(250, 700)
        wave += _coloured(random, rate, pitch, pitch * 4, 0.8) * _swell(random, rate, 1.0, 4.0) ** 2
    return wave / voices


def _typing(random: np.random.Generator, rate: int, per_second: float) -> Wave:
    """Keys: short clicks with a lower thud, in bursts."""
    wave: Wave = np.zeros(SECONDS * rate)
    at = 0.1
    while at < SECONDS - 0.2:
        time = np.arange(round(0.03 * rate)) / rate
        click = random.standard_normal(len(time)) * np.exp(-time * random.uniform(250, 450))
        thud = np.sin(2 * np.pi * random.uniform(120, 220) * time) * np.exp(-time * 120)
        _put(wave, random.uniform(0.4, 1.0) * (click + 0.8 * thud), at, rate)
        pause = random.uniform(0.5, 1.2) if random.random() < 0.06 else 0.0
        at += random.gamma(4.0) / (4.0 * per_second) + pause
    return wave


def _music(_random: np.random.Generator, rate: int) -> Wave:
    """Four chords, broken, on a soft bell."""
    chords = ((261.63, 329.63, 392.0), (220.0, 261.63, 329.63), (174.61, 220.0, 261.63), (196.0, 246.94, 293.66))
    wave: Wave = np.zeros(SECONDS * rate)
    beat = SECONDS / 32
    for number in range(32):
        chord = chords[number // 8]
        pitch = chord[(0, 1, 2, 1, 0, 2, 1, 2)[number % 8]]
        time = np.arange(round(min(1.2, SECONDS - number * beat) * rate)) / rate
        tone = (np.sin(2 * np.pi * pitch * time) + 0.3 * np.sin(4 * np.pi * pitch * time)) * np.exp(-3 * time)
        _put(wave, tone * np.clip(time / 0.01, 0, 1), number * beat, rate)
    return wave


def _put(wave: Wave, sound: Wave, seconds: float, rate: int) -> None:
    """Add a sound at a place; what goes beyond the end goes on at the beginning."""
    begin = round(seconds * rate)
    places = np.arange(begin, begin + len(sound)) % len(wave)
    wave[places] += sound


_MAKERS: Final[dict[BuiltinAudioClip, Callable[[np.random.Generator, int], Wave]]] = {
    BuiltinAudioClip.CITY_AMBIENCE: _city,
    BuiltinAudioClip.FOREST_AMBIENCE: _forest,
    BuiltinAudioClip.OFFICE_AMBIENCE: _office,
    BuiltinAudioClip.CROWDED_ROOM: _crowd,
    BuiltinAudioClip.KEYBOARD_TYPING: lambda random, rate: _typing(random, rate, 6.0),
    BuiltinAudioClip.KEYBOARD_TYPING2: lambda random, rate: _typing(random, rate, 9.0),
    BuiltinAudioClip.HOLD_MUSIC: _music,
}
