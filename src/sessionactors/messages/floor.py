"""Who may speak: between ``agent``, ``floor``, the speeches and ``output``."""

from __future__ import annotations

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.runtime import Lane, Overflow, Scope, message


@message()
class ScheduleSpeech:
    """Make this speech and let it be heard when its turn comes. ``agent`` to ``floor``."""

    spec: SpeechSpec


@message()
class TurnClaim:
    """The user's turn is complete: let the floor be clear for its reply. ``agent`` to ``floor``."""

    turn: str


@message()
class TurnClaimed:
    """What was being said has been cut off and accounted for, or may not be cut off. ``floor`` to ``agent``."""

    turn: str


@message()
class FloorWanted:
    """A speech has something to be heard. Speech to ``floor``."""

    speech: str


@message()
class FloorGranted:
    """You may be heard. ``floor`` to a speech."""


@message()
class FloorReleased:
    """A speech has been heard for now (its tools may still run). Speech to ``floor``."""

    speech: str


@message()
class SpeechFinished:
    """A speech is over: its accounts balance. Speech to ``floor``, ``floor`` to ``supervisor``."""

    speech: str
    interrupted: bool
    error: BaseException | None = None


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda order: (order.speech, order.force, order.asked_for))
class InterruptSpeech:
    """Cut a speech off; without a name the current one and those queued behind it. To ``floor``."""

    speech: str | None = None
    force: bool = False
    """Also when it does not allow interruptions."""
    asked_for: tuple[str, ...] = ()
    """Without a name: speeches to cut too, that ``floor`` may not have been told of yet: control overtakes data."""


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class SpeechInterrupted:
    """You have been cut off. ``floor`` to a speech."""

    at: int


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda order: order.speech)
class SetAllowInterruptions:
    """Protect a speech, or no longer. To ``floor``."""

    speech: str
    allow: bool


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda order: order.speech)
class SilenceSpeech:
    """Stop the sound of a speech now. ``floor`` to ``output``."""

    speech: str
    scope: Scope
    wanted_at: int
    """When the reason arose (the user's voice set in, or the call was made)."""
    decided_at: int


@message()
class SpeechSilenced:
    """The sound of a speech has stopped. ``output`` to ``floor``."""

    speech: str
    took: float
    """Seconds from the decision to the cleared sink."""


@message()
class SpeechGone:
    """``floor``, to itself: a speech actor has ended for good."""

    speech: str
    error: BaseException | None


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class HoldFloor:
    """Grant nothing more: the session is closing. ``supervisor`` to ``floor``."""
