"""One thread that runs the model on the windows of all streams, many in a run.

A window by itself costs 0.2 ms, one of many 0.08 ms, and the probabilities are the same to the bit. So the first
window waits a few milliseconds for those of other streams; when each open stream has one, nobody waits. A stream has
one window here at most: the queue is as long as there are streams. onnxruntime releases the interpreter lock.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from sessionactors.interfaces.vad import VAD
from sessionactors.model.errors import APIError
from sessionactors.providers.offline.threads import call_on_loop, ended

from .model import CONTEXT_SAMPLES, Floats, StreamState, load_model

if TYPE_CHECKING:
    import onnxruntime

MOST: Final = 256
"""Windows in one run. Above 64 the cost per window no longer falls; the bound keeps a run below 20 ms."""
GATHERING: Final = 0.008
"""Seconds that a window waits for those of other streams, at most."""


@dataclass(slots=True)
class _Request:
    """One window that waits for its run."""

    state: StreamState
    samples: Floats
    """Context and window."""
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[float]


@dataclass(frozen=True, slots=True)
class InferenceStatistics:
    """What the thread has done."""

    windows: int
    runs: int
    streams: int
    """Open now."""
    waiting: int
    """Windows that wait for a run now."""


class Inference:
    """The thread. It starts at once, loads the model, and ends when it is told to or when it fails.

    Args:
        path: see :func:`load_model`.
        force_cpu: see :func:`load_model`.
        gathering: seconds >= 0 that a window waits for others.
    """

    def __init__(self, path: Path | None, *, force_cpu: bool = True, gathering: float = GATHERING) -> None:
        self._path = path
        self._force_cpu = force_cpu
        self._gathering = gathering
        self._wanted = threading.Condition()
        self._waiting: list[_Request] = []
        self._streams = 0
        self._windows = 0
        self._runs = 0
        self._stopping = False
        self._error: APIError | None = None
        self._thread = threading.Thread(target=self._run, name="sessionactors-silero", daemon=True)
        self._thread.start()

    @property
    def usable(self) -> bool:
        """Whether it runs: it has not failed, was not stopped, and was not left behind by a fork."""
        return self._error is None and not self._stopping and self._thread.is_alive()

    @property
    def statistics(self) -> InferenceStatistics:
        """What it has done."""
        with self._wanted:
            return InferenceStatistics(self._windows, self._runs, self._streams, len(self._waiting))

    def opened(self) -> None:
        """One more stream sends windows."""
        with self._wanted:
            self._streams += 1

    def ended(self) -> None:
        """One stream less."""
        with self._wanted:
            self._streams -= 1
            self._wanted.notify()  # nobody has to wait for it

    async def probability(self, state: StreamState, window: bytes) -> float:
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

    # -- in the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            session = load_model(self._path, force_cpu=self._force_cpu)
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
        """What waits, oldest first; waits for some, and for a moment for more. Empty when stopped."""
        with self._wanted:
            while not self._waiting and not self._stopping:
                self._wanted.wait()
            self._gather()
            if self._stopping:
                return []
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            return batch

    def _gather(self) -> None:
        until = time.monotonic() + self._gathering
        while len(self._waiting) < min(self._streams, MOST) and not self._stopping:
            left = until - time.monotonic()
            if left <= 0:
                return
            self._wanted.wait(left)

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
        self._windows, self._runs = self._windows + len(batch), self._runs + 1
        answers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[float], float]]] = {}
        for index, request in enumerate(batch):
            request.state.memory = memory[:, index]
            request.state.context = request.samples[-CONTEXT_SAMPLES:]
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


def _settle(results: Sequence[tuple[asyncio.Future[float], float | APIError]]) -> None:
    for answer, result in results:
        if answer.done():
            continue  # its stream was closed meanwhile
        if isinstance(result, APIError):
            answer.set_exception(result)
        else:
            answer.set_result(result)


class SharedInference:
    """The threads of this process: one for each model, for as long as a detector uses it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: dict[tuple[Path | None, bool], tuple[Inference, int]] = {}

    def acquire(self, path: Path | None, *, force_cpu: bool) -> Inference:
        """The thread of a model, started if it is not there; a failed one is replaced."""
        key = (path, force_cpu)
        with self._lock:
            inference, users = self._threads.get(key, (None, 0))
            if inference is None or not inference.usable:
                inference, users = Inference(path, force_cpu=force_cpu), 0
            self._threads[key] = (inference, users + 1)
            return inference

    def release(self, inference: Inference) -> bool:
        """One user less; True: it was the last one, and the thread was told to end."""
        with self._lock:
            for key, (known, users) in self._threads.items():
                if known is not inference:
                    continue
                if users > 1:
                    self._threads[key] = (known, users - 1)
                    return False
                del self._threads[key]
                break
        inference.stop()
        return True


SHARED: Final = SharedInference()
