"""A detector that only measures loudness: for tests and load runs, not for calls.

Any steady noise above the threshold is speech to it (measured at 10 dB: white noise loses 76 % of speech, office noise
49 %). What it has instead: no dependency but numpy, no thread, no state that drifts, the same answer every time, under
virtual time too.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterable

import numpy as np

from sessionactors.interfaces.vad import VAD, VADEvent
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import AudioFormatError

from .speech_edges import EdgeRules, SpeechEdges, Windows

WINDOW_SAMPLES = 512
"""32 ms, as Silero's, so that one can stand in for the other."""
_FULL_SCALE = 32768.0


class EnergyVAD(VAD):
    """Speech is what is louder than a threshold.

    Args:
        threshold_db: root mean square of a window in dB of full scale at which its probability is 0.5; the
            probability rises from 0 to 1 over 12 dB around it.
        activation_threshold: see :class:`EdgeRules`.
        deactivation_threshold: see :class:`EdgeRules`.
        min_speech_duration: seconds, see :class:`EdgeRules`.
        min_silence_duration: seconds, see :class:`EdgeRules`.

    Raises:
        OptionError: an option is out of range.
    """

    label = "energy"

    def __init__(
        self,
        *,
        threshold_db: float = -45.0,
        activation_threshold: float = 0.5,
        deactivation_threshold: float = 0.35,
        min_speech_duration: float = 0.05,
        min_silence_duration: float = 0.5,
    ) -> None:
        self._rules = EdgeRules(activation_threshold, deactivation_threshold, min_speech_duration, min_silence_duration)
        self._threshold_db = threshold_db

    @property
    def min_silence_duration(self) -> float:
        """Seconds of silence before speech counts as ended."""
        return self._rules.min_silence_duration

    async def detect(self, audio: AsyncIterable[AudioFrame]) -> AsyncGenerator[VADEvent, None]:
        """See :meth:`VAD.detect`. Works inline: 10 us a window.

        Raises:
            AudioFormatError: frames are not 16 kHz mono.
        """
        windows = Windows(WINDOW_SAMPLES)
        edges = SpeechEdges(self._rules)
        async for frame in audio:
            check_format(frame)
            windows.push(frame.data)
            while (window := windows.pop()) is not None:
                end = windows.taken / self.sample_rate
                start = end - WINDOW_SAMPLES / self.sample_rate
                for event in edges.window(start, end, self._probability(window), windows.received / self.sample_rate):
                    yield event
        for event in edges.finish(windows.received / self.sample_rate):
            yield event

    def _probability(self, window: bytes) -> float:
        samples = np.frombuffer(window, dtype="<i2").astype(np.float64)
        rms = math.sqrt(float(samples @ samples) / len(samples)) / _FULL_SCALE
        level_db = 20 * math.log10(rms) if rms > 0 else -math.inf
        return min(1.0, max(0.0, 0.5 + (level_db - self._threshold_db) / 12))


def check_format(frame: AudioFrame) -> None:
    """Refuse what is not 16 kHz mono.

    Raises:
        AudioFormatError: with the frame in the message.
    """
    if frame.sample_rate != VAD.sample_rate or frame.num_channels != 1:
        raise AudioFormatError(f"the detector takes {VAD.sample_rate} Hz mono, got {frame!r}")
