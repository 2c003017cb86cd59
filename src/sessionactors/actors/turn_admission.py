"""Which messages of an ear count for the turn, by the session's strategies. Part of ``turn``; its state is the gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionactors.messages.ear import FinalTranscript, RecognizerHeardStart, RestartDetection, SpeechStarted
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from .ear_refs import EarRefs
from .turn_gate import is_kept_out
from .turn_state import Phase, TurnState

if TYPE_CHECKING:
    from .turn import TurnMessage


@dataclass(frozen=True, slots=True)
class Admission:
    """What becomes of a message."""

    state: TurnState
    passes: bool = True
    """It is handled."""
    begins_at: int | None = None
    """The voice that is heard counts from now on, before the message is handled: it set in then, ns."""
    ends: bool = False
    """The speech that was going on does not count any more."""


class TurnAdmission:
    """Opens and shuts the gate of one participant.

    Args:
        refs: the ear's actors.
    """

    def __init__(self, refs: EarRefs) -> None:
        self._refs = refs

    def admit(self, state: TurnState, message: TurnMessage, out: Outbox[TurnMessage]) -> Admission:
        """Let the strategies judge; without any, all passes."""
        options = state.options
        was_muted = state.gate.is_muted(options)
        opened_before = state.gate.open_until
        gate = state.gate.seen(message)
        if not (options.turn_start or options.turn_mute):
            return Admission(replace(state, gate=gate))
        state = replace(state, gate=gate)
        if gate.is_muted(options):
            ends = not was_muted and state.phase is Phase.SPEAKING
            return replace(self._keep_out(state, message, "muted", out), ends=ends)
        if was_muted and gate.scene.voice and self._refs.vad is not None:
            out.tell(self._refs.vad, RestartDetection())  # whoever speaks on is heard from now on
        in_turn = state.phase in (Phase.SPEAKING, Phase.DECIDING, Phase.WAITING)
        if gate.is_open(options, out.now, in_turn=in_turn):
            return Admission(replace(state, gate=gate.kept_open(options, out.now)) if in_turn else state)
        if not is_kept_out(message):
            return Admission(state)
        gate = gate.opened(options, out.now)
        if gate.open_until == opened_before:
            return self._keep_out(state, message, "not addressed", out)
        knocks = gate.scene.voice and not isinstance(message, SpeechStarted | RecognizerHeardStart)
        return Admission(replace(state, gate=gate), begins_at=gate.knocked_at if knocks else None)

    @staticmethod
    def _keep_out(state: TurnState, message: TurnMessage, reason: str, out: Outbox[TurnMessage]) -> Admission:
        if not isinstance(message, FinalTranscript):
            return Admission(state, passes=not is_kept_out(message))
        out.log("transcript_discarded", id=message.id, reason=reason)
        gate = replace(state.gate, kept_out=state.gate.kept_out + 1)
        ledger = state.ledger.receive(message.id).discard_one(message.id, reason)
        return Admission(replace(state, gate=gate, ledger=ledger), passes=False)
