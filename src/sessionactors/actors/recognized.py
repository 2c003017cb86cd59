"""What becomes of a recogniser's report: transcripts and edges of speech for ``turn``, events for the public.

The half of ``stt`` that knows words; the other half (:mod:`.stt`) knows streams.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, assert_never

from sessionactors.interfaces.stt import STT, RecognitionUsage, SpeechEvent, SpeechEventType
from sessionactors.messages.ear import (
    AudioSettled,
    FinalTranscript,
    InterimTranscript,
    NoWords,
    PreflightTranscript,
    RecognizerHeardEnd,
    RecognizerHeardStart,
    RecognizerOverdue,
)
from sessionactors.messages.room import UserTranscribed
from sessionactors.messages.session import Publish, Recovered
from sessionactors.model.errors import APIError
from sessionactors.model.events import MetricsCollectedEvent, UserInputTranscribedEvent
from sessionactors.model.metrics import STTMetrics
from sessionactors.runtime import NS, Outbox
from sessionactors.runtime.frozen import replace

from .component_metadata import metadata_of
from .ear_refs import EarRefs
from .recognition_progress import RecognitionProgress
from .stt_state import STTState

if TYPE_CHECKING:
    from .stt import STTMessage

OVERDUE = "overdue"
CHANGING_FOR = 12
"""Timeouts for which words may change without becoming final: some recognisers finish a long speech at its end only."""


class Recognized:
    """Handles the reports of one participant's recogniser.

    Args:
        refs: the ear's actors.
        stt: the recogniser, for metrics.
    """

    def __init__(self, refs: EarRefs, stt: STT) -> None:
        self._refs = refs
        self._stt = stt

    def on_event(self, state: STTState, event: SpeechEvent, out: Outbox[STTMessage]) -> STTState:
        """One report."""
        text = event.text.strip()
        match event.type:
            case SpeechEventType.START_OF_SPEECH:
                out.tell(self._refs.turn, RecognizerHeardStart(state.moment(event.start_time, out.now)))
                return state
            case SpeechEventType.END_OF_SPEECH:
                out.tell(self._refs.turn, RecognizerHeardEnd(state.moment(event.end_time, out.now)))
                return state
            case SpeechEventType.INTERIM_TRANSCRIPT | SpeechEventType.PREFLIGHT_TRANSCRIPT:
                return self._on_interim(state, text, event, out)
            case SpeechEventType.FINAL_TRANSCRIPT:
                return self._on_final(state, text, event, out)
            case SpeechEventType.RECOGNITION_USAGE:
                return self._on_usage(state, event, out)
            case _:
                assert_never(event.type)

    def expect_answer(self, state: STTState, out: Outbox[STTMessage]) -> None:
        """Something must come of what was heard."""
        if state.stream is not None:
            within = self._refs.wiring.options.stt_conn_options.timeout
            out.timer(OVERDUE, within, RecognizerOverdue(state.stream.path))

    # -- words -------------------------------------------------------------------------------------------------------

    def _on_interim(self, state: STTState, text: str, event: SpeechEvent, out: Outbox[STTMessage]) -> STTState:
        if state.known or state.stream is None or (not text and not state.interim):
            return state
        if event.type is SpeechEventType.PREFLIGHT_TRANSCRIPT:
            out.tell(self._refs.turn, PreflightTranscript(text, state.stream, event.confidence))
        else:
            out.tell(self._refs.turn, InterimTranscript(text, state.stream, event.language))
        if text:
            self._publish(event, text, out)
        shown_at = state.shown_at if state.interim else out.now
        longest = CHANGING_FOR * self._refs.wiring.options.stt_conn_options.timeout
        if (self._refs.vad is None or state.progress.open) and (out.now - shown_at) / NS <= longest:
            self.expect_answer(state, out)  # it works on it
        return replace(state, interim=text, shown_at=shown_at, progress=state.progress.words_seen())

    def _on_final(self, state: STTState, text: str, event: SpeechEvent, out: Outbox[STTMessage]) -> STTState:
        if not text:
            out.tell(self._refs.turn, NoWords())
            state = self._settle(state, state.progress.empty(), out)
            return replace(state, empty=state.empty + 1)
        if text in state.known:
            return self._discard_replayed(state, text, out)
        # Anything else is new, or understood differently by the new stream: there is nothing to compare then.
        return self._deliver(replace(state, known=()), text, event, out)

    def _discard_replayed(self, state: STTState, text: str, out: Outbox[STTMessage]) -> STTState:
        out.log("transcript_discarded", id=out.new_id("transcript"), reason="replayed")
        state = self._settle(state, state.progress.final(text, again=True), out)
        known = state.known[state.known.index(text) + 1 :]
        return replace(state, replayed=state.replayed + 1, known=known)

    def _deliver(self, state: STTState, text: str, event: SpeechEvent, out: Outbox[STTMessage]) -> STTState:
        supervisor = self._refs.wiring.supervisor
        final = FinalTranscript(
            out.new_id("transcript"),
            text,
            event.language,
            event.confidence,
            event.complete,
            None if event.end_time is None else state.moment(event.end_time, out.now),
            event.speaker_id,
        )
        out.tell(self._refs.turn, final)
        self._publish(event, text, out)
        if not state.reports_usage:
            self._publish_metrics(RecognitionUsage(state.since_final), out, event.request_id)
        if state.failures:
            out.tell(supervisor, Recovered("stt"))
        state = self._settle(state, state.progress.final(text), out)
        return replace(state, finals=state.finals + 1, failures=0, since_final=0.0)

    def _settle(self, state: STTState, progress: RecognitionProgress, out: Outbox[STTMessage]) -> STTState:
        """Something came of an utterance."""
        if progress.settled != state.progress.settled:
            out.tell(self._refs.input, AudioSettled(progress.settled))
        if not progress.open:
            out.cancel_timer(OVERDUE)
        return replace(state, progress=progress, interim="")

    # -- the public --------------------------------------------------------------------------------------------------

    def _on_usage(self, state: STTState, event: SpeechEvent, out: Outbox[STTMessage]) -> STTState:
        if event.usage is not None:
            self._publish_metrics(event.usage, out, event.request_id)
        return replace(state, reports_usage=True)

    def _publish_metrics(self, usage: RecognitionUsage, out: Outbox[STTMessage], request_id: str = "") -> None:
        metrics = STTMetrics(
            self._stt.label,
            usage.audio_duration,
            request_id,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            timestamp=out.wall(),
            metadata=metadata_of(self._stt),
        )
        out.tell(self._refs.wiring.supervisor, Publish(MetricsCollectedEvent(metrics, out.wall())))

    def _publish(self, event: SpeechEvent, text: str, out: Outbox[STTMessage]) -> None:
        realtime = self._refs.wiring.components.realtime
        if realtime is not None and realtime.capabilities.user_transcription:
            return  # the model itself says what it heard
        transcribed = UserInputTranscribedEvent(
            text,
            is_final=event.type is SpeechEventType.FINAL_TRANSCRIPT,
            created_at=out.wall(),
            speaker_id=event.speaker_id or self._refs.participant,
            language=event.language,
        )
        out.tell(self._refs.wiring.supervisor, Publish(transcribed))
        wiring = self._refs.wiring
        if wiring.room is not None and wiring.components.room_text:
            out.tell(wiring.room, UserTranscribed(self._refs.participant, text, transcribed.is_final))


def checked(event: object, stt: STT) -> SpeechEvent:
    """A provider is not ours to trust: what is no report must not reach a handler, nor a figure that is no number.

    Raises:
        APIError: it is no report.
    """
    if not isinstance(event, SpeechEvent) or not isinstance(event.text, str):
        raise APIError(f"{stt.label} said {type(event).__name__} instead of SpeechEvent", retryable=False)
    if event.confidence is not None and not math.isfinite(event.confidence):
        return replace(event, confidence=None, alternatives=())
    return event
