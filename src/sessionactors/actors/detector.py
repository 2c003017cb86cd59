"""``detector``: the stream of an end-of-turn detector that listens. It answers ``turn``'s questions about the voice.

Told by ``input`` what is heard. A stream that fails or ends is reported and opened again; a question that it cannot
answer is answered with no opinion, so that no turn waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from sessionactors.interfaces.turn_detector import StreamingTurnDetector, TurnDetectorStream
from sessionactors.messages.ear import (
    AudioHeard,
    AudioPaused,
    DetectorPredicted,
    EndOfTurnPredicted,
    PredictEndOfTurn,
    StreamEnded,
    StreamRetry,
    VoiceCommitted,
)
from sessionactors.messages.session import Publish
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError
from sessionactors.model.events import ErrorEvent
from sessionactors.model.sentinel import FLUSH, FlushSentinel
from sessionactors.runtime import Actor, Backoff, EffectPort, Outbox, Scope
from sessionactors.runtime.frozen import replace

from .ear_refs import EarRefs
from .provider_stream import STREAM, close_stream, is_end_of, open_stream
from .retry_policy import reportable

DetectorMessage: TypeAlias = (
    AudioHeard | AudioPaused | PredictEndOfTurn | VoiceCommitted | DetectorPredicted | StreamEnded | StreamRetry
)

RETRY = "retry"
REOPENING = Backoff(first=0.5, maximum=5.0, jitter=0.0)


@dataclass(frozen=True, slots=True)
class DetectorState:
    """The stream, and what it was asked."""

    stream: Scope | None = None
    waiting: bool = False
    """A failed stream waits to be opened again."""
    question: int | None = None
    """What it was asked and has not answered."""
    failures: int = 0
    """Streams lost in a row."""
    predictions: int = 0


class DetectorActor(Actor[DetectorState, DetectorMessage]):
    """Follows the voice of one participant.

    Args:
        refs: the ear's actors.
        detector: what listens.
    """

    def __init__(self, refs: EarRefs, detector: StreamingTurnDetector) -> None:
        self._refs = refs
        self._detector = detector

    def initial(self) -> DetectorState:
        """No stream yet."""
        return DetectorState()

    def restarted(self, state: DetectorState, error: BaseException, out: Outbox[DetectorMessage]) -> DetectorState:
        """Begin a new stream with the next audio."""
        close_stream(out, state.stream)
        return replace(self._no_opinion(state, error, out), stream=None, waiting=False)

    def receive(self, state: DetectorState, message: DetectorMessage, out: Outbox[DetectorMessage]) -> DetectorState:
        """Handle one message."""
        match message:
            case AudioHeard(frame):
                return self._on_audio(state, frame, out)
            case PredictEndOfTurn(question):
                return self._on_question(state, question, out)
            case VoiceCommitted():
                if state.stream is not None:
                    out.feed(STREAM, FLUSH)
                return replace(state, question=None)
            case DetectorPredicted():
                return self._on_predicted(state, message, out)
            case StreamEnded():
                return self._on_stream_ended(state, message, out)
            case StreamRetry():
                return replace(state, waiting=False)
            case AudioPaused():
                return state
            case _:
                assert_never(message)

    def summary(self, state: DetectorState) -> Mapping[str, object]:
        """Stream and questions."""
        return {
            "stream": None if state.stream is None else state.stream.path,
            "asked": state.question,
            "predictions": state.predictions,
            "failures": state.failures,
        }

    # -- audio and stream --------------------------------------------------------------------------------------------

    def _on_audio(self, state: DetectorState, frame: AudioFrame, out: Outbox[DetectorMessage]) -> DetectorState:
        if state.waiting:
            return state
        if state.stream is None:
            state = self._open(state, out)
        out.feed(STREAM, frame)
        return state

    def _open(self, state: DetectorState, out: Outbox[DetectorMessage]) -> DetectorState:
        detector = self._detector

        async def listen(port: EffectPort[DetectorMessage], scope: Scope) -> None:
            stream = detector.stream()
            try:
                await _serve(stream, port, scope)
            finally:
                await stream.aclose()

        scope = open_stream(out, "listening", listen, lambda ended: ended, detector.home)
        return replace(state, stream=scope)

    def _on_stream_ended(self, state: DetectorState, ended: StreamEnded, out: Outbox[DetectorMessage]) -> DetectorState:
        if not is_end_of(ended, state.stream):
            return state
        error = ended.error or APIConnectionError("the turn detector's stream ended while audio was flowing")
        close_stream(out, state.stream)
        failures = state.failures + 1
        told = reportable(error, "the turn detector")
        # Only told, not counted: turns end without it.
        event = ErrorEvent(told, "turn_detector", recoverable=True, created_at=out.wall())
        out.tell(self._refs.wiring.supervisor, Publish(event))
        out.timer(RETRY, REOPENING.delay(failures, 0.0), StreamRetry())
        return replace(self._no_opinion(state, told, out), stream=None, waiting=True, failures=failures)

    # -- questions ---------------------------------------------------------------------------------------------------

    def _on_question(self, state: DetectorState, question: int, out: Outbox[DetectorMessage]) -> DetectorState:
        state = replace(state, question=question)
        if state.stream is None:
            return self._no_opinion(state, APIConnectionError("the turn detector has no stream"), out)
        out.feed(STREAM, question)
        return state

    def _no_opinion(self, state: DetectorState, error: BaseException, out: Outbox[DetectorMessage]) -> DetectorState:
        if state.question is None:
            return state
        out.tell(self._refs.turn, EndOfTurnPredicted(state.question, None, error))
        return replace(state, question=None)

    def _on_predicted(
        self, state: DetectorState, predicted: DetectorPredicted, out: Outbox[DetectorMessage]
    ) -> DetectorState:
        if predicted.question != state.question:
            return state  # something newer was asked meanwhile, or nothing is any more
        out.tell(self._refs.turn, EndOfTurnPredicted(predicted.question, predicted.probability, predicted.error))
        failures = state.failures if predicted.error is not None else 0
        return replace(state, question=None, predictions=state.predictions + 1, failures=failures)


async def _serve(stream: TurnDetectorStream, port: EffectPort[DetectorMessage], scope: Scope) -> None:
    """Give the stream what is fed, and ask it what is asked; a newer question cancels an older one."""
    asking: asyncio.Task[None] | None = None
    try:
        async for item in port.inlet:
            match item:
                case AudioFrame():
                    stream.push_frame(item)
                case FlushSentinel():
                    await _cancel(asking)
                    stream.flush()
                case int(question):
                    await _cancel(asking)
                    asking = asyncio.create_task(_predict(stream, question, port, scope), name=f"predict-{question}")
                case _:
                    pass
    finally:
        await _cancel(asking)


async def _predict(stream: TurnDetectorStream, question: int, port: EffectPort[DetectorMessage], scope: Scope) -> None:
    try:
        probability = await stream.predict()
    except Exception as error:  # noqa: BLE001  whatever a detector raises is no opinion
        await port.send(DetectorPredicted(question, None, scope, error))
    else:
        await port.send(DetectorPredicted(question, probability, scope))


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
