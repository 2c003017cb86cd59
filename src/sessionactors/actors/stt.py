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
from typing import TypeAlias, assert_never

from sessionactors.interfaces.recognition_context import RecognitionContext
from sessionactors.interfaces.stt import STT
from sessionactors.messages.ear import (
    AudioHeard,
    AudioPaused,
    AudioReplayed,
    AudioSettled,
    FlushTaken,
    RecognitionReset,
    RecognizerOverdue,
    RecognizerSaid,
    ReplayWanted,
    ResetRecognition,
    StreamEnded,
    StreamRetry,
    UtteranceBegan,
    UtteranceEnded,
)
from sessionactors.messages.keyterms import ContextForRecognitionWanted, RecognitionContextChanged
from sessionactors.messages.session import ComponentFailed, ComponentStumbled
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError, APITimeoutError, ProviderReplaced
from sessionactors.model.sentinel import FLUSH
from sessionactors.runtime import NS, Actor, EffectPort, Outbox, Scope
from sessionactors.runtime.frozen import replace

from .ear_refs import EarRefs
from .provider_stream import STREAM, close_stream, is_end_of, open_stream, relay
from .recognized import OVERDUE, Recognized, checked
from .recognizer_audio import RecognizerAudio, joined
from .retry_policy import reportable, retry_delay
from .stt_state import Stage, STTState

STTMessage: TypeAlias = (
    AudioHeard
    | AudioPaused
    | AudioReplayed
    | UtteranceBegan
    | UtteranceEnded
    | RecognizerSaid
    | StreamEnded
    | RecognizerOverdue
    | FlushTaken
    | StreamRetry
    | ResetRecognition
    | RecognitionContextChanged
)

RETRY = "retry"
REPLAY_WITHIN = 1.0
"""Seconds after which ``input`` is asked again (it was being restarted)."""
SLOWEST_PACE = 0.1
"""Seconds between attempts at least, also with ``retry_interval=0``."""
SETTLED_IN = 30.0
"""Seconds that a stream must have worked for its loss to begin a new budget: many services end streams now and then."""


class STTActor(Actor[STTState, STTMessage]):
    """Recognises the speech of one participant.

    Args:
        refs: the ear's actors.
        stt: the recogniser.
        follows: it takes the place of another one, and hears what that one has not settled.
    """

    def __init__(self, refs: EarRefs, stt: STT, *, follows: bool = False) -> None:
        self._refs = refs
        self._stt = stt
        self._follows = follows
        self._recognized = Recognized(refs, stt)

    def initial(self) -> STTState:
        """No stream yet."""
        return STTState()

    def started(self, state: STTState, out: Outbox[STTMessage]) -> STTState:
        """Ask what the recogniser may know of the conversation, and for what the one before it has not settled."""
        if self._refs.wiring.keyterms is not None:
            out.tell(self._refs.wiring.keyterms, ContextForRecognitionWanted(out.myself))
        return self._ask_for_replay(state, out) if self._follows else state

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
            case RecognitionContextChanged(context):
                return self._on_context(state, context, out)
            case RecognizerSaid(event):
                return self._recognized.on_event(state, event, out)
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
            case StreamEnded():
                return self._on_stream_ended(state, message, out)
            case RecognizerOverdue(stream):
                return self._on_overdue(state, stream, out)
            case StreamRetry():
                return self._ask_for_replay(state, out)
            case ResetRecognition():
                return self._on_reset(state, out)
            case _:
                assert_never(message)

    def _on_context(self, state: STTState, context: RecognitionContext, out: Outbox[STTMessage]) -> STTState:
        can = self._stt.capabilities
        context = context.usable(keyterms=can.keyterms, chat_context=can.chat_context)
        if state.stage is Stage.LISTENING and context != state.context:
            out.feed(STREAM, context)
        return replace(state, context=context)

    def summary(self, state: STTState) -> Mapping[str, object]:
        """Stream, and how the finals ended."""
        return {
            "stage": state.stage.value,
            "stream": None if state.stream is None else state.stream.path,
            "failures": state.failures,
            "finals": state.finals,
            "discarded": {"replayed": state.replayed, "empty": state.empty},
            "lost_frames": state.lost_frames,
            "resets": state.resets,
        }

    # -- audio -------------------------------------------------------------------------------------------------------

    def _on_audio(self, state: STTState, frame: AudioFrame, number: int, out: Outbox[STTMessage]) -> STTState:
        if state.stage is Stage.IDLE:
            state = self._open(state, out)
        seconds, fed, fed_at = frame.duration, state.fed, state.fed_at
        if state.stage is Stage.LISTENING:
            out.feed(STREAM, frame)
            fed, fed_at = fed + seconds, out.now
        return replace(
            state,
            fed=fed,
            fed_at=fed_at,
            flowing=True,
            progress=replace(state.progress, heard=number),
            since_final=state.since_final + seconds,
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
            self._recognized.expect_answer(state, out)
        return state

    def _on_paused(self, state: STTState, out: Outbox[STTMessage]) -> STTState:
        state = replace(state, flowing=False)
        unfinished = self._refs.vad is None or state.progress.voice or state.interim
        return self._on_utterance_ended(state, out) if unfinished and state.progress.heard else state

    # -- streams -----------------------------------------------------------------------------------------------------

    def _open(self, state: STTState, out: Outbox[STTMessage]) -> STTState:
        stt, context = self._stt, state.context

        async def transcribe(port: EffectPort[STTMessage], scope: Scope) -> None:
            audio = RecognizerAudio(lambda: port.send(FlushTaken(scope)), port.inlet, context)
            await relay(stt.transcribe(audio), lambda event: RecognizerSaid(checked(event, stt), scope), port)

        scope = open_stream(out, "recognition", transcribe, lambda ended: ended, stt.home)
        return replace(
            state,
            stage=Stage.LISTENING,
            stream=scope,
            opened_at=out.now,
            fed=0.0,
            fed_at=out.now,
            interim="",
            untaken=0,
            known=(),
        )

    @staticmethod
    def _close(state: STTState, out: Outbox[STTMessage]) -> STTState:
        out.cancel_timer(OVERDUE)
        close_stream(out, state.stream)
        return replace(state, stream=None)

    def _on_reset(self, state: STTState, out: Outbox[STTMessage]) -> STTState:
        """Give up what was heard: the next audio opens another stream."""
        out.cancel_timer(RETRY)
        out.tell(self._refs.turn, RecognitionReset())
        return replace(self._rest(state, out), interim="", known=(), resets=state.resets + 1)

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
        known_from = state.progress.settled if state.progress.settled or not self._follows else replay.first - 1
        gap = max(0, replay.first - known_from - 1)
        progress = state.progress.replayed(replay.first, upto)
        state = replace(
            self._open(state, out),
            progress=progress,
            known=tuple(final.text for final in progress.uncertain),
            untaken=len(progress.cuts),
            fed=sum(frame.duration for frame in replay.frames),
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
            self._recognized.expect_answer(state, out)
        return state

    def _on_stream_ended(self, state: STTState, ended: StreamEnded, out: Outbox[STTMessage]) -> STTState:
        if not is_end_of(ended, state.stream):
            return state
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
        if isinstance(error, ProviderReplaced):  # it costs nothing of the budget
            failures = state.failures
        options = self._refs.wiring.options.stt_conn_options
        supervisor = self._refs.wiring.supervisor
        told = reportable(error, "the recognition stream")
        delay = retry_delay(told, failures, options)
        if delay is None:
            # The budget is spent: somebody has to know, but a call whose recogniser comes back goes on.
            out.tell(supervisor, ComponentFailed("stt", told, self._stt.label))
            delay = max(options.retry_interval, SLOWEST_PACE)
        else:
            out.tell(supervisor, ComponentStumbled("stt", told, self._stt.label))
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
