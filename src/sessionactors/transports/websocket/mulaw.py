"""G.711 mu-law, as telephones speak it: 8-bit logarithmic samples, by table (ITU-T G.711, bias 33 in 14 bits).

A table of numpy's, since ``audioop`` has left Python's library (PEP 594): 64 KiB to encode, 512 bytes to decode.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

_BIAS: Final = 0x84
_CLIP: Final = 32635


def _decoding() -> npt.NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.uint8)
    exponent = (code >> 4 & 7).astype(np.int32)
    mantissa = (code & 15).astype(np.int32)
    magnitude = ((mantissa << 3) + _BIAS << exponent) - _BIAS
    decoded: npt.NDArray[np.int16] = np.where(code & 0x80, -magnitude, magnitude).astype("<i2")
    return decoded


def _encoding() -> npt.NDArray[np.uint8]:
    """By the sample's bits as an unsigned number."""
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(sample), _CLIP) + _BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = magnitude >> (exponent + 3) & 15
    sign = np.where(sample < 0, 0x80, 0)
    encoded: npt.NDArray[np.uint8] = (~(sign | exponent << 4 | mantissa) & 0xFF).astype(np.uint8)
    return encoded


_DECODED: Final = _decoding()
_ENCODED: Final = _encoding()


def decode(data: bytes) -> bytes:
    """mu-law to int16 little-endian."""
    return _DECODED[np.frombuffer(data, np.uint8)].tobytes()


def encode(pcm: bytes) -> bytes:
    """int16 little-endian to mu-law."""
    encoded: npt.NDArray[np.uint8] = _ENCODED[np.frombuffer(pcm, "<u2")]
    return encoded.tobytes()
