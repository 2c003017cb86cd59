"""What a realtime model says that the user said: a turn by itself, which the model has had already. Pure."""

from __future__ import annotations

from sessionactors.messages.ear import FinalTranscript
from sessionactors.messages.turn import TurnRoute, UserTurnEnded

from .ear_refs import EarRefs


def turn_of_model(refs: EarRefs, final: FinalTranscript, turn: str) -> UserTurnEnded:
    """The turn whose words these are: to be kept, and not to be replied to again.

    Args:
        refs: the ear that heard it.
        final: the model's transcript, with its own id of what was said, and when that was said.
        turn: its name.
    """
    return UserTurnEnded(
        turn,
        final.text,
        refs.participant,
        confidence=final.confidence,
        started_speaking_at=final.started_at,
        stopped_speaking_at=final.ended_at,
        reply=False,
        finals=(final.id,),
        route=TurnRoute.TRANSCRIPT,
        item_id=final.item_id,
    )
