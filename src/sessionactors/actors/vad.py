"""``vad``: the detector stream. It turns what a detector says into the beginning, going on and end of speech.

Told by ``input`` what is heard, it tells ``turn`` about speech and ``stt`` about utterances. What speech means (a turn,
an interruption) is not its business. A stream that fails, ends or falls silent is reported and opened again; speech
that it was in the middle of is ended, so that nobody waits for an end that cannot come.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never, cast

from sessionactors.interfaces.vad import VAD, VADEvent, VADEventType
from sessionactors.messages.ear import (
    AudioHeard,
    AudioPaused,
    DetectorSaid,
    RestartDetection,
    SpeechContinues,
    SpeechEnded,
    SpeechStarted,
    SpeechStateWanted,
    StreamEnded,
    StreamRetry,
    UtteranceBegan,
    UtteranceEnded,
)
from sessionactors.messages.session import ComponentFailed, Publish, Recovered
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError, APIError, APITimeoutError
from sessionactors.model.events import MetricsCollectedEvent
from sessionactors.model.metrics import VADMetrics
from sessionactors.runtime import NS, Actor, Backoff, EffectPort, Outbox, Scope
from sessionactors.runtime.frozen import replace

from .component_metadata import metadata_of
from .ear_refs import EarRefs
from .provider_stream import STREAM, close_stream, is_end_of, open_stream, relay
from .quiet_windows import QuietWindows
from .retry_policy import reportable

VADMessage: TypeAlias = (
    AudioHeard | AudioPaused | DetectorSaid | StreamEnded | StreamRetry | SpeechStateWanted | RestartDetection
)

RETRY = "retry"
REOPENING = Backoff(first=0.5, maximum=5.0, jitter=0.0)
FIGURES_EVERY = 1.0
"""Seconds of audio, about, between two figures."""
TINY = 0.001
"""Seconds by which a duration may be below 0: rounding."""
END_WITHIN = 0.5
"""Seconds of findings of silence within which a detector says that speech has ended; then the end counts as told."""
SILENT_FOR = 2.0
"""Seconds of audio after which a detector that used to report each window is taken for hung."""


@dataclass(frozen=True, slots=True)
class VADState:
    """The stream, and whether it is inside speech."""

    stream: Scope | None = None
    """Opened by the first audio; None also while a failed one waits to be opened again."""
    waiting: bool = False
    """A failed stream waits to be opened again."""
    speaking: bool = False
    began_at: int = 0
    """When the present or last stretch of speech set in, ns."""
    voiced_at: int = 0
    """When the voice was last heard, ns."""
    reports: bool = False
    """The stream says something about each window, so silence of it is a sign."""
    unanswered: float = 0.0
    """Seconds of audio since the stream last said something."""
    failures: int = 0
    """Streams lost in a row."""
    missed: float = 0.0
    """Seconds of audio that no stream got."""
    told_speaking: bool = False
    """Since it began, a finding said that speech goes on: this detector says so, and when it no longer does."""
    quiet_since: int | None = None
    """Within speech: since when findings say that there is none, although its end was not told, ns."""
    stretches: int = 0
    windows: int = 0
    """Findings about a window since the last figures."""
    inference: float = 0.0
    """Seconds that the detector took for them."""
    active_at: int | None = None
    """When speech last began or ended, ns; at first, when the first window was looked at."""


class VADActor(Actor[VADState, VADMessage]):
    """Detects the speech of one participant.

    Args:
        refs: the ear's actors.
        vad: the detector.
        follows: it takes the place of another one: speech that was going on has to begin anew.
    """

    def __init__(self, refs: EarRefs, vad: VAD, *, follows: bool = False) -> None:
        self._refs = refs
        self._vad = vad
        self._follows = follows

    def initial(self) -> VADState:
        """No stream yet."""
        return VADState()

    def started(self, state: VADState, out: Outbox[VADMessage]) -> VADState:
        """What the detector before heard last is over."""
        if self._follows:
            out.tell(self._refs.turn, SpeechEnded(out.now))
            if self._refs.stt is not None:
                out.tell(self._refs.stt, UtteranceEnded())
        return state

    def restarted(self, state: VADState, error: BaseException, out: Outbox[VADMessage]) -> VADState:
        """Begin a new stream with the next audio; speech that was going on has to begin anew."""
        return replace(self._break_off(state, state.voiced_at, out), waiting=False)

    def receive(self, state: VADState, message: VADMessage, out: Outbox[VADMessage]) -> VADState:
        """Handle one message."""
        match message:
            case AudioHeard(frame):
                return self._on_audio(state, frame, out)
            case DetectorSaid():
                return self._on_event(state, message, out)
            case StreamEnded():
                return self._on_stream_ended(state, message, out)
            case StreamRetry():
                return replace(state, waiting=False)
            case AudioPaused():
                return self._break_off(state, state.voiced_at, out)
            case RestartDetection():
                return self._break_off(state, state.voiced_at, out)
            case SpeechStateWanted():
                if not state.speaking:
                    out.tell(self._refs.turn, SpeechEnded(state.voiced_at or out.now))
                return state
            case _:
                assert_never(message)

    def summary(self, state: VADState) -> Mapping[str, object]:
        """Stream and speech."""
        return {
            "stream": None if state.stream is None else state.stream.path,
            "speaking": state.speaking,
            "stretches": state.stretches,
            "failures": state.failures,
            "missed": round(state.missed, 3),
        }

    # -- audio and stream --------------------------------------------------------------------------------------------

    def _on_audio(self, state: VADState, frame: AudioFrame, out: Outbox[VADMessage]) -> VADState:
        if state.waiting:
            return replace(state, missed=state.missed + frame.duration)
        if state.stream is None:
            state = self._open(state, out)
        out.feed(STREAM, frame)
        unanswered = state.unanswered + frame.duration
        if state.reports and unanswered > SILENT_FOR:
            hung = APITimeoutError(f"the detector said nothing about {unanswered:.1f} s of audio")
            return self._lost(state, out.now, hung, out)  # nobody knows how long the voice went on
        return replace(state, unanswered=unanswered)

    def _open(self, state: VADState, out: Outbox[VADMessage]) -> VADState:
        vad = self._vad

        async def detect(port: EffectPort[VADMessage], scope: Scope) -> None:
            frames = cast("AsyncIterator[AudioFrame]", port.inlet)
            quiet = QuietWindows(vad.capabilities.update_interval)
            await relay(vad.detect(frames), lambda event: quiet.told(_checked(event, vad), scope), port)

        scope = open_stream(out, "detection", detect, lambda ended: ended, vad.home)
        return replace(state, stream=scope, reports=False, unanswered=0.0)

    def _break_off(self, state: VADState, at: int, out: Outbox[VADMessage]) -> VADState:
        """The stream is over, on purpose or not: speech that it was in the middle of ended at ``at``."""
        close_stream(out, state.stream)
        state = replace(state, stream=None)
        return self._speech_ended(state, at, out) if state.speaking else state

    def _on_stream_ended(self, state: VADState, ended: StreamEnded, out: Outbox[VADMessage]) -> VADState:
        if not is_end_of(ended, state.stream):
            return state
        error = ended.error or APIConnectionError("the detector stream ended while audio was flowing")
        return self._lost(state, state.voiced_at, error, out)

    def _lost(self, state: VADState, at: int, error: BaseException, out: Outbox[VADMessage]) -> VADState:
        state = self._break_off(state, at, out)
        failures = state.failures + 1
        out.tell(
            self._refs.wiring.supervisor,
            ComponentFailed("vad", reportable(error, "the detector stream"), self._vad.label),
        )
        out.timer(RETRY, REOPENING.delay(failures, 0.0), StreamRetry())
        return replace(state, failures=failures, waiting=True)

    # -- speech ------------------------------------------------------------------------------------------------------

    def _on_event(self, state: VADState, said: DetectorSaid, out: Outbox[VADMessage]) -> VADState:
        event = said.event
        if state.failures:
            out.tell(self._refs.wiring.supervisor, Recovered("vad"))
            state = replace(state, failures=0)
        state = self._count(state, said, out)
        match event.type:
            case VADEventType.START_OF_SPEECH:
                return state if state.speaking else self._speech_started(state, event, out)
            case VADEventType.INFERENCE_DONE:
                return self._window_done(state, event, out)
            case VADEventType.END_OF_SPEECH:
                at = out.now - round((event.silence_duration + event.inference_duration) * NS)
                return self._speech_ended(state, at, out) if state.speaking else state
            case _:
                assert_never(event.type)

    def _count(self, state: VADState, said: DetectorSaid, out: Outbox[VADMessage]) -> VADState:
        """Figures of about each second of audio."""
        windows, inference = state.windows + said.quiet, state.inference + said.inference
        if said.event.type is not VADEventType.INFERENCE_DONE:
            return replace(state, windows=windows, inference=inference, active_at=out.now)
        since = out.now if state.active_at is None else state.active_at
        windows, inference = windows + 1, inference + said.event.inference_duration
        if windows * self._vad.capabilities.update_interval < FIGURES_EVERY:
            return replace(state, windows=windows, inference=inference, active_at=since)
        metrics = VADMetrics(
            self._vad.label, (out.now - since) / NS, inference, windows, out.wall(), metadata_of(self._vad)
        )
        out.tell(self._refs.wiring.supervisor, Publish(MetricsCollectedEvent(metrics, out.wall())))
        return replace(state, windows=0, inference=0.0, active_at=since)

    def _speech_started(self, state: VADState, event: VADEvent, out: Outbox[VADMessage]) -> VADState:
        at = out.now - round((event.speech_duration + event.inference_duration) * NS)
        out.tell(self._refs.turn, SpeechStarted(at))
        if self._refs.stt is not None:
            out.tell(self._refs.stt, UtteranceBegan())
        return replace(
            state,
            speaking=True,
            began_at=at,
            voiced_at=out.now,
            told_speaking=False,
            quiet_since=None,
            stretches=state.stretches + 1,
        )

    def _window_done(self, state: VADState, event: VADEvent, out: Outbox[VADMessage]) -> VADState:
        if not state.speaking:
            return replace(state, reports=True, unanswered=0.0)
        if state.told_speaking and not event.speaking:
            return self._end_untold(replace(state, reports=True, unanswered=0.0), out)
        out.tell(self._refs.turn, SpeechContinues(event.speech_duration, event.raw_silence))
        voiced_at = out.now - round(event.raw_silence * NS)
        told = state.told_speaking or event.speaking
        return replace(state, reports=True, unanswered=0.0, voiced_at=voiced_at, told_speaking=told, quiet_since=None)

    def _end_untold(self, state: VADState, out: Outbox[VADMessage]) -> VADState:
        """Nobody speaks any more, and no end of speech has come: it was lost, unless it comes soon."""
        since = out.now if state.quiet_since is None else state.quiet_since
        if (out.now - since) / NS < END_WITHIN:
            return replace(state, quiet_since=since)
        out.log("end_of_speech_lost", level="warning", detector=self._vad.label)
        return self._speech_ended(state, state.voiced_at, out)

    def _speech_ended(self, state: VADState, at: int, out: Outbox[VADMessage]) -> VADState:
        out.tell(self._refs.turn, SpeechEnded(at, max(0.0, (at - state.began_at) / NS)))
        if self._refs.stt is not None:
            out.tell(self._refs.stt, UtteranceEnded())
        return replace(state, speaking=False, voiced_at=at)


def _checked(event: object, vad: VAD) -> VADEvent:
    """A provider is not ours to trust: what is no finding, or of no time that there is, must not reach a handler."""
    if not isinstance(event, VADEvent):
        raise APIError(f"{vad.label} said {type(event).__name__} instead of VADEvent", retryable=False)
    durations = (event.speech_duration, event.silence_duration, event.inference_duration, event.raw_silence)
    if not all(math.isfinite(duration) and duration >= -TINY for duration in durations):
        raise APIError(f"{vad.label} said {event!r}: durations are seconds >= 0", retryable=False)
    return event
