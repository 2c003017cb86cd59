"""Agents that take over, and what ``agent`` tells itself: how the user's hooks ended."""

from __future__ import annotations

from sessionactors.interfaces.user_code import TurnVerdict, UserAgent
from sessionactors.model.chat import AgentConfigUpdate, ChatItem
from sessionactors.runtime import message


@message()
class AgentEnters:
    """The session listens: run ``on_enter``. ``supervisor`` to ``agent``."""


@message()
class ReviseAgent:
    """The user has changed an agent: this is its newest revision. Session to ``agent``."""

    agent: UserAgent
    change: AgentConfigUpdate | None
    """What is to be noted; ``agent`` gives it its id and time."""
    ticket: str


@message()
class RewriteContext:
    """The user gives an agent another context. Session to ``agent``."""

    agent: str
    """Its key."""
    items: tuple[ChatItem, ...]
    ticket: str


@message()
class HandOver:
    """Let this agent take over. From a speech whose tool returned it, or from the session. To ``agent``."""

    agent: UserAgent
    speech: str = ""
    """Whose tool returned it; empty when the session was told."""
    refused: bool = False
    """It does not take over after all: let go of it, unless it has a part already."""


@message()
class TaskAwaited:
    """User code awaits an ``AgentTask``: let it take over until it ends. Session to ``agent``."""

    task: UserAgent
    host: str
    """Key of the agent whose tool or hook awaits it."""
    speech: str = ""
    """The speech whose tool awaits it; empty for a hook."""


@message()
class TaskEnded:
    """An ``AgentTask`` is complete, was cancelled, or nobody awaits it any more. Session to ``agent``."""

    task: str
    """Its key."""
    with_calls: bool = False
    """Whether its tool calls become part of what its host remembers."""
    cut: bool = False
    """It was cancelled: what it says is cut off."""


@message()
class AgentReady:
    """``agent``, to itself: the next agent has been set up."""

    agent: str


@message()
class AgentUnusable:
    """``agent``, to itself: the next agent could not be set up."""

    agent: str
    error: BaseException


@message()
class HookReturned:
    """``on_user_turn_completed`` returned."""

    turn: str
    verdict: TurnVerdict


@message()
class HookFailed:
    """A hook raised."""

    hook: str
    agent: str
    """Key of the agent whose hook it is."""
    error: BaseException


@message()
class HookDone:
    """``on_enter`` or ``on_exit`` returned."""

    hook: str
    agent: str
