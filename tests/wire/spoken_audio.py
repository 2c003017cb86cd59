"""Audio in which a test can read what was spoken: a character takes twenty milliseconds, its samples are its code."""

from __future__ import annotations

import array

MS_PER_CHARACTER = 20


def pcm_of(text: str, rate: int) -> bytes:
    each = rate * MS_PER_CHARACTER // 1000
    return b"".join(min(ord(character), 32767).to_bytes(2, "little") * each for character in text)


def spoken_in(pcm: bytes, rate: int = 24000) -> str:
    """The text of which audio was made; a character that was cut counts."""
    each = rate * MS_PER_CHARACTER // 1000
    samples = array.array("h", pcm)
    return "".join(chr(samples[index]) for index in range(0, len(samples), each))
