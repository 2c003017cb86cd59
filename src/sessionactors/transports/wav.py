"""WAV files in and out, as whole files. Everything here blocks: call it off the loop."""

from __future__ import annotations

import os
import wave
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sessionactors.model.audio import BYTES_PER_SAMPLE
from sessionactors.model.errors import AudioFormatError, OptionError

_CONVERT = "Convert it, for example: ffmpeg -i {path} -ac 1 -c:a pcm_s16le converted.wav"


@dataclass(frozen=True, slots=True)
class WavAudio:
    """A whole recording."""

    pcm: bytes
    """int16 little-endian, channels interleaved."""
    sample_rate: int
    """Hertz, > 0."""
    num_channels: int
    """1 or 2."""

    @property
    def samples_per_channel(self) -> int:
        """Number of instants."""
        return len(self.pcm) // (BYTES_PER_SAMPLE * self.num_channels)


def read_wav(path: Path) -> WavAudio:
    """Read a WAV file of integer PCM (8, 16, 24 or 32 bit, mono or stereo, any rate) as int16.

    Raises:
        AudioFormatError: the file is empty, truncated, no WAV file or in another format; says what to do.
        OptionError: the file is not there or may not be read.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if size == 0:
                raise AudioFormatError(f"{path} is empty (0 bytes): a WAV file was expected")
            return _read(path, file_size=size, reader=_open(path, wave.open(file, "rb")))
    except wave.Error as error:
        raise AudioFormatError(f"{path} is not a WAV file of integer PCM: {error}. {_convert(path)}") from error
    except EOFError as error:
        raise AudioFormatError(f"{path} is truncated: it ends within its header. {_convert(path)}") from error
    except OSError as error:
        raise OptionError(f"cannot read {path}: {error.strerror or error}") from error


def check_writable(path: Path, *, source: Path) -> None:
    """Make sure that a recording can be written once the call is over, before it starts.

    Raises:
        OptionError: the directory is missing or not writable, the path is a directory, or it is the input itself.
    """
    folder = path.parent
    if not folder.is_dir():
        raise OptionError(f"cannot write {path}: there is no directory {folder}")
    if path.is_dir():
        raise OptionError(f"cannot write {path}: it is a directory")
    if not os.access(folder, os.W_OK):
        raise OptionError(f"cannot write {path}: {folder} is not writable")
    if path.exists() and path.samefile(source):
        raise OptionError(f"cannot write {path}: it is the input file")


def write_wav(path: Path, blocks: Iterable[bytes], *, sample_rate: int, num_channels: int) -> None:
    """Write int16 PCM as a WAV file that appears whole or not at all, in the place of one that is there.

    Raises:
        OSError: the disk is full, or the directory is gone.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file, wave.open(file, "wb") as writer:
            writer.setnchannels(num_channels)
            writer.setsampwidth(BYTES_PER_SAMPLE)
            writer.setframerate(sample_rate)
            for block in blocks:
                writer.writeframesraw(block)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _open(path: Path, reader: wave.Wave_read) -> wave.Wave_read:
    if reader.getnchannels() not in {1, 2}:
        raise AudioFormatError(
            f"{path} has {reader.getnchannels()} channels, mono or stereo expected. {_convert(path)}"
        )
    if reader.getsampwidth() not in _TO_INT16:
        raise AudioFormatError(
            f"{path} has {8 * reader.getsampwidth()} bit samples, 8 to 32 expected. {_convert(path)}"
        )
    if reader.getframerate() <= 0:
        raise AudioFormatError(f"{path} declares {reader.getframerate()} Hz. {_convert(path)}")
    return reader


def _read(path: Path, *, file_size: int, reader: wave.Wave_read) -> WavAudio:
    instants = reader.getnframes()
    block = reader.getsampwidth() * reader.getnchannels()
    if instants == 0:
        raise AudioFormatError(f"{path} holds no audio: its header is fine, and no sample follows")
    # Before reading: a header written to a pipe promises 4 GiB, which readframes() would allocate.
    data = b"" if instants * block > file_size else reader.readframes(instants)
    if len(data) != instants * block:
        raise AudioFormatError(
            f"{path} is truncated: its header promises {instants} samples a channel ({instants * block} bytes), "
            f"the file has {file_size} bytes. Write it again, for example: ffmpeg -i {path} whole.wav"
        )
    return WavAudio(
        pcm=_TO_INT16[reader.getsampwidth()](data),
        sample_rate=reader.getframerate(),
        num_channels=reader.getnchannels(),
    )


def _convert(path: Path) -> str:
    return _CONVERT.format(path=path)


def _from_8_bit(data: bytes) -> bytes:
    # 8-bit WAV is unsigned, the wider ones are signed.
    wide: npt.NDArray[np.int16] = (np.frombuffer(data, np.uint8).astype(np.int16) - 128) << 8
    return wide.astype("<i2").tobytes()


def _from_24_bit(data: bytes) -> bytes:
    return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(-1, 3)[:, 1:]).tobytes()


def _from_32_bit(data: bytes) -> bytes:
    return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(-1, 4)[:, 2:]).tobytes()


_TO_INT16: Final[Mapping[int, Callable[[bytes], bytes]]] = {1: _from_8_bit, 2: bytes, 3: _from_24_bit, 4: _from_32_bit}
"""By bytes a sample. The wide ones keep their two high bytes: they are little-endian."""
