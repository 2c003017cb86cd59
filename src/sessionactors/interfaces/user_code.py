"""What the actors call of the user's: hooks and tools. All of it runs as effects on the user's loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from sessionactors.model.chat import ChatContext, ChatItem, ChatMessage
from sessionactors.model.tools import ToolDefinition

from .llm import FunctionToolCall


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call came to, as the model will see it."""

    output: str
    is_error: bool = False
    reply_required: bool = True


@dataclass(frozen=True, slots=True)
class TurnVerdict:
    """What the user's hook made of a completed turn."""

    reply: bool
    """False: the hook asked for no reply, and the message is not stored."""
    message: ChatMessage
    """The user's message, as the hook left it."""
    chat_items: tuple[ChatItem, ...] | None = None
    """The context for this reply only, when the hook changed it; without the message."""


class UserAgent(ABC):
    """The user's agent, as the actors see it."""

    @property
    @abstractmethod
    def id(self) -> str:
        """Names the agent in handoffs."""

    @property
    @abstractmethod
    def instructions(self) -> str:
        """The system prompt."""

    @property
    @abstractmethod
    def tools(self) -> tuple[ToolDefinition, ...]:
        """The tools its model may call."""

    @property
    @abstractmethod
    def initial_items(self) -> tuple[ChatItem, ...]:
        """Conversation it starts with."""

    @abstractmethod
    async def run_tool(self, call: FunctionToolCall, *, speech_id: str, room: str) -> ToolResult:
        """Run one tool. Errors of the tool come back as results; it raises only when it is cancelled."""

    @abstractmethod
    async def on_enter(self) -> None:
        """It becomes the session's agent."""

    @abstractmethod
    async def on_exit(self) -> None:
        """It ceases to be the session's agent."""

    @abstractmethod
    async def on_user_turn_completed(self, chat_ctx: ChatContext, message: ChatMessage) -> TurnVerdict:
        """The user's turn is complete; ``chat_ctx`` is a copy that may be edited for this reply."""
