"""``input``: a participant's audio, from the source to those who listen.

Owns the source, the gate, resampling, and the audio since the last final transcript. Frames go to ``vad`` and ``stt``,
each in the format it wants. It knows nothing of speech: only that audio flows, or pauses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from sessionactors.interfaces.audio_io import AudioSource
from sessionactors.messages.ear import (
    AttachSource,
    AudioHeard,
    AudioPaused,
    AudioReplayed,
    AudioSettled,
    FrameCaptured,
    RecognizerReplaced,
    ReplayWanted,
    SetInputEnabled,
    SilenceWanted,
    SourceEnded,
    SourceFailed,
    SubstituteSilence,
)
from sessionactors.messages.realtime import UserAudio
from sessionactors.messages.session import Publish
from sessionactors.model.audio import AudioFrame
from sessionactors.model.events import ErrorEvent
from sessionactors.model.resampling import MonoResampler
from sessionactors.runtime import Actor, Outbox, Ref
from sessionactors.runtime.frozen import replace

from .audio_ring import AudioRing
from .ear_refs import EarRefs
from .told_from_outside import tell_if_taken

InputMessage: TypeAlias = (
    AttachSource
    | SetInputEnabled
    | SubstituteSilence
    | FrameCaptured
    | SourceEnded
    | SourceFailed
    | ReplayWanted
    | AudioSettled
    | SilenceWanted
    | RecognizerReplaced
)


SILENCE_PIECE = 0.1
"""Seconds: frames of the silence that a recogniser is given."""


@dataclass(frozen=True, slots=True)
class InputState:
    """What is attached, whether it may be heard, and how much was."""

    begun: bool = False
    """The first source was attached."""
    source: AudioSource | None = None
    enabled: bool = True
    flowing: bool = False
    """Audio was passed on since the last pause."""
    heard: float = 0.0
    """Seconds passed on."""
    unheard: float = 0.0
    """Seconds dropped by the closed gate."""
    substituting: bool = False
    """The recogniser gets silence: the agent may not be interrupted, or an echo canceller warms up."""
    silenced: float = 0.0
    """Seconds that the recogniser got as silence."""
    ring: AudioRing = field(default_factory=AudioRing)


class InputActor(Actor[InputState, InputMessage]):
    """Listens to one participant.

    A restart keeps state and source: the source tells a ref that outlives the restart, and cannot be started twice.

    Args:
        refs: the ear's actors.
        source: what to listen to first.
    """

    def __init__(self, refs: EarRefs, source: AudioSource | None = None) -> None:
        self._refs = refs
        self._first_source = source
        components = refs.wiring.components
        self._model_rate = None if components.realtime is None else components.realtime.input_sample_rate
        self._resamplers: dict[int, MonoResampler] = {}
        """Resources, not state: what they hold back (a few ms) is lost in a restart."""
        self._wished: tuple[int | None, ...] = ()
        self._used: list[MonoResampler] = []
        """Those for the rates that were wished for last."""

    def initial(self) -> InputState:
        """No source yet."""
        return InputState()

    def started(self, state: InputState, out: Outbox[InputMessage]) -> InputState:
        """Listen to the first source."""
        return self._attach(replace(state, begun=True), self._first_source, out)

    def restarted(self, state: InputState, error: BaseException, out: Outbox[InputMessage]) -> InputState:
        """Go on with the source that is attached."""
        return state if state.begun else self.started(state, out)

    def receive(self, state: InputState, message: InputMessage, out: Outbox[InputMessage]) -> InputState:
        """Handle one message."""
        match message:
            case FrameCaptured(frame):
                return self._on_frame(state, frame, out)
            case AudioSettled(upto):
                return replace(state, ring=state.ring.without(upto))
            case ReplayWanted(after):
                return self._on_replay_wanted(state, after, out)
            case SubstituteSilence(active):
                return replace(state, substituting=active)
            case SilenceWanted(seconds):
                return self._on_silence_wanted(state, seconds, out)
            case SetInputEnabled():
                return self._on_set_enabled(state, message, out)
            case AttachSource(source):
                return self._on_attach(state, source, out)
            case SourceEnded(source):
                return self._on_source_ended(state, source, out)
            case SourceFailed(source, error):
                return self._on_source_failed(state, source, error, out)
            case RecognizerReplaced():  # what it has not understood yet, the next one cannot be given: another rate
                return replace(state, ring=state.ring.without(state.ring.next_number - 1))
            case _:
                assert_never(message)

    def stopped(self, state: InputState, out: Outbox[InputMessage]) -> None:
        """Let the source go."""
        if state.source is not None:
            out.port(state.source.stop)

    def summary(self, state: InputState) -> Mapping[str, object]:
        """Source, gate and seconds."""
        return {
            "source": None if state.source is None else state.source.label,
            "enabled": state.enabled,
            "heard": round(state.heard, 3),
            "unheard": round(state.unheard, 3),
            "silenced": round(state.silenced, 3),
            "kept": round(state.ring.seconds, 3),
        }

    # -- audio -------------------------------------------------------------------------------------------------------

    def _on_frame(self, state: InputState, frame: AudioFrame, out: Outbox[InputMessage]) -> InputState:
        if not state.enabled:
            return replace(state, unheard=state.unheard + frame.duration)
        for resampler in self._wanted():
            state = self._pass_on(state, resampler.feed(frame), out)
        return replace(state, flowing=True, heard=state.heard + frame.duration)

    def _wanted(self) -> list[MonoResampler]:
        """One for each rate that somebody wants now."""
        refs = self._refs
        wanted = (refs.vad_rate, refs.stt_rate, self._model_rate, refs.detector_rate, refs.overlap_rate)
        if wanted != self._wished:
            rates = sorted({rate for rate in wanted if rate is not None})
            for rate in rates:
                self._resamplers.setdefault(rate, MonoResampler(rate))
            self._wished, self._used = wanted, [self._resamplers[rate] for rate in rates]
        return self._used

    def _pass_on(self, state: InputState, frame: AudioFrame | None, out: Outbox[InputMessage]) -> InputState:
        if frame is None:  # the filter still fills, or was empty
            return state
        vad, stt, detector, model = self._refs.vad, self._refs.stt, self._refs.detector, self._refs.realtime
        if model is not None and frame.sample_rate == self._model_rate:
            heard = frame.silenced() if state.substituting else frame
            out.tell(model, UserAudio(self._refs.participant, heard))
            if state.substituting and stt is None:
                state = replace(state, silenced=state.silenced + frame.duration)
        if self._refs.overlap is not None and frame.sample_rate == self._refs.overlap_rate:
            out.tell(self._refs.overlap, AudioHeard(frame))
        if detector is not None and frame.sample_rate == self._refs.detector_rate:
            out.tell(detector, AudioHeard(frame))
        if vad is not None and frame.sample_rate == self._refs.vad_rate:
            out.tell(vad, AudioHeard(frame))
        if stt is not None and frame.sample_rate == self._refs.stt_rate:
            if state.substituting:
                state = replace(state, silenced=state.silenced + frame.duration)
                frame = AudioFrame(bytes(len(frame.data)), frame.sample_rate, frame.num_channels)
            out.tell(stt, AudioHeard(frame, state.ring.next_number))
            state = replace(state, ring=state.ring.add(frame))
        return state

    def _pause(self, state: InputState, out: Outbox[InputMessage]) -> InputState:
        """Nothing follows for now: those who listen must not wait for the end of a word."""
        for resampler in self._wanted():
            state = self._pass_on(state, resampler.flush(), out)
        if state.flowing:
            for listener in (self._refs.vad, self._refs.stt):
                if listener is not None:
                    out.tell(listener, AudioPaused())
        return replace(state, flowing=False)

    def _on_replay_wanted(self, state: InputState, after: int, out: Outbox[InputMessage]) -> InputState:
        stt = self._refs.stt
        if stt is None:
            return state
        ring = state.ring.without(after)
        first, frames = ring.after(after)
        out.tell(stt, AudioReplayed(first, frames))
        return replace(state, ring=ring)

    def _on_silence_wanted(self, state: InputState, seconds: float, out: Outbox[InputMessage]) -> InputState:
        """Where no audio comes any more, a recogniser that waits for silence to finish would wait for ever."""
        stt, rate = self._refs.stt, self._refs.stt_rate
        if stt is None or rate is None or (state.enabled and state.flowing):
            return state
        ring = state.ring
        piece = AudioFrame(bytes(2 * round(rate * SILENCE_PIECE)), rate)
        for _ in range(round(seconds / SILENCE_PIECE)):
            out.tell(stt, AudioHeard(piece, ring.next_number))
            ring = ring.add(piece)
        return replace(state, ring=ring)

    # -- gate and source ---------------------------------------------------------------------------------------------

    def _on_set_enabled(self, state: InputState, gate: SetInputEnabled, out: Outbox[InputMessage]) -> InputState:
        if not gate.enabled:
            state = self._pause(state, out)
        return replace(state, enabled=gate.enabled)

    def _on_attach(self, state: InputState, source: AudioSource | None, out: Outbox[InputMessage]) -> InputState:
        if source is not None and source is state.source:
            return state
        if state.source is not None:
            out.port(state.source.stop)
        return self._attach(self._pause(state, out), source, out)

    def _attach(self, state: InputState, source: AudioSource | None, out: Outbox[InputMessage]) -> InputState:
        if source is not None:
            out.port(_start, source, out.myself)
        return replace(state, source=source)

    def _on_source_ended(self, state: InputState, source: AudioSource | None, out: Outbox[InputMessage]) -> InputState:
        if source is not None and source is not state.source:
            return state  # the end of one that was replaced
        return self._pause(state, out)

    def _on_source_failed(
        self, state: InputState, source: AudioSource, error: Exception, out: Outbox[InputMessage]
    ) -> InputState:
        out.tell(
            self._refs.wiring.supervisor,
            Publish(ErrorEvent(error, source=out.path, recoverable=False, created_at=out.wall())),
        )
        return replace(state, source=None) if source is state.source else state


def _start(source: AudioSource, ref: Ref[InputMessage]) -> None:
    """Begin to listen. A source that cannot start costs its participant's voice, not the ear: it is reported."""
    try:
        source.start(
            lambda frame: tell_if_taken(ref, FrameCaptured(frame)),
            lambda: tell_if_taken(ref, SourceEnded(source)),
        )
    except Exception as error:  # noqa: BLE001  a transport may raise anything; it is told on as a message
        tell_if_taken(ref, SourceFailed(source, error))
