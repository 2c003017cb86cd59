"""What is told of running tools: the updates of ``tool_execution_updated``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .chat import FunctionCall


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """The tool's own code runs."""

    function_call: FunctionCall
    type: Literal["tool_call_started"] = "tool_call_started"


@dataclass(frozen=True, slots=True)
class ToolCallUpdated:
    """The tool told how far it is, with ``RunContext.update``."""

    id: str
    """Call id of the pair that the history gets: ``call``, ``call_update_1`` ..."""
    call_id: str
    message: str
    type: Literal["tool_call_updated"] = "tool_call_updated"


@dataclass(frozen=True, slots=True)
class ToolCallEnded:
    """The tool is over; once for each that started."""

    id: str
    """Call id of the pair that the history gets: ``call``, or ``call_final`` after an update."""
    call_id: str
    message: str | None
    status: Literal["done", "error", "cancelled"]
    type: Literal["tool_call_ended"] = "tool_call_ended"


ToolReplyStatus: TypeAlias = Literal["scheduled", "completed", "interrupted", "skipped"]


@dataclass(frozen=True, slots=True)
class ToolReplyUpdated:
    """How the reply about updates and results of background tools goes on."""

    update_ids: tuple[str, ...]
    """Call ids of the pairs it is about."""
    status: ToolReplyStatus
    """``skipped``: the model had nothing to say about them."""
    speech_id: str
    type: Literal["tool_reply_updated"] = "tool_reply_updated"


@dataclass(frozen=True, slots=True)
class ToolApprovalRequested:
    """A call waits for somebody to approve it: see ``session.pending_approvals``."""

    function_call: FunctionCall
    within: float
    """Seconds after which it fails unapproved."""
    type: Literal["tool_approval_requested"] = "tool_approval_requested"


@dataclass(frozen=True, slots=True)
class ToolApprovalResolved:
    """A call waits for no approval any more."""

    call_id: str
    approved: bool
    type: Literal["tool_approval_resolved"] = "tool_approval_resolved"


ToolExecutionUpdate: TypeAlias = (
    ToolCallStarted | ToolCallUpdated | ToolCallEnded | ToolReplyUpdated | ToolApprovalRequested | ToolApprovalResolved
)


@dataclass(frozen=True, slots=True)
class ToolExecutionUpdatedEvent:
    """A tool started, told something, ended; or a reply about that went on."""

    update: ToolExecutionUpdate
    created_at: float
    type: Literal["tool_execution_updated"] = "tool_execution_updated"
