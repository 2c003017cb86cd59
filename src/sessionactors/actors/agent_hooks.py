"""What ``agent`` has the user's agents do when they come and go. How it ends comes as a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.agent import AgentReady, AgentUnusable, HookDone, HookFailed
from sessionactors.runtime import Outbox

if TYPE_CHECKING:
    from .agent import AgentMessage

ENTER_HOOK = "on_enter"
EXIT_HOOK = "on_exit"
TURN_HOOK = "on_user_turn_completed"
EXCEEDED_HOOK = "on_user_turn_exceeded"

HOOK_WITHIN = 10.0
"""Seconds after which a hook that has not returned is named as overdue. It is not cancelled: it is the user's code."""


def set_up(agent: UserAgent, out: Outbox[AgentMessage]) -> None:
    """Have an agent get its tools ready."""
    key = agent.key

    async def run(_port: object) -> None:
        await agent.set_up()

    out.effect(
        "set up",
        run,
        done=lambda _: AgentReady(key),
        failed=lambda error: AgentUnusable(key, error),
        user_loop=True,
    )


def release(agent: UserAgent, out: Outbox[AgentMessage]) -> None:
    """Have an agent that has left let go of what it holds."""
    key = agent.key

    async def run(_port: object) -> None:
        await agent.release()

    out.effect(f"release {key}", run, failed=lambda error: HookFailed("release", key, error), user_loop=True)


def run_hook(agent: UserAgent, hook: str, out: Outbox[AgentMessage]) -> None:
    """Run ``on_enter`` or ``on_exit``."""
    key = agent.key

    async def run(_port: object) -> None:
        await (agent.on_enter() if hook == ENTER_HOOK else agent.on_exit())

    out.effect(
        f"{hook} of {key}",
        run,
        done=lambda _: HookDone(hook, key),
        failed=lambda error: HookFailed(hook, key, error),
        user_loop=True,
    )
