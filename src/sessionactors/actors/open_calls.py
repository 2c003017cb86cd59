"""Tool calls that still run, as a model sees them meanwhile: marked pairs that no context keeps (P5). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sessionactors.model.chat import ChatContext, ChatItem, FunctionCall, FunctionCallOutput

IN_PROGRESS = "In progress: the tool is running and has not returned. Do not call it again for the same thing."
"""Stands for the output of a call that still runs."""


@dataclass(frozen=True, slots=True)
class RunningCall:
    """A call that runs."""

    call: FunctionCall
    agent: str
    """Key of the agent whose model made it; empty for a call of the session's, which every agent sees."""


def with_open_calls(items: tuple[ChatItem, ...], running: Iterable[RunningCall], agent: str) -> tuple[ChatItem, ...]:
    """The context of an agent, with the calls that run at the place of their time, so that none is made again."""
    shown = [running_call.call for running_call in running if running_call.agent in ("", agent)]
    if not shown:
        return items
    context = ChatContext(items)
    for call in shown:
        context.insert(call)
        output = FunctionCallOutput(
            call_id=call.call_id,
            name=call.name,
            output=IN_PROGRESS,
            reply_required=False,
            id=f"{call.id}.in_progress",
            created_at=call.created_at,
        )
        context.insert(output)
    return tuple(context.items)


def still_open(running: tuple[RunningCall, ...], added: Iterable[ChatItem]) -> tuple[RunningCall, ...]:
    """The calls that still run when these items have been added: an output ends its call."""
    ended = {item.call_id for item in added if isinstance(item, FunctionCallOutput)}
    return tuple(running_call for running_call in running if running_call.call.call_id not in ended)
