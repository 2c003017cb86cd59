"""What ``agent`` tells itself: how the user's hooks ended."""

from __future__ import annotations

from sessionactors.interfaces.user_code import TurnVerdict
from sessionactors.runtime import message


@message()
class AgentEnters:
    """The session listens: run ``on_enter``. ``supervisor`` to ``agent``."""


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
