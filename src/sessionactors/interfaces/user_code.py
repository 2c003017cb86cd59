"""What the actors call of the user's: hooks and tools. All of it runs as effects on the user's loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sessionactors.model.chat import ChatContext, ChatItem, ChatMessage, FunctionCall
from sessionactors.model.events import UserTurnExceededEvent
from sessionactors.model.instructions import Instructions
from sessionactors.model.options import SessionOptions
from sessionactors.model.tools import ANY_TOOL, ToolDefinition, ToolRules

from .audio_node import AudioNode
from .llm import LLM
from .realtime import RealtimeModel
from .stt import STT
from .text_node import TextNode
from .tool_link import ToolLink
from .tts import TTS
from .turn_detector import TurnDetector
from .vad import VAD


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call came to, as the model will see it."""

    output: str
    is_error: bool = False
    reply_required: bool = True
    agent: UserAgent | None = None
    """The agent that the tool returned: it is to take over."""


@dataclass(frozen=True, slots=True)
class TurnVerdict:
    """What the user's hook made of a completed turn."""

    reply: bool
    """False: the hook asked for no reply, and the message is not stored."""
    message: ChatMessage
    """The user's message, as the hook left it."""
    chat_items: tuple[ChatItem, ...] | None = None
    """The context for this reply only, when the hook changed it; without the message."""


@dataclass(frozen=True, slots=True)
class AgentComponents:
    """The providers an agent works with: its own, else the session's; None for a part it is without."""

    stt: STT | None = None
    vad: VAD | None = None
    llm: LLM | RealtimeModel | None = None
    tts: TTS | None = None
    turn_detector: TurnDetector | None = None
    audio_node: AudioNode | None = None
    """What the agent makes of a realtime model's voice; None: nothing."""
    text_node: TextNode | None = None
    """What the agent makes of its own words for people to read; None: they are shown as they are."""


class UserAgent(ABC):
    """The user's agent, as the actors see it: a value. When the user changes the agent, there is a new one of its key.

    Speeches, tool calls and requests carry the one they belong to, so nothing changes under them.
    """

    @property
    def key(self) -> str:
        """Tells the agents of one session apart, also two of one id; the same for all revisions of one."""
        return self.id

    @property
    @abstractmethod
    def id(self) -> str:
        """Names the agent in handoffs."""

    @property
    @abstractmethod
    def instructions(self) -> Instructions | str:
        """The system prompt."""

    @property
    @abstractmethod
    def tools(self) -> tuple[ToolDefinition, ...]:
        """The tools its model may call."""

    @property
    def rules(self) -> Mapping[str, ToolRules]:
        """How calls are treated, by the names of the tools."""
        return {tool.name: tool.rules for tool in self.tools}

    def rules_of(self, call: FunctionCall) -> ToolRules:
        """How a call is treated: as the tool of its name says, and as any if there is none."""
        return self.rules.get(call.name, ANY_TOOL)

    @property
    @abstractmethod
    def initial_items(self) -> tuple[ChatItem, ...]:
        """Conversation it starts with."""

    @property
    def components(self) -> AgentComponents:
        """The providers it works with, resolved against the session's."""
        return AgentComponents()

    @property
    def overrides(self) -> Mapping[str, object]:
        """Its own options, by name: they take precedence over the session's."""
        return {}

    def options(self, session: SessionOptions) -> SessionOptions:
        """The session's options as they are for this agent."""
        return session.overridden(self.overrides) if self.overrides else session

    @abstractmethod
    async def run_tool(self, call: FunctionCall, link: ToolLink) -> ToolResult:
        """Run one tool. Errors of the tool come back as results.

        Raises:
            CallSuperseded: its reply was cut off before it began.
            asyncio.CancelledError: it was cancelled.
        """

    def deferred_instructions(self, call_ids: Sequence[str], *, at_tail: bool) -> str:
        """What the model is told when it shall speak of what background tools reported. On the user's loop.

        Args:
            call_ids: of the reports.
            at_tail: whether nothing has been said since.
        """
        told = "" if at_tail else " Say nothing if you have told it already."
        return f"Tools that ran in the background have reported: {', '.join(call_ids)}. Tell the user.{told}"

    async def set_up(self) -> None:
        """Before its tools are offered to a model. What it raises means that the agent cannot be used."""

    async def release(self) -> None:
        """After it has left: let go of what :meth:`set_up` holds."""

    @abstractmethod
    async def on_enter(self) -> None:
        """It becomes the session's agent."""

    @abstractmethod
    async def on_exit(self) -> None:
        """It ceases to be the session's agent."""

    async def on_user_turn_exceeded(self, event: UserTurnExceededEvent) -> None:
        """The user goes on for longer than the options allow."""
        del event

    @abstractmethod
    async def on_user_turn_completed(self, chat_ctx: ChatContext, message: ChatMessage) -> TurnVerdict:
        """The user's turn is complete; ``chat_ctx`` is a copy that may be edited for this reply."""
