"""What answers calls of a session's user that wait. Delivered with the events, in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class UserTurnCommittedNote:
    """A call of ``commit_user_turn()`` is done."""

    request: str
    transcript: str
    type: Literal["_user_turn_committed"] = "_user_turn_committed"


@dataclass(frozen=True, slots=True)
class ClosingNote:
    """The session is closing, by whomever: what is cut off from here on was not brought to its end."""

    type: Literal["_closing"] = "_closing"


@dataclass(frozen=True, slots=True)
class IdleNote:
    """Nobody speaks, and nobody is about to: a call of ``wait_for_idle()`` is done."""

    request: str
    type: Literal["_idle"] = "_idle"
