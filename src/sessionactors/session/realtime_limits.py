"""What a realtime model cannot be asked for: it keeps the conversation itself."""

from __future__ import annotations

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.errors import OptionError, SessionStateError


def says(model: LLM | RealtimeModel | None) -> bool:
    """Whether the model can be told to say a text as it is."""
    return isinstance(model, RealtimeModel) and model.capabilities.supports_say


def check_model(agent: str, model: LLM | RealtimeModel | None, of_session: LLM | RealtimeModel | None) -> None:
    """Whether an agent can work with the session's model.

    Raises:
        OptionError: it brings a realtime model, or another model beside the session's realtime one.
    """
    if model is not of_session and isinstance(model, RealtimeModel):
        raise OptionError(
            f"agent {agent!r} brings the realtime model {model.label}: give it to the session, whose ears and voice it "
            "is then"
        )
    if model is not of_session and isinstance(of_session, RealtimeModel):
        raise OptionError(
            f"agent {agent!r} brings a model of its own, and the session has the realtime model {of_session.label}, "
            "which hears and speaks for all of its agents"
        )


def check_reply(
    model: LLM | RealtimeModel | None, *, user_input: str | ChatMessage | None, chat_ctx: ChatContext | None
) -> None:
    """Whether the model can be asked for such a reply.

    Raises:
        SessionStateError: a realtime model cannot; the text says what to do instead.
    """
    if not isinstance(model, RealtimeModel):
        return
    if chat_ctx is not None:
        raise SessionStateError(
            f"generate_reply(chat_ctx=...): {model.label} keeps the conversation itself and cannot reply to another "
            "one; use instructions=..., or update the agent's chat context"
        )
    if user_input is not None and not model.capabilities.mutable_chat_context:
        raise SessionStateError(
            f"generate_reply(user_input=...): {model.label} takes no messages while it runs (it has no "
            "mutable_chat_context); use instructions=..., or let the user speak"
        )
