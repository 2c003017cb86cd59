"""Whether the tools of a step hand over to another agent. Pure.

One agent may be returned in a step, by one tool or by several. Two different ones are a contradiction that nobody but
the model can solve: it is told. A step that was interrupted hands over to nobody, and the model is told that too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sessionactors.interfaces.user_code import UserAgent
from sessionactors.model.chat import FunctionCallOutput
from sessionactors.runtime.frozen import replace


@dataclass(frozen=True, slots=True)
class Handoffs:
    """What becomes of the agents that the tools of a step returned."""

    outputs: tuple[FunctionCallOutput, ...]
    """Of all the tools, in order; an error where there was no handoff."""
    agent: UserAgent | None = None
    """Who takes over."""
    refused: tuple[UserAgent, ...] = ()
    """Who was returned and does not."""


def handoffs(results: Sequence[tuple[FunctionCallOutput, UserAgent | None]], *, interrupted: bool) -> Handoffs:
    """Decide.

    Args:
        results: of each tool of the step: what it answered, and the agent that it returned.
        interrupted: whether the speech has been cut off.
    """
    outputs = tuple(output for output, _ in results)
    agents = {agent.key: agent for _, agent in results if agent is not None}
    if not agents:
        return Handoffs(outputs)
    if interrupted:
        reason = "The handoff to {} was interrupted by the user: there was no handoff."
    elif len(agents) > 1:
        reason = f"There was no handoff to {{}}: tools of one step asked for different agents ({', '.join(agents)})."
    else:
        return Handoffs(outputs, next(iter(agents.values())))
    told = tuple(
        output
        if agent is None
        else replace(output, output=reason.format(agent.id), is_error=True, reply_required=not interrupted)
        for output, agent in results
    )
    return Handoffs(told, refused=tuple(agents.values()))
