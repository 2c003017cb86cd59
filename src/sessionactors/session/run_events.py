"""What one run of a session brought about, as values: messages, tool calls, their outputs, handoffs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from sessionactors.model.chat import AgentHandoff, ChatMessage, FunctionCall, FunctionCallOutput

if TYPE_CHECKING:
    from .agent import Agent

RunEventType: TypeAlias = Literal["message", "function_call", "function_call_output", "agent_handoff"]

SHOWN = 100
"""Characters of a text that a failure shows."""


@dataclass(frozen=True, slots=True)
class ChatMessageEvent:
    """The agent said something."""

    item: ChatMessage
    type: Literal["message"] = "message"

    def __str__(self) -> str:
        cut = ", interrupted" if self.item.interrupted else ""
        return f"message({self.item.role}, {_short(self.item.text_content)}{cut})"


@dataclass(frozen=True, slots=True)
class FunctionCallEvent:
    """The model called a tool."""

    item: FunctionCall
    type: Literal["function_call"] = "function_call"

    def __str__(self) -> str:
        return f"function_call({self.item.name}, {_short(self.item.arguments)})"


@dataclass(frozen=True, slots=True)
class FunctionCallOutputEvent:
    """A tool answered."""

    item: FunctionCallOutput
    type: Literal["function_call_output"] = "function_call_output"

    def __str__(self) -> str:
        error = ", is_error" if self.item.is_error else ""
        return f"function_call_output({self.item.name}, {_short(self.item.output)}{error})"


@dataclass(frozen=True, slots=True)
class AgentHandoffEvent:
    """Another agent took over."""

    item: AgentHandoff
    old_agent: Agent | None
    new_agent: Agent
    type: Literal["agent_handoff"] = "agent_handoff"

    def __str__(self) -> str:
        return f"agent_handoff({self.item.old_agent_id} -> {type(self.new_agent).__name__} {self.item.new_agent_id!r})"


RunEvent: TypeAlias = ChatMessageEvent | FunctionCallEvent | FunctionCallOutputEvent | AgentHandoffEvent


def run_event(item: ChatMessage | FunctionCall | FunctionCallOutput) -> RunEvent:
    """The event of an item that a speech produced."""
    match item:
        case ChatMessage():
            return ChatMessageEvent(item)
        case FunctionCall():
            return FunctionCallEvent(item)
        case FunctionCallOutput():
            return FunctionCallOutputEvent(item)


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
