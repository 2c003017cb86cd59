"""``stt``: the recognition streams. It turns what a recogniser says into interim and final transcripts for ``turn``.

Told by ``input`` what is heard and by ``vad`` where utterances end. A stream that fails, ends or hangs is replaced by
one in a new scope, which hears again what no final covers yet; what was delivered before is not delivered twice. It
knows nothing of turns.

**Hung, or only noise?** After the end of an utterance a recogniser may rightly say nothing. It is taken for hung only
when, within the timeout, it has said nothing at all *and* owes something: it showed words that it never finished, or it
has not even read the flush. A recogniser that reads on and says nothing heard noise (a backend that hangs behind such a
reader is for the provider's own deadline to find).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeAlias, assert_never

from sessionactors.interfaces.home import Home
from sessionactors.interfaces.stt import STT, SpeechEvent, SpeechEventType
from sessionactors.messages.ear import (
    AudioHeard,
    AudioPaused,
    AudioReplayed,
    AudioSettled,
    FinalTranscript,
    FlushTaken,
    InterimTranscript,
    RecognizerEnded,
    RecognizerOverdue,
    RecognizerSaid,
    ReplayWanted,
    StreamRetry,
    UtteranceBegan,
    UtteranceEnded,
)
from sessionactors.messages.session import ComponentFailed, Publish, Recovered
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError, APITimeoutError
from sessionactors.model.events import ErrorEvent, MetricsCollectedEvent, UserInputTranscribedEvent
from sessionactors.model.metrics import STTMetrics
from sessionactors.model.sentinel import FLUSH
from sessionactors.runtime import NS, Actor, EffectPort, Outbox, Scope

from .ear_refs import EarRefs
from .provider_stream import relay
from .recognition_progress import RecognitionProgress
from .recognizer_audio import RecognizerAudio, joined
from .retry_policy import reportable, retry_delay

STTMessage: TypeAlias = (
    AudioHeard
    | AudioPaused
    | AudioReplayed
    | UtteranceBegan
    | UtteranceEnded
    | RecognizerSaid
    | RecognizerEnded
    | RecognizerOverdue
    | FlushTaken
    | StreamRetry
)

STREAM = "transcribe"
RETRY = "retry"
OVERDUE = "overdue"
INLET = 1024
"""Items that a slow recogniser may be behind: about 20 s of frames."""
REPLAY_WITHIN = 1.0
"""Seconds after which ``input`` is asked again (it was being restarted)."""
SLOWEST_PACE = 0.1
"""Seconds between attempts at least, also with ``retry_interval=0``."""
SETTLED_IN = 30.0
"""Seconds that a stream must have worked for its loss to begin a new budget: many services end streams now and then."""


class Stage(Enum):
    """What becomes of the next frame."""

    IDLE = "idle"
    """It opens a stream."""
    LISTENING = "listening"
    """The stream hears it."""
    WAITING = "waiting"
    """A failed stream waits to be opened again: the frame is in the ring of ``input``."""
    REPLAYING = "replaying"
    """``input`` was asked for the audio so far: the frame will be part of it."""


@dataclass(frozen=True, slots=True)
class STTState:
    """The stream, its progress, and how the finals ended."""

    stage: Stage = Stage.IDLE
    stream: Scope | None = None
    opened_at: int = 0
    progress: RecognitionProgress = field(default_factory=RecognitionProgress)
    flowing: bool = False
    """Audio came since the last pause."""
    interim: str = ""
    """Words that no final covers yet."""
    untaken: int = 0
    """Flushes that the recogniser has not read."""
    known: tuple[str, ...] = ()
    """Finals that the stream may repeat, because they were delivered and it hears their audio again."""
    failures: int = 0
    """Streams lost since the last final."""
    since_final: float = 0.0
    """Seconds of audio."""
    finals: int = 0
    empty: int = 0
    replayed: int = 0
    """Finals discarded because they had been delivered."""
    lost_frames: int = 0
    """Frames that the ring had forgotten when they were asked for."""


class STTActor(Actor[STTState, STTMessage]):
    """Recognises the speech of one participant.

    Args:
        refs: the ear's actors.
        stt: the recogniser.
    """

    def __init__(self, refs: EarRefs, stt: STT) -> None:
        self._refs = refs
        self._stt = stt

    def initial(self) -> STTState:
        """No stream yet."""
        return STTState()

    def restarted(self, state: STTState, error: BaseException, out: Outbox[STTMessage]) -> STTState:
        """The stream died with the failure: a new one hears what no final covers yet."""
        state = self._close(state, out)
        if state.progress.heard == state.progress.settled:
            return replace(state, stage=Stage.IDLE)
        return self._ask_for_replay(state, out)

    def receive(self, state: STTState, message: STTMessage, out: Outbox[STTMessage]) -> STTState:
        """Handle one message."""
        match message:
            case AudioHeard(frame, number):
                return self._on_audio(state, frame, number, out)
            case RecognizerSaid(event):
                return self._on_event(state, event, out)
            case UtteranceBegan():
                return self._on_utterance_began(state)
            case UtteranceEnded():
                return self._on_utterance_ended(state, out)
            case AudioPaused():
                return self._on_paused(state, out)
            case FlushTaken():
                return replace(state, untaken=max(0, state.untaken - 1))
            case AudioReplayed():
                return self._on_replayed(state, message, out)
            case RecognizerEnded():
                return self._on_stream_ended(state, message, out)
            case RecognizerOverdue(stream):
                return self._on_overdue(state, stream, out)
            case StreamRetry():
                return self._ask_for_replay(state, out)
            case _:
                assert_never(message)

    def summary(self, state: STTState) -> Mapping[str, object]:
        """Stream, and how the finals ended."""
        return {
            "stage": state.stage.value,
            "stream": None if state.stream is None else state.stream.path,
            "failures": state.failures,
            "finals": state.finals,
            "discarded": {"replayed": state.replayed, "empty": state.empty},
            "lost_frames": state.lost_frames,
        }

    # -- audio -------------------------------------------------------------------------------------------------------

    def _on_audio(self, state: STTState, frame: AudioFrame, number: int, out: Outbox[STTMessage]) -> STTState:
        if state.stage is Stage.IDLE:
            state = self._open(state, out)
        if state.stage is Stage.LISTENING:
            out.feed(STREAM, frame)
        return replace(
            state,
            flowing=True,
            progress=replace(state.progress, heard=number),
            since_final=state.since_final + frame.duration,
        )

    @staticmethod
    def _on_utterance_began(state: STTState) -> STTState:
        # With nothing open from before, what is understood from now on is new: the same words may be said again.
        known = state.known if state.progress.open else ()
        return replace(state, known=known, progress=state.progress.utterance_began())

    def _on_utterance_ended(self, state: STTState, out: Outbox[STTMessage]) -> STTState:
        before = state.progress
        if state.stage is Stage.IDLE:
            return replace(state, progress=replace(before, voice=False))
        state = replace(state, progress=before.utterance_ended())
        if state.stage is Stage.LISTENING and state.progress.cuts != before.cuts:
            out.feed(STREAM, FLUSH)
            state = replace(state, untaken=state.untaken + 1)
            self._expect_answer(out, state)
        return state

    def _on_paused(self, state: STTState, out: Outbox[STTMessage]) -> STTState:
        state = replace(state, flowing=False)
        unfinished = self._refs.vad is None or state.progress.voice or state.interim
        return self._on_utterance_ended(state, out) if unfinished and state.progress.heard else state

    def _expect_answer(self, out: Outbox[STTMessage], state: STTState) -> None:
        if state.stream is not None:
            within = self._refs.wiring.options.stt_conn_options.timeout
            out.timer(OVERDUE, within, RecognizerOverdue(state.stream.path))

    # -- streams -----------------------------------------------------------------------------------------------------

    def _open(self, state: STTState, out: Outbox[STTMessage]) -> STTState:
        scope = out.open_scope(f"{out.path}/{out.new_id('recognition')}")
        stt = self._stt

        async def transcribe(port: EffectPort[STTMessage]) -> None:
            audio = RecognizerAudio(lambda: port.send(FlushTaken(scope)), port.inlet)
            await relay(stt.transcribe(audio), lambda event: RecognizerSaid(event, scope), port)

        out.effect(
            STREAM,
            transcribe,
            done=lambda _: RecognizerEnded(scope.path, None),
            failed=lambda error: RecognizerEnded(scope.path, error),
            user_loop=stt.home is Home.USER,
            inlet=INLET,
        )
        return replace(state, stage=Stage.LISTENING, stream=scope, opened_at=out.now, interim="", untaken=0, known=())

    def _close(self, state: STTState, out: Outbox[STTMessage]) -> STTState:
        out.cancel_timer(OVERDUE)
        if state.stream is None:
            return state
        out.close_scope(state.stream)
        out.cancel_effect(STREAM)
        return replace(state, stream=None)

    def _ask_for_replay(self, state: STTState, out: Outbox[STTMessage]) -> STTState:
        out.tell(self._refs.input, ReplayWanted(after=state.progress.settled))
        out.timer(RETRY, REPLAY_WITHIN, StreamRetry())
        return replace(state, stage=Stage.REPLAYING)

    def _on_replayed(self, state: STTState, replay: AudioReplayed, out: Outbox[STTMessage]) -> STTState:
        """Let a new stream hear it, with the ends of utterances where they were."""
        if state.stage is not Stage.REPLAYING:
            return state
        out.cancel_timer(RETRY)
        upto = replay.first + len(replay.frames) - 1
        gap = max(0, replay.first - state.progress.settled - 1)
        progress = state.progress.replayed(replay.first, upto)
        state = replace(
            self._open(state, out),
            progress=progress,
            known=tuple(final.text for final in progress.uncertain),
            untaken=len(progress.cuts),
            lost_frames=state.lost_frames + gap,
        )
        done = 0
        for cut in progress.cuts:
            for frame in joined(replay.frames[done : cut - replay.first + 1]):
                out.feed(STREAM, frame)
            out.feed(STREAM, FLUSH)
            done = cut - replay.first + 1
        for frame in joined(replay.frames[done:]):
            out.feed(STREAM, frame)
        if progress.cuts:
            self._expect_answer(out, state)
        return state

    def _on_stream_ended(self, state: STTState, ended: RecognizerEnded, out: Outbox[STTMessage]) -> STTState:
        if state.stream is None or state.stream.path != ended.stream:
            return state  # one that was closed already
        if not state.flowing and not state.interim and (ended.error is None or not state.progress.open):
            if ended.error is not None:
                out.log("idle_stream_ended", stream=ended.stream, error=repr(ended.error))
            return self._rest(state, out)
        error = ended.error or APIConnectionError("the recognition stream ended while audio was flowing")
        return self._lost(state, error, out)

    def _rest(self, state: STTState, out: Outbox[STTMessage]) -> STTState:
        """The stream ended when there was nothing to hear: the next audio opens another."""
        progress = state.progress.all_settled()
        out.tell(self._refs.input, AudioSettled(progress.settled))
        return replace(self._close(state, out), stage=Stage.IDLE, progress=progress)

    def _lost(self, state: STTState, error: BaseException, out: Outbox[STTMessage]) -> STTState:
        worked = (out.now - state.opened_at) / NS >= SETTLED_IN
        failures = 1 if worked else state.failures + 1
        options = self._refs.wiring.options.stt_conn_options
        supervisor = self._refs.wiring.supervisor
        told = reportable(error, "the recognition stream")
        delay = retry_delay(told, failures, options)
        if delay is None:
            # The budget is spent: somebody has to know, but a call whose recogniser comes back goes on.
            out.tell(supervisor, ComponentFailed("stt", told))
            delay = max(options.retry_interval, SLOWEST_PACE)
        else:
            out.tell(supervisor, Publish(ErrorEvent(told, "stt", recoverable=True, created_at=out.wall())))
        state = self._close(state, out)
        out.timer(RETRY, delay, StreamRetry())
        return replace(state, stage=Stage.WAITING, failures=failures)

    def _on_overdue(self, state: STTState, stream: str, out: Outbox[STTMessage]) -> STTState:
        if state.stream is None or state.stream.path != stream:
            return state
        if state.interim or state.untaken:
            within = self._refs.wiring.options.stt_conn_options.timeout
            return self._lost(state, APITimeoutError(f"the recogniser finished nothing within {within:g} s"), out)
        progress = state.progress.quiet()
        out.tell(self._refs.input, AudioSettled(progress.settled))
        return replace(state, progress=progress)

    # -- transcripts -------------------------------------------------------------------------------------------------

    def _on_event(self, state: STTState, event: SpeechEvent, out: Outbox[STTMessage]) -> STTState:
        text = event.text.strip()
        match event.type:
            case SpeechEventType.INTERIM_TRANSCRIPT:
                return self._on_interim(state, text, event, out)
            case SpeechEventType.FINAL_TRANSCRIPT if not text:
                return self._on_empty_final(state, out)
            case SpeechEventType.FINAL_TRANSCRIPT:
                if text in state.known:
                    return self._discard_replayed(state, text, out)
                # Anything else is new, or understood differently by the new stream: there is nothing to compare then.
                return self._deliver(replace(state, known=()), replace(event, text=text), out)
            case _:
                assert_never(event.type)

    def _on_interim(self, state: STTState, text: str, event: SpeechEvent, out: Outbox[STTMessage]) -> STTState:
        if state.known or state.stream is None or (not text and not state.interim):
            return state
        out.tell(self._refs.turn, InterimTranscript(text, state.stream))
        if text:
            self._publish(replace(event, text=text), out)
        if self._refs.vad is None or state.progress.open:
            self._expect_answer(out, state)  # it works on it
        return replace(state, interim=text, progress=state.progress.words_seen())

    def _on_empty_final(self, state: STTState, out: Outbox[STTMessage]) -> STTState:
        if state.interim and state.stream is not None:
            out.tell(self._refs.turn, InterimTranscript("", state.stream))
        state = self._settle(state, state.progress.empty(), out)
        return replace(state, empty=state.empty + 1)

    def _discard_replayed(self, state: STTState, text: str, out: Outbox[STTMessage]) -> STTState:
        out.log("transcript_discarded", id=out.new_id("transcript"), reason="replayed")
        state = self._settle(state, state.progress.final(text, again=True), out)
        known = state.known[state.known.index(text) + 1 :]
        return replace(state, replayed=state.replayed + 1, known=known)

    def _deliver(self, state: STTState, event: SpeechEvent, out: Outbox[STTMessage]) -> STTState:
        supervisor = self._refs.wiring.supervisor
        out.tell(
            self._refs.turn,
            FinalTranscript(out.new_id("transcript"), event.text, event.language, event.confidence, event.complete),
        )
        self._publish(event, out)
        metrics = STTMetrics(self._stt.label, state.since_final)
        out.tell(supervisor, Publish(MetricsCollectedEvent(metrics, out.wall())))
        if state.failures:
            out.tell(supervisor, Recovered("stt"))
        state = self._settle(state, state.progress.final(event.text), out)
        return replace(state, finals=state.finals + 1, failures=0, since_final=0.0)

    def _settle(self, state: STTState, progress: RecognitionProgress, out: Outbox[STTMessage]) -> STTState:
        """Something came of an utterance."""
        if progress.settled != state.progress.settled:
            out.tell(self._refs.input, AudioSettled(progress.settled))
        if not progress.open:
            out.cancel_timer(OVERDUE)
        return replace(state, progress=progress, interim="")

    def _publish(self, event: SpeechEvent, out: Outbox[STTMessage]) -> None:
        transcribed = UserInputTranscribedEvent(
            event.text,
            is_final=event.type is SpeechEventType.FINAL_TRANSCRIPT,
            created_at=out.wall(),
            speaker_id=self._refs.participant,
            language=event.language,
        )
        out.tell(self._refs.wiring.supervisor, Publish(transcribed))
