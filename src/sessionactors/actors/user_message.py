"""What the user said as a message of the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.session import SpeakRequested
from sessionactors.messages.turn import TurnRoute, TurnTaken, UserTurnEnded
from sessionactors.model.chat import ChatMessage
from sessionactors.runtime import NS, Outbox
from sessionactors.runtime.frozen import replace

from .agent_state import AgentActorState
from .item_metrics import user_metrics

if TYPE_CHECKING:
    from .agent import AgentMessage


def user_message(state: AgentActorState, turn: UserTurnEnded, out: Outbox[AgentMessage]) -> ChatMessage:
    """The message of a turn. One whose words came late is as old as they are."""
    spoken_at = turn.stopped_speaking_at if turn.route is TurnRoute.TRANSCRIPT else None
    return ChatMessage(
        "user",
        [turn.transcript],
        id=turn.item_id or out.new_id("item"),
        created_at=out.wall(spoken_at),
        transcript_confidence=turn.confidence,
        metrics=user_metrics(turn, state.decided_at or out.now, out.wall),
    )


def with_hook_delay(state: AgentActorState, message: ChatMessage, out: Outbox[AgentMessage]) -> ChatMessage:
    """The same with the time that the hook took, if it was spoken."""
    if "stopped_speaking_at" not in message.metrics:
        return message
    delay = (out.now - state.hook_began) / NS
    return replace(message, metrics={**message.metrics, "on_user_turn_completed_delay": delay})


def said_in(request: SpeakRequested, out: Outbox[AgentMessage]) -> ChatMessage | None:
    """What the user said, if it is to be answered."""
    said = request.user_input
    return ChatMessage("user", [said], id=out.new_id("item"), created_at=out.wall()) if isinstance(said, str) else said


def tell_taken_over(state: AgentActorState, request: SpeakRequested, out: Outbox[AgentMessage]) -> None:
    """What the hook about a turn that is too long has answered is no part of the turn that is open."""
    exceeded, said = state.exceeded, request.user_input
    text = said.text_content if isinstance(said, ChatMessage) else said
    if exceeded is not None and exceeded.finals and text == exceeded.event.transcript:
        out.tell(exceeded.reply_to, TurnTaken(exceeded.finals))
