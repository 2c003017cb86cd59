"""``ear-<participant>``: parent of the actors that listen to one participant.

It starts and supervises them and passes on what ``supervisor`` says about the source. A child that fails more often
than it may makes the ear fail, which its own supervisor hears of; so it watches none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from sessionactors.interfaces.audio_io import AudioSource
from sessionactors.interfaces.interruption_detector import InterruptionDetector
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.turn_detector import StreamingTurnDetector
from sessionactors.interfaces.vad import VAD
from sessionactors.messages.ear import (
    AttachSource,
    ClearTurn,
    FlushTurn,
    RecognizerReplaced,
    SetInputEnabled,
    SourceEnded,
    SpeechEnded,
    SubstituteSilence,
    UseComponents,
)
from sessionactors.messages.realtime import EarClosed, EarOpened
from sessionactors.messages.session import OptionsChanged
from sessionactors.messages.turn import AgentStateFact
from sessionactors.model.options import SessionOptions
from sessionactors.runtime import Actor, Backoff, ChildSpec, Outbox, Ref, Strategy, Supervision
from sessionactors.runtime.frozen import replace

from .detector import DetectorActor
from .ear_refs import EarRefs
from .input import InputActor
from .overlap import OverlapActor
from .server_turn import ServerTurnActor
from .stt import STTActor
from .turn import TurnActor, TurnMessage
from .vad import VADActor
from .wiring import Wiring

EarMessage: TypeAlias = (
    AttachSource
    | SetInputEnabled
    | SubstituteSilence
    | SourceEnded
    | FlushTurn
    | ClearTurn
    | AgentStateFact
    | OptionsChanged
    | UseComponents
)

RESTARTED_FREELY = ChildSpec(keep_state=True)
"""As often as the window allows. The state is kept for its facts (source, what is settled, what is open); each actor
begins its stream anew in ``restarted``."""
RESTARTED_ONCE = ChildSpec(keep_state=True, max_restarts=1)


@dataclass(frozen=True, slots=True)
class EarState:
    """Who is who stands in :class:`.EarRefs`."""

    detector: StreamingTurnDetector | None = None
    """What listens for the end of turns."""
    judge: InterruptionDetector | None = None
    """What tells interruptions from listening noises."""
    stt: STT | None = None
    """What recognises words."""
    vad: VAD | None = None
    """What detects speech."""
    by_server: bool = False
    """The model's server hears the user itself."""


class Ear(Actor[EarState, EarMessage]):
    """Listens to one participant.

    Args:
        participant: identity; names the participant in all that the ear tells.
        wiring: the session.
        source: what to listen to first; None: nothing until :class:`.AttachSource`.
    """

    supervision = Supervision(Strategy.ONE_FOR_ONE, max_restarts=6, within=10.0, backoff=Backoff(first=0.05))

    def __init__(self, participant: str, wiring: Wiring, source: AudioSource | None = None) -> None:
        self._source = source
        self._refs = EarRefs(participant, wiring)
        self._turn: Ref[TurnMessage]
        self._front: Ref[FlushTurn | ClearTurn | AgentStateFact | OptionsChanged]
        """What stands before ``turn``, or ``turn`` itself."""

    def initial(self) -> EarState:
        """See :class:`EarState`."""
        return EarState()

    def started(self, state: EarState, out: Outbox[EarMessage]) -> EarState:
        """Start the actors, ``input`` last: they end in reverse order, so the source is let go first."""
        refs, source = self._refs, self._source
        components = refs.wiring.components
        refs.recogniser, refs.detects = components.stt, components.vad is not None
        refs.realtime = refs.wiring.realtime
        if components.server_turns and refs.realtime is not None:
            # The server hears the user itself: what is detected here would only contradict it.
            self._front = turn = out.spawn("turn", lambda: ServerTurnActor(refs), RESTARTED_ONCE)
            out.tell(refs.realtime, EarOpened(refs.participant, turn))
            refs.input = out.spawn("input", lambda: InputActor(refs, source), RESTARTED_FREELY)
            return replace(state, by_server=True)
        self._front = self._turn = refs.turn = out.spawn("turn", lambda: TurnActor(refs), RESTARTED_ONCE)
        if refs.realtime is not None:
            out.tell(refs.realtime, EarOpened(refs.participant, refs.turn))
        state = self._recognise_with(state, components.stt, "stt", out)
        state = self._detect_with(state, components.vad, "vad", out)
        state = self._judge_with(self._listen_with(state, refs.wiring.options, out), refs.wiring.options, out)
        refs.input = out.spawn("input", lambda: InputActor(refs, source), RESTARTED_FREELY)
        return state

    def _recognise_with(self, state: EarState, stt: STT | None, name: str, out: Outbox[EarMessage]) -> EarState:
        """Start the recogniser; it is another actor for another one."""
        refs, before = self._refs, state.stt
        if stt is before:
            return state
        if refs.stt is not None:
            out.stop(refs.stt, "another recogniser")
        if before is not None and stt is not None and stt.sample_rate != before.sample_rate:
            out.tell(refs.input, RecognizerReplaced())
        refs.stt, refs.recogniser = None, stt
        refs.stt_rate = None if stt is None else stt.sample_rate
        if stt is not None:
            follows = before is not None
            refs.stt = out.spawn(name, lambda: STTActor(refs, stt, follows=follows), RESTARTED_FREELY)
        return replace(state, stt=stt)

    def _detect_with(self, state: EarState, vad: VAD | None, name: str, out: Outbox[EarMessage]) -> EarState:
        """Start the detector of speech; it is another actor for another one."""
        refs, before = self._refs, state.vad
        if vad is before:
            return state
        if refs.vad is not None:
            out.stop(refs.vad, "another detector of speech")
        refs.vad, refs.detects = None, vad is not None
        refs.vad_rate = None if vad is None else vad.sample_rate
        if vad is not None:
            follows = before is not None
            refs.vad = out.spawn(name, lambda: VADActor(refs, vad, follows=follows), RESTARTED_FREELY)
        elif before is not None:
            out.tell(refs.turn, SpeechEnded(out.now))
        return replace(state, vad=vad)

    def _listen_with(self, state: EarState, options: SessionOptions, out: Outbox[EarMessage]) -> EarState:
        """Start the detector that listens, if the options name one; it is another actor for another detector."""
        refs, wanted = self._refs, options.turn_detection
        detector = wanted if isinstance(wanted, StreamingTurnDetector) and refs.vad is not None else None
        if detector is state.detector:
            return state
        if refs.detector is not None:
            out.stop(refs.detector, "another turn detector")
        refs.detector, refs.detector_rate = None, None
        if detector is not None:
            name = out.new_id("detector")
            refs.detector = out.spawn(name, lambda: DetectorActor(refs, detector), RESTARTED_FREELY)
            refs.detector_rate = detector.sample_rate
        return replace(state, detector=detector)

    def _judge_with(self, state: EarState, options: SessionOptions, out: Outbox[EarMessage]) -> EarState:
        """Put the judge of overlaps before ``turn``, if the options name one; another actor for another judge."""
        refs, wanted = self._refs, options.interruption_mode
        if wanted == "adaptive" or (isinstance(wanted, InterruptionDetector) and not self._can_judge):
            needs = "a detector (mode=detector), a vad, and an stt or a realtime model"
            reason = f"it needs {needs}; any voice that is long enough interrupts"
            out.log("interruption_mode_unusable", level="warning", mode=str(wanted), reason=reason)
        judge = wanted if isinstance(wanted, InterruptionDetector) and self._can_judge else None
        if judge is state.judge:
            return state
        if refs.overlap is not None:
            out.stop(refs.overlap, "another interruption detector")
        refs.overlap, refs.overlap_rate = None, None
        self._front = refs.turn = self._turn
        if judge is not None:
            turn = self._turn
            overlap = out.spawn(
                out.new_id("overlap"), lambda: OverlapActor(refs, turn, judge, options), RESTARTED_FREELY
            )
            refs.overlap, refs.overlap_rate = overlap, judge.sample_rate
            self._front = refs.turn = overlap
        return replace(state, judge=judge)

    @property
    def _can_judge(self) -> bool:
        """Words hold a turn until it is judged; a realtime model's turn without words is held by ``overlap``."""
        return self._refs.vad is not None and (self._refs.stt is not None or self._refs.realtime is not None)

    def receive(self, state: EarState, message: EarMessage, out: Outbox[EarMessage]) -> EarState:
        """Pass it on."""
        match message:
            case AttachSource() | SetInputEnabled() | SubstituteSilence() | SourceEnded():
                out.tell(self._refs.input, message)
            case FlushTurn() | ClearTurn() | AgentStateFact():
                out.tell(self._front, message)
            case UseComponents(stt, vad):
                if not state.by_server:
                    state = self._recognise_with(state, stt, out.new_id("stt"), out)
                    state = self._detect_with(state, vad, out.new_id("vad"), out)
            case OptionsChanged(options):
                state = self._judge_with(self._listen_with(state, options, out), options, out)
                out.tell(self._front, message)
            case _:
                assert_never(message)
        return state

    def stopped(self, state: EarState, out: Outbox[EarMessage]) -> None:
        """The participant is gone: a realtime model may hear another one."""
        if self._refs.realtime is not None:
            out.tell(self._refs.realtime, EarClosed(self._refs.participant))

    def summary(self, state: EarState) -> Mapping[str, object]:
        """Whose ear."""
        return {"participant": self._refs.participant}
