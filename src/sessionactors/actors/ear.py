"""``ear-<participant>``: parent of the actors that listen to one participant.

It starts and supervises them and passes on what ``supervisor`` says about the source. A child that fails more often
than it may makes the ear fail, which its own supervisor hears of; so it watches none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from sessionactors.interfaces.audio_io import AudioSource
from sessionactors.interfaces.turn_detector import StreamingTurnDetector
from sessionactors.messages.ear import (
    AttachSource,
    ClearTurn,
    FlushTurn,
    SetInputEnabled,
    SourceEnded,
    SubstituteSilence,
)
from sessionactors.messages.realtime import EarOpened
from sessionactors.messages.session import OptionsChanged
from sessionactors.messages.turn import AgentStateFact
from sessionactors.model.options import SessionOptions
from sessionactors.runtime import Actor, Backoff, ChildSpec, Outbox, Strategy, Supervision

from .detector import DetectorActor
from .ear_refs import EarRefs
from .input import InputActor
from .server_turn import ServerTurnActor
from .stt import STTActor
from .turn import TurnActor
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

    def initial(self) -> EarState:
        """See :class:`EarState`."""
        return EarState()

    def started(self, state: EarState, out: Outbox[EarMessage]) -> EarState:
        """Start the actors, ``input`` last: they end in reverse order, so the source is let go first."""
        refs, source = self._refs, self._source
        components = refs.wiring.components
        vad, stt = components.vad, components.stt
        refs.realtime = refs.wiring.realtime
        if components.server_turns and refs.realtime is not None:
            # The server hears the user itself: what is detected here would only contradict it.
            self._turn = turn = out.spawn("turn", lambda: ServerTurnActor(refs), RESTARTED_ONCE)
            out.tell(refs.realtime, EarOpened(refs.participant, turn))
            refs.input = out.spawn("input", lambda: InputActor(refs, source), RESTARTED_FREELY)
            return state
        self._turn = refs.turn = out.spawn("turn", lambda: TurnActor(refs), RESTARTED_ONCE)
        if refs.realtime is not None:
            out.tell(refs.realtime, EarOpened(refs.participant, refs.turn))
        if stt is not None:
            refs.stt = out.spawn("stt", lambda: STTActor(refs, stt), RESTARTED_FREELY)
        if vad is not None:
            refs.vad = out.spawn("vad", lambda: VADActor(refs, vad), RESTARTED_FREELY)
        state = self._listen_with(state, refs.wiring.options, out)
        refs.input = out.spawn("input", lambda: InputActor(refs, source), RESTARTED_FREELY)
        return state

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

    def receive(self, state: EarState, message: EarMessage, out: Outbox[EarMessage]) -> EarState:
        """Pass it on."""
        match message:
            case AttachSource() | SetInputEnabled() | SubstituteSilence() | SourceEnded():
                out.tell(self._refs.input, message)
            case FlushTurn() | ClearTurn() | AgentStateFact():
                out.tell(self._turn, message)
            case OptionsChanged(options):
                state = self._listen_with(state, options, out)
                out.tell(self._turn, message)
            case _:
                assert_never(message)
        return state

    def summary(self, state: EarState) -> Mapping[str, object]:
        """Whose ear."""
        return {"participant": self._refs.participant}
