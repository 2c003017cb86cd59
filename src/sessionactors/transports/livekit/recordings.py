"""Recordings in a container (WebM, Ogg) as PCM: what browsers send of what was said before the agent was there."""

from __future__ import annotations

import io

from sessionactors.model.errors import AudioFormatError

LONGEST = 60.0
"""Seconds that are decoded: a small file may hold hours."""


def decoded(data: bytes, sample_rate: int) -> bytes:
    """The audio of a file in memory, as int16 mono PCM. Takes a millisecond for a second: call it in a thread.

    Args:
        data: the file.
        sample_rate: Hertz that is wanted.

    Raises:
        AudioFormatError: it is no audio that can be read, it is longer than a minute, or PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise AudioFormatError("Opus needs PyAV: pip install 'sessionactors[livekit]'") from error
    resampler = av.AudioResampler(format="s16", layout="mono", rate=sample_rate)
    parts: list[bytes] = []
    samples = 0
    try:
        with av.open(io.BytesIO(data), "r") as container:
            for frame in container.decode(audio=0):
                for made in resampler.resample(frame):
                    parts.append(made.to_ndarray().tobytes())
                    samples += made.samples
                if samples > LONGEST * sample_rate:
                    raise AudioFormatError(f"the recording is longer than {LONGEST:.0f} s")
            parts.extend(made.to_ndarray().tobytes() for made in resampler.resample(None))
    except (av.FFmpegError, IndexError) as error:
        raise AudioFormatError(f"the recording cannot be read: {error}") from error
    return b"".join(parts)
