"""Facts about the user, from ``turn`` to the actors that act on them."""

from __future__ import annotations

from enum import Enum

from sessionactors.model.metrics import Metadata
from sessionactors.runtime import Lane, Overflow, message


class Decided(Enum):
    """What has become of a user's turn."""

    OPEN = "open"
    """There are words, and the end of the turn is being decided."""
    COMMITTED = "committed"
    """It is complete, and a reply follows."""
    DROPPED = "dropped"
    """Nothing follows: there were no words (yet), or they are only stored."""


@message()
class UserTurnEnded:
    """A user turn is complete: spoken and endpointed, or typed. To ``agent``."""

    turn: str
    transcript: str
    participant: str
    typed: bool = False
    confidence: float | None = None
    started_speaking_at: int | None = None
    stopped_speaking_at: int | None = None
    last_final_at: int | None = None
    """When the last final transcript came."""
    recogniser: Metadata | None = None
    """Who understood it."""


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda activity: activity.participant)
class UserActivity:
    """Whether a participant speaks now, and what is decided about the turn. To ``floor``; only the newest matters."""

    participant: str
    speaking: bool
    at: int
    decided: Decided = Decided.DROPPED


@message()
class UserSpeechFact:
    """A participant began or ceased to speak. To ``supervisor``, for the public user state."""

    participant: str
    speaking: bool
    at: int


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda wish: (wish.participant, wish.final))
class InterruptionWanted:
    """The user speaks while the agent does. To ``floor``, which decides; only the newest matters."""

    participant: str
    duration: float
    """Seconds of speech so far."""
    words: int | None
    """Words recognised so far in this turn; None without a recogniser."""
    at: int
    """When the user's voice set in."""
    final: bool = False
    """A final transcript has just come, so that this is no noise."""
