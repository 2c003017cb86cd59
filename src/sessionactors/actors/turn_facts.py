"""What others are told about the user as ``turn`` changes: derived from its state, never remembered beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.turn import Decided, TurnPreflight, UserActivity, UserSpeechFact
from sessionactors.runtime import NS, Outbox
from sessionactors.runtime.frozen import replace

from .ear_refs import EarRefs
from .turn_state import Phase, TurnState

if TYPE_CHECKING:
    from .turn import TurnMessage


class TurnFacts:
    """Tells ``floor`` and ``supervisor`` what changed.

    Args:
        refs: the ear's actors.
    """

    def __init__(self, refs: EarRefs) -> None:
        self._refs = refs

    def tell(self, before: TurnState, after: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """Tell what the handling of one message changed."""
        speaking = after.phase is Phase.SPEAKING
        ended_at = out.now if after.ended_at is None else after.ended_at
        at = after.stretch_at if speaking else ended_at
        refs = self._refs
        if speaking is not (before.phase is Phase.SPEAKING):
            out.tell(refs.wiring.supervisor, UserSpeechFact(refs.participant, speaking, at))
        recognised = refs.stt is not None
        told = before.activity or UserActivity(refs.participant, speaking=False, at=0, recognised=recognised)
        activity = UserActivity(refs.participant, speaking, at, decided(after), is_hushed(after), recognised)
        if replace(activity, at=told.at) == told:
            return after
        out.tell(refs.wiring.floor, activity)
        return replace(after, activity=activity)

    def prepare_reply(
        self, state: TurnState, transcript: str, confidence: float | None, out: Outbox[TurnMessage]
    ) -> TurnState:
        """Let the agent know what the turn will most likely say."""
        if not state.rules.voice_interrupts or transcript == state.preflight:
            return state
        spoken = 0.0 if state.started_at is None else (out.now - state.started_at) / NS
        out.tell(self._refs.wiring.agent, TurnPreflight(self._refs.participant, transcript, spoken, confidence))
        return replace(state, preflight=transcript)


def is_hushed(state: TurnState) -> bool:
    """Whether the voice has paused for so long that a reply which waits may begin, before the detector is sure.

    Half of the configured minimal delay, as in LiveKit; not of the learned one. A user who has said words is answered.
    """
    if state.phase is not Phase.SPEAKING or not state.rules.voice_interrupts or state.said.seems:
        return False
    return state.silence > state.options.min_endpointing_delay / 2


def decided(state: TurnState) -> Decided:
    """What has become of the turn."""
    match state.phase:
        case Phase.DECIDING if state.said.seems:
            return Decided.OPEN
        case Phase.COMMITTED if state.replied:
            return Decided.COMMITTED
        case _:
            return Decided.DROPPED
