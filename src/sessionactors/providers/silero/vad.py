"""The detector: windows of a stream through the shared model, and from probabilities to the edges of speech."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

import numpy as np
import structlog

from sessionactors.interfaces import vad as port
from sessionactors.interfaces.vad import VADEvent
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIError, OptionError
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given
from sessionactors.providers.offline.energy_vad import check_format
from sessionactors.providers.offline.speech_edges import EdgeRules, SpeechEdges, Windows

from .inference import SHARED, Inference, InferenceStatistics
from .model import CONTEXT_SAMPLES, WINDOW_SAMPLES, StreamState

WINDOW: Final = WINDOW_SAMPLES / port.VAD.sample_rate
"""Seconds of a window."""
MOST_BEHIND: Final = 0.25
"""Seconds that a stream may be behind its audio before windows are skipped: who interrupts must be heard now."""
WARN_EVERY: Final = 10.0
"""Seconds between two warnings that windows are skipped."""

log = structlog.get_logger(__name__)


class VAD(port.VAD):
    """Detects speech with Silero's model: survives noise, knows no words, any language.

    One object serves any number of streams on any loops. The model's thread starts with the first stream, is shared
    with all other objects that use the same model, and ends when the last of them is closed.

    When the thread cannot keep up, a stream that is a quarter of a second behind skips windows (they count as the one
    before), instead of falling behind further; :attr:`skipped` counts them.

    Args:
        min_speech_duration: seconds of speech before it counts as begun.
        min_silence_duration: seconds of silence before speech counts as ended.
        activation_threshold: probability at which a window is speech while silent, 0..1.
        deactivation_threshold: probability below which it is silence while speaking; not given: 0.15 less.
        onnx_file_path: a model with the inputs of Silero v5; not given: the one of ``sessionactors[silero]``.
        force_cpu: do not use an accelerator that onnxruntime has.
        silence_gate_db: windows whose loudest sample is below this level (dB of full scale, < 0) are silence without
            asking the model; None: all are looked at. Saves CPU where lines are mostly silent; what the model remembers
            is then a little different.

    Raises:
        OptionError: an option is out of range.
    """

    label = "silero"
    model = "silero-vad"

    def __init__(
        self,
        *,
        min_speech_duration: float = 0.05,
        min_silence_duration: float = 0.55,
        activation_threshold: float = 0.5,
        deactivation_threshold: NotGivenOr[float] = NOT_GIVEN,
        onnx_file_path: NotGivenOr[Path | str] = NOT_GIVEN,
        force_cpu: bool = True,
        silence_gate_db: float | None = None,
    ) -> None:
        least = given(deactivation_threshold, max(activation_threshold - 0.15, 0.01))
        self._rules = EdgeRules(activation_threshold, least, min_speech_duration, min_silence_duration)
        if silence_gate_db is not None and silence_gate_db >= 0:
            raise OptionError(f"silence_gate_db is a level below full scale, such as -60; got {silence_gate_db}")
        path = given(onnx_file_path, None)
        self._path = None if path is None else Path(path)
        self._force_cpu = force_cpu
        self._gate = 0.0 if silence_gate_db is None else 32768 * 10 ** (silence_gate_db / 20)
        self._lock = threading.Lock()
        self._inference: Inference | None = None
        self._closed = False
        self._skipped = 0
        self._warn_at = 0.0

    @classmethod
    def load(
        cls,
        *,
        min_speech_duration: float = 0.05,
        min_silence_duration: float = 0.55,
        prefix_padding_duration: float = 0.5,
        max_buffered_speech: float = 60.0,
        activation_threshold: float = 0.5,
        sample_rate: int = 16000,
        force_cpu: bool = True,
        onnx_file_path: NotGivenOr[Path | str] = NOT_GIVEN,
        deactivation_threshold: NotGivenOr[float] = NOT_GIVEN,
        silence_gate_db: float | None = None,
    ) -> Self:
        """A detector, as the plugin makes one. Returns at once; the model is loaded in its thread.

        Args:
            min_speech_duration: see the class.
            min_silence_duration: see the class.
            prefix_padding_duration: seconds >= 0; the plugin's frames of speech begin so much earlier. Events here
                carry no frames, as recognisers hear the whole line: it is checked, and changes nothing.
            max_buffered_speech: seconds > 0; the same holds for it.
            activation_threshold: see the class.
            sample_rate: must be 16000: the session gives detectors 16 kHz, whatever the line has.
            force_cpu: see the class.
            onnx_file_path: see the class.
            deactivation_threshold: see the class.
            silence_gate_db: see the class.

        Raises:
            OptionError: an option is out of range.
        """
        if sample_rate != cls.sample_rate:
            raise OptionError(
                f"sample_rate must be {cls.sample_rate}: the session resamples every line; got {sample_rate}"
            )
        if prefix_padding_duration < 0 or max_buffered_speech <= 0:
            raise OptionError("prefix_padding_duration must be >= 0 and max_buffered_speech > 0 seconds")
        return cls(
            min_speech_duration=min_speech_duration,
            min_silence_duration=min_silence_duration,
            activation_threshold=activation_threshold,
            deactivation_threshold=deactivation_threshold,
            onnx_file_path=onnx_file_path,
            force_cpu=force_cpu,
            silence_gate_db=silence_gate_db,
        )

    @property
    def min_silence_duration(self) -> float:
        """Seconds of silence before speech counts as ended."""
        return self._rules.min_silence_duration

    @property
    def skipped(self) -> int:
        """Windows that no stream of this object had time for."""
        return self._skipped

    @property
    def statistics(self) -> InferenceStatistics:
        """What the shared thread has done, for all that use it."""
        inference = self._inference
        return InferenceStatistics(0, 0, 0, 0) if inference is None else inference.statistics

    async def prewarm(self) -> None:
        """Load the model now (about 0.2 s in its thread) instead of with the first window.

        Raises:
            APIError: it could not be loaded.
        """
        await self._running().probability(StreamState(), bytes(2 * WINDOW_SAMPLES))

    async def detect(self, audio: AsyncIterable[AudioFrame]) -> AsyncGenerator[VADEvent, None]:
        """See :meth:`VAD.detect`.

        Raises:
            MissingDependencyError: onnxruntime or the model is not installed.
            APIError: inference failed, or the detector was closed.
            AudioFormatError: frames are not 16 kHz mono.
        """
        inference = self._running()
        inference.opened()
        try:
            line = _Line(self, inference)
            async for frame in audio:
                check_format(frame)
                line.windows.push(frame.data)
                while (window := line.windows.pop()) is not None:
                    probability, took = await line.probability(window)
                    for event in line.events(probability):
                        yield replace(event, inference_duration=took)
            for event in line.rest():
                yield event
        finally:
            inference.ended()

    async def aclose(self) -> None:
        """Let go of the model; its thread ends if nobody else uses it. Open streams fail. Safe to call twice."""
        with self._lock:
            self._closed = True
            inference, self._inference = self._inference, None
        if inference is not None and SHARED.release(inference):
            await inference.closed()

    def __del__(self) -> None:
        # An option that is out of range leaves an object without attributes.
        if (inference := self.__dict__.get("_inference")) is not None and not self._closed:
            warnings.warn(f"unclosed {self!r}: call aclose()", ResourceWarning, source=self, stacklevel=2)
            SHARED.release(inference)

    def _count_skipped(self, behind: float) -> None:
        with self._lock:
            self._skipped += 1
            now = time.monotonic()
            if now < self._warn_at:
                return
            self._warn_at = now + WARN_EVERY  # overload hits all rooms at once: one line for all of them
        log.warning("speech_detection_behind", behind=round(behind, 3), windows_skipped=self._skipped)

    def _running(self) -> Inference:
        with self._lock:
            if self._closed:
                raise _closed()
            if self._inference is None or not self._inference.usable:
                if self._inference is not None:
                    SHARED.release(self._inference)
                self._inference = SHARED.acquire(self._path, force_cpu=self._force_cpu)
            return self._inference


class _Line:
    """One stream."""

    def __init__(self, vad: VAD, inference: Inference) -> None:
        self._vad = vad
        self._inference = inference
        self._state = StreamState()
        self._edges = SpeechEdges(vad._rules)  # noqa: SLF001 - a part of it
        self._behind = 0.0
        self._slow = 0
        """Answers in a row that took longer than a window lasts."""
        self._skipping = False
        self._last = 0.0
        self.windows = Windows(WINDOW_SAMPLES)

    async def probability(self, window: bytes) -> tuple[float, float]:
        """Of speech in a window, and the seconds that the answer took."""
        vad = self._vad
        if vad._closed:  # noqa: SLF001
            raise _closed()
        if vad._gate and _loudest(window) < vad._gate:  # noqa: SLF001
            self._pass_over(window)
            return 0.0, 0.0
        if (self._behind > MOST_BEHIND and self._slow > 1) or (self._skipping and self._behind > 0):
            self._skip(window)
            return self._last, 0.0
        self._skipping = False
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._last = await self._inference.probability(self._state, window)
        took = loop.time() - began
        self._behind = max(0.0, self._behind + took - WINDOW)
        self._slow = self._slow + 1 if took > WINDOW else 0  # one alone is the loading of the model, or a hiccup
        return self._last, took

    def _skip(self, window: bytes) -> None:
        self._skipping = True
        self._vad._count_skipped(self._behind)  # noqa: SLF001
        self._behind -= WINDOW
        self._pass_over(window)

    def _pass_over(self, window: bytes) -> None:
        self._state.context = np.frombuffer(window[-2 * CONTEXT_SAMPLES :], dtype="<i2").astype(
            np.float32
        ) / np.float32(32768)

    def events(self, probability: float) -> list[VADEvent]:
        """What the newest window amounts to."""
        end = self.windows.taken / VAD.sample_rate
        return list(self._edges.window(end - WINDOW, end, probability, self.windows.received / VAD.sample_rate))

    def rest(self) -> list[VADEvent]:
        """The audio ended."""
        return list(self._edges.finish(self.windows.received / VAD.sample_rate))


def _loudest(window: bytes) -> int:
    return int(np.abs(np.frombuffer(window, dtype="<i2").astype(np.int32)).max())


def _closed() -> APIError:
    return APIError("the detector is closed", retryable=False)
