"""The tools with which a model looks at running calls and cancels them. Pure: answered from the ledger alone."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sessionactors.messages.tools import RunTool
from sessionactors.model.tool_arguments import ArgumentsUnreadable, read_arguments
from sessionactors.model.tools import CANCEL_TASK_TOOL, RUNNING_TASKS_TOOL

from .duplicates import is_cancellable
from .tools_state import OpenCall, ToolsState


@dataclass(frozen=True, slots=True)
class TaskAnswer:
    """What the model is told, and which call ends for it."""

    output: str
    is_error: bool = False
    cancels: OpenCall | None = None


def is_about_tasks(order: RunTool) -> bool:
    """Whether the call is one of these, and the agent has them."""
    name = order.call.name
    return name in (RUNNING_TASKS_TOOL, CANCEL_TASK_TOOL) and any(tool.name == name for tool in order.agent.tools)


def answer(state: ToolsState, order: RunTool) -> TaskAnswer:
    """The answer to such a call."""
    cancellable = {call_id: call for call_id, call in state.running.items() if is_cancellable(call.rules)}
    if order.call.name == RUNNING_TASKS_TOOL:
        calls = [
            {"call_id": call_id, "name": open_call.call.name, "arguments": open_call.call.arguments}
            for call_id, open_call in cancellable.items()
        ]
        return TaskAnswer(json.dumps(calls, ensure_ascii=False))
    try:
        wanted = read_arguments(order.call.arguments).get("call_id")
    except ArgumentsUnreadable as error:
        return TaskAnswer(str(error), is_error=True)
    if wanted in cancellable:
        return TaskAnswer(f"Call {wanted} was cancelled.", cancels=cancellable[str(wanted)])
    if wanted in state.running:
        return TaskAnswer(f"Call {wanted} cannot be cancelled.", is_error=True)
    return TaskAnswer(f"No call {wanted!r} is running.", is_error=True)
