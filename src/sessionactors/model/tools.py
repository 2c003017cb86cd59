"""What a model is told about a tool, and what the runtime has to know of it besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Final, Literal, TypeAlias

from .sentinel import NOT_GIVEN, NotGivenOr

ToolChoice: TypeAlias = Literal["auto", "required", "none"]

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"

DuplicateMode: TypeAlias = Literal["allow", "reject", "replace", "confirm"]
"""What becomes of a call while the same tool runs already."""

DuplicateScope: TypeAlias = Literal["name", "name_and_args"]
"""Which running calls count as the same: of the tool's name, or of name and validated arguments."""

CONFIRM_DUPLICATE_PARAM = "lk_agents_confirm_duplicate"
"""Parameter that a tool with ``on_duplicate="confirm"`` has besides its own (the name LiveKit uses)."""
RUNNING_TASKS_TOOL = "lk_agents_get_running_tasks"
"""Tool that lists the running calls that may be cancelled."""
CANCEL_TASK_TOOL = "lk_agents_cancel_task"
"""Tool that cancels one of them."""


class ToolFlag(Flag):
    """What is special about a tool."""

    NONE = 0
    IGNORE_ON_ENTER = auto()
    """Not offered to replies that ``on_enter`` asks for."""
    CANCELLABLE = auto()
    """The model may cancel a running call; it is cancelled too when its agent leaves or the session closes."""
    IRREVERSIBLE = auto()
    """What it does cannot be undone: a call starts only when the words before it have been heard to their end."""


@dataclass(frozen=True, slots=True)
class ToolRules:
    """How the runtime treats the calls of a tool."""

    flags: ToolFlag = ToolFlag.NONE
    on_duplicate: DuplicateMode = "allow"
    duplicate_scope: DuplicateScope = "name"
    timeout: float | None = None
    """Seconds a call may run; None for as long as it takes."""
    approval_within: float = 60.0
    """Seconds in which a call that needs an approval has to get one."""
    outlives_agent: bool = False
    """Its calls belong to the session: they go on when another agent takes over."""


ANY_TOOL = ToolRules()


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """Name, purpose and parameters of a tool, as sent to a model."""

    name: str
    description: str
    parameters: Mapping[str, JsonValue]
    """JSON schema of the arguments object."""
    rules: ToolRules = ANY_TOOL
    """Not sent."""
    server_side: Mapping[str, JsonValue] = field(default_factory=dict)
    """Not empty: the provider runs it, and is sent this instead of a function."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What a node is told of the request."""

    tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN
    """Whether tools may, must or must not be called; of models only."""


ABOUT_TASKS: Final = (
    ToolDefinition(
        RUNNING_TASKS_TOOL,
        "Lists the running tool calls that may be cancelled.",
        {"type": "object", "properties": {}, "additionalProperties": False},
    ),
    ToolDefinition(
        CANCEL_TASK_TOOL,
        "Cancels a running tool call. Only when the user asks for that.",
        {
            "type": "object",
            "properties": {"call_id": {"type": "string", "description": "Of the call that shall end."}},
            "required": ["call_id"],
            "additionalProperties": False,
        },
    ),
)
"""What a model is offered besides, when a tool's calls may be cancelled."""
