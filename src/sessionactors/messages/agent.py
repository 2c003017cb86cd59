"""What ``agent`` tells itself: how the user's hooks ended."""

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
    change: AgentConfigUpdate
    """What is new; ``agent`` gives it its id and time."""
    ticket: str


@message()
class RewriteContext:
    """The user gives an agent another context. Session to ``agent``."""

    agent: str
    """Its key."""
    items: tuple[ChatItem, ...]
    ticket: str


@message()
class HookReturned:
    """``on_user_turn_completed`` returned."""

    turn: str
    verdict: TurnVerdict


@message()
class HookFailed:
    """A hook raised."""

    hook: str
    error: BaseException


@message()
class HookDone:
    """``on_enter`` or ``on_exit`` returned."""

    hook: str
