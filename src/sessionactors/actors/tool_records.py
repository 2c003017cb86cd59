"""What ``tools`` makes of the end of a call: its output for the model, and the event for people. Pure."""

from __future__ import annotations

from typing import Literal, TypeVar

from sessionactors.interfaces.user_code import ToolResult
from sessionactors.messages.tools import RunTool, ToolOutcome, ToolReturned
from sessionactors.model.chat import FunctionCallOutput
from sessionactors.model.errors import SessionActorsError
from sessionactors.model.tool_events import ToolCallEnded
from sessionactors.runtime import Outbox

M = TypeVar("M")

INTERNAL_ERROR = "An internal error occurred"
"""What a model is told of a fault in code: nothing that could leak."""

STOPPED = "The tool was stopped before it finished; its effect is unknown."
NEVER_STARTED = "The call was cancelled before it started."
LATE_HANDOFF = "A tool that has answered its call already cannot hand over to another agent."
CLOSED = "The session closed before the tool finished."


class ToolResultInvalid(SessionActorsError):
    """Raised when an agent's ``run_tool`` returned something that is no :class:`ToolResult`."""


def returned(call_id: str, result: object) -> ToolReturned:
    """A user's agent is not ours to trust: what is no result must not reach a handler."""
    if not isinstance(result, ToolResult):
        raise ToolResultInvalid(f"run_tool returned {type(result).__name__} instead of ToolResult for call {call_id}")
    return ToolReturned(call_id, result.output, result.is_error, result.reply_required, agent=result.agent)


def as_it_is(end: ToolReturned) -> ToolReturned:
    """The message is made on the user's loop already."""
    return end


def raised(call_id: str, error: BaseException) -> ToolReturned:
    """The agent's code for running tools raised, instead of giving a result."""
    return ToolReturned(call_id, INTERNAL_ERROR, is_error=True, reply_required=True, error=error)


def output_of(order: RunTool, text: str, out: Outbox[M], *, is_error: bool, reply: bool = True) -> FunctionCallOutput:
    """What the model will see."""
    return FunctionCallOutput(
        call_id=order.call.call_id,
        name=order.call.name,
        output=text,
        is_error=is_error,
        reply_required=reply,
        id=out.new_id("item"),
        created_at=out.wall(),
    )


def ended_event(pair_id: str, call_id: str, outcome: ToolOutcome, output: FunctionCallOutput) -> ToolCallEnded:
    """What people are told."""
    status: Literal["done", "error", "cancelled"] = "error"
    if outcome in ("completed", "cancelled"):
        status = "done" if outcome == "completed" else "cancelled"
    return ToolCallEnded(pair_id, call_id, output.output or None, status)
