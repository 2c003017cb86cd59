"""A call as a recording: caller left, agent right, aligned by the time at which each was heard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.model.errors import AudioFormatError, OptionError

from .wav import write_wav

_BLOCK = 1 << 16
"""Samples put together at a time when a recording is written."""


class Track:
    """One voice on a time line: every sample in order, silence where nothing was heard.

    Args:
        sample_rate: Hertz of the mono frames, > 0.
        start: time in seconds of the first sample of the track.
        jitter: seconds >= 0 by which a frame may come late and still continue the one before it. 0 for exact times
            (played samples); a frame or two for times of arrival, whose unrest would otherwise be heard as clicks.
    """

    def __init__(self, *, sample_rate: int, start: float, jitter: float = 0.0) -> None:
        if sample_rate <= 0:
            raise OptionError(f"sample_rate must be > 0 Hz, got {sample_rate}")
        if jitter < 0:
            raise OptionError(f"jitter must be >= 0 seconds, got {jitter}")
        self.sample_rate = sample_rate
        self._start = start
        # One sample of slack: times are floats, and rounding must not cut a continuous voice.
        self._slack = max(1, round(jitter * sample_rate))
        self._chunks: list[bytes] = []
        self._samples = 0

    @property
    def samples(self) -> int:
        """Length so far."""
        return self._samples

    def add(self, frame: AudioFrame, at: float) -> None:
        """Put a frame where it was heard, behind what is there already. Stereo frames are mixed down.

        A frame that comes before the end of the last one is appended to it: nothing is lost or overwritten, and the
        next silence brings the track back in time.

        Args:
            frame: audio in the track's rate.
            at: time in seconds of its first sample, on the clock of ``start``.

        Raises:
            AudioFormatError: the frame has another sample rate.
        """
        if frame.sample_rate != self.sample_rate:
            raise AudioFormatError(f"this track is recorded at {self.sample_rate} Hz, got {frame!r}: resample it first")
        if not frame.data:
            return
        gap = round((at - self._start) * self.sample_rate) - self._samples
        if gap > self._slack:
            self._append(bytes(gap * BYTES_PER_SAMPLE))
        self._append(_mono(frame))

    def blocks(self, samples: int, beside: Track | None = None) -> Iterator[npt.NDArray[np.int16]]:
        """The first ``samples`` samples in blocks of a few seconds; silence past the end.

        Args:
            samples: how many.
            beside: a track of the same rate and start that is added; what is too loud then is cut off.
        """
        if beside is not None:
            for mine, other in zip(self.blocks(samples), beside.blocks(samples), strict=True):
                yield np.clip(mine.astype(np.int32) + other, -32768, 32767).astype(np.int16)
            return
        whole = np.frombuffer(b"".join(self._chunks), np.dtype("<i2"))
        for begin in range(0, samples, _BLOCK):
            size = min(_BLOCK, samples - begin)
            part = whole[begin : begin + size]
            yield np.pad(part, (0, size - len(part)))

    def length(self, until: float | None) -> int:
        """Samples up to ``until`` seconds, or up to the end of the track if that is later."""
        return self._samples if until is None else max(self._samples, round((until - self._start) * self.sample_rate))

    def write(self, path: Path, *, until: float | None = None, beside: Track | None = None) -> None:
        """Write the track as a mono WAV file with silence up to ``until`` seconds. Blocks; see :func:`write_wav`."""
        blocks = (block.tobytes() for block in self.blocks(self.length(until), beside))
        write_wav(path, blocks, sample_rate=self.sample_rate, num_channels=1)

    def _append(self, data: bytes) -> None:
        self._chunks.append(data)
        self._samples += len(data) // BYTES_PER_SAMPLE


class StereoRecording:
    """Caller on the left, agent on the right of one time line.

    Holds the audio in memory (at 24 kHz about 350 MB an hour) and writes it at the end, so that no disk can hold up the
    call. Add frames on one thread; :meth:`write` blocks and belongs on another one, when nothing is added any more.

    Args:
        sample_rate: Hertz of both voices, > 0.
        start: time in seconds of the first sample, on the clock of the times given to :meth:`caller` and :meth:`agent`.
        caller_jitter, agent_jitter: see :class:`Track`.

    Raises:
        OptionError: an argument is out of range.
    """

    def __init__(
        self, *, sample_rate: int, start: float, caller_jitter: float = 0.0, agent_jitter: float = 0.0
    ) -> None:
        self.sample_rate = sample_rate
        self._left = Track(sample_rate=sample_rate, start=start, jitter=caller_jitter)
        self._right = Track(sample_rate=sample_rate, start=start, jitter=agent_jitter)

    def caller(self, frame: AudioFrame, at: float) -> None:
        """Add what the caller said at ``at`` seconds. See :meth:`Track.add`."""
        self._left.add(frame, at)

    def agent(self, frame: AudioFrame, at: float) -> None:
        """Add what the agent was heard to say at ``at`` seconds. See :meth:`Track.add`."""
        self._right.add(frame, at)

    def interleaved(self, until: float | None = None, beside: Track | None = None) -> Iterator[bytes]:
        """Both voices as int16 stereo in blocks, as long as the longer one, with silence up to ``until`` seconds.

        Args:
            until: seconds, on the clock of the recording.
            beside: what is heard with the agent.
        """
        samples = max(self._left.length(until), self._right.length(until))
        for left, right in zip(self._left.blocks(samples), self._right.blocks(samples, beside), strict=True):
            yield np.column_stack((left, right)).tobytes()

    def write(self, path: Path, *, until: float | None = None, beside: Track | None = None) -> None:
        """Write a stereo WAV file with silence up to ``until`` seconds, whole or not at all. Blocks.

        Raises:
            OSError: the file cannot be written.
        """
        write_wav(path, self.interleaved(until, beside), sample_rate=self.sample_rate, num_channels=2)


def _mono(frame: AudioFrame) -> bytes:
    if frame.num_channels == 1:
        return frame.data
    samples = np.frombuffer(frame.data, np.dtype("<i2")).reshape(-1, frame.num_channels)
    mixed: npt.NDArray[np.int16] = np.rint(samples.mean(axis=1, dtype=np.float64)).astype("<i2")
    return mixed.tobytes()
