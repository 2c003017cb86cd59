"""When the user counts as away: nobody spoke for a while. Pure, tested as a table; ``supervisor`` keeps the timer.

The window runs while agent and user both listen, and no tool works: who waits for the agent is not away.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessionactors.model.events import AgentState, UserState


@dataclass(frozen=True, slots=True)
class Quiet:
    """What tells whether everybody waits for the user."""

    agent: AgentState
    user: UserState
    tools: int = 0
    """Tools that run, in the background too."""
    sign: int = 0
    """Counts the signs of the user that are no voice: transcripts where nobody detects the voice."""


def window_runs(quiet: Quiet) -> bool:
    """Whether the user is waited for."""
    return quiet.agent == "listening" and quiet.user == "listening" and not quiet.tools


def window_begins(before: Quiet, now: Quiet) -> bool:
    """Whether the whole window begins now: it runs, and did not, or there was a sign of the user."""
    return window_runs(now) and (not window_runs(before) or now.sign != before.sign)
