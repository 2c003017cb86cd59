"""The state of one speech as a value: its step, its text, its tool calls, its open accounts."""

from __future__ import annotations

from dataclasses import dataclass

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.output import GENERATION_UNMARKED, GenerationMarks
from sessionactors.messages.tools import ToolFinished
from sessionactors.model.chat import (
    FunctionCall,
)
from sessionactors.model.tool_arguments import canonical_arguments
from sessionactors.model.tools import ANY_TOOL, ToolFlag
from sessionactors.runtime import Scope


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One tool call of a step."""

    call: FunctionCall
    told: bool = False
    finished: ToolFinished | None = None


@dataclass(frozen=True, slots=True)
class SpeechState:
    """Where the speech is."""

    step: int = 1
    agent: UserAgent | None = None
    """As it is for this step's request."""
    scope: Scope | None = None
    """The step's."""
    text: str = ""
    """The step's text so far."""
    text_ended: bool = False
    wanted: bool = False
    """The floor was asked for in this step."""
    granted: bool = False
    granted_at: int = 0
    opened: bool = False
    """The step's segment was given to ``output``."""
    closed: bool = False
    """``output`` has reported its end."""
    calls: tuple[CallRecord, ...] = ()
    own: frozenset[str] = frozenset()
    """Ids of the items that this speech has added to the history, in all steps."""
    interrupted: bool = False
    released: bool = False
    settled: bool = False
    """The floor has been told that the speech is over."""
    marks: GenerationMarks = GENERATION_UNMARKED
    """When the step's text came about."""
    error: BaseException | None = None


def record_of(call: FunctionToolCall, item_id: str, at: float) -> CallRecord:
    """What the model asked for, as it will be kept: with arguments that any provider can read again."""
    return CallRecord(FunctionCall(call.call_id, call.name, canonical_arguments(call.arguments), item_id, at))


def starts(record: CallRecord, state: SpeechState, agent: UserAgent) -> bool:
    """Whether ``tools`` may have the call now, or has it.

    What cannot be undone waits until the words before it have been heard: so long the user may say no. After an
    interruption ``tools`` answers ``cancelled`` at once.
    """
    if record.told or state.interrupted:
        return True
    rules = next((tool.rules for tool in agent.tools if tool.name == record.call.name), ANY_TOOL)
    if ToolFlag.IRREVERSIBLE not in rules.flags:
        return True
    return state.text_ended and (state.closed or not state.text)
