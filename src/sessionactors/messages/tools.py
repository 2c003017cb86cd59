"""Tool calls: a speech asks ``tools`` to run one; every call gets exactly one terminal record."""

from __future__ import annotations

from typing import Literal, TypeAlias

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.model.chat import FunctionCallOutput
from sessionactors.runtime import Ref, Scope, message

ToolOutcome: TypeAlias = Literal["completed", "failed", "cancelled", "abandoned"]


@message()
class ToolFinished:
    """The one terminal record of a call."""

    call_id: str
    outcome: ToolOutcome
    output: FunctionCallOutput
    duration: float
    """Seconds; 0.0 when it never started."""


@message()
class RunTool:
    """Run a tool call. It accounts: when its scope is closed it is answered ``cancelled`` and never starts."""

    call: FunctionToolCall
    speech: str
    reply_to: Ref[ToolFinished]
    scope: Scope
    agent: UserAgent
    """Whose tool it is."""


@message()
class ToolReturned:
    """``tools``, to itself: the tool's coroutine returned or raised."""

    call_id: str
    output: str
    is_error: bool
    reply_required: bool
    error: BaseException | None = None
    """Why there is no result of the tool's own: the agent's code for running tools raised."""


@message()
class CallsLost:
    """``tools``, to itself: these calls ran when it was restarted; results that waited already come before this."""

    call_ids: tuple[str, ...]
