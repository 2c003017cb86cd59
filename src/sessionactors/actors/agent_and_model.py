"""What ``agent`` does otherwise beside a realtime model: messages it keeps, and replies that begin by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.interfaces.user_code import TurnVerdict
from sessionactors.messages.floor import ScheduleSpeech
from sessionactors.messages.history import AppendItems
from sessionactors.messages.llm import CancelGeneration
from sessionactors.messages.turn import TurnRoute, UserTurnEnded
from sessionactors.model.chat import ChatItem, ChatMessage
from sessionactors.model.speech import SpeechSource
from sessionactors.runtime import Outbox

from .agent_state import AgentActorState
from .wiring import Wiring

if TYPE_CHECKING:
    from .agent import AgentMessage

M = TypeVar("M")


def store_message(turn: UserTurnEnded, message: ChatMessage, agent: str, wiring: Wiring, out: Outbox[M]) -> None:
    """Keep it; that of a turn whose audio a realtime model has comes from the model, if it says it."""
    model = wiring.components.realtime
    if turn.route is TurnRoute.TRANSCRIPT:
        out.tell(wiring.history, AppendItems((message,), agent=agent, had_by_model=True, by_time=True))
    elif turn.route is TurnRoute.WORDS:
        out.tell(wiring.history, AppendItems((message,), agent=agent))
    elif message.text_content and (model is None or not model.capabilities.user_transcription):
        out.tell(wiring.history, AppendItems((message,), agent=agent, had_by_model=True))


def context_for(turn: UserTurnEnded, verdict: TurnVerdict, message: ChatMessage) -> tuple[ChatItem, ...] | None:
    """The context that the hook made for the reply, if it did. A turn's audio is with the realtime model already."""
    if verdict.chat_items is None:
        return None
    return verdict.chat_items if turn.route is TurnRoute.AUDIO else (*verdict.chat_items, message)


def begin_server_reply(state: AgentActorState, response: str, wiring: Wiring, out: Outbox[AgentMessage]) -> None:
    """A realtime model replies by itself: a speech for it, unless the session closes."""
    if state.leaving and wiring.realtime is not None:
        out.tell(wiring.realtime, CancelGeneration(response))
        return
    spec = SpeechSpec(
        id=out.new_id("speech"),
        source=SpeechSource.GENERATE_REPLY,
        agent=state.agent,
        allow_interruptions=state.agent.options(state.options).allow_interruptions,
        automatic=True,
        response=response,
        user_initiated=False,
    )
    out.tell(wiring.floor, ScheduleSpeech(spec))
