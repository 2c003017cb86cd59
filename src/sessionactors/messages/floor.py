"""Who may speak: between ``agent``, ``floor``, the speeches and ``output``."""

from __future__ import annotations

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.model.chat import ChatMessage
from sessionactors.runtime import Lane, Overflow, Ref, Scope, message

from .deferred import SpeechEnded
from .history import ContextWanted


@message()
class ScheduleSpeech:
    """Make this speech and let it be heard when its turn comes. ``agent`` to ``floor``."""

    spec: SpeechSpec
    answers: ChatMessage | None = None
    """What it answers, if that is not in the history yet: it is added behind what was heard before."""
    report_to: Ref[SpeechEnded] | None = None
    """Who wants to be told of its end."""


@message()
class PreparationWanted:
    """A reply is to be prepared: pass this on to ``history``, unless a speech is current. ``agent`` to ``floor``.

    What is heard of a current speech is not in the history yet; a reply made without it would not fit.
    """

    context: ContextWanted


@message()
class PrepareSpeech:
    """Make this speculative speech, which nobody hears yet, unless one is heard now. ``agent`` to ``floor``."""

    spec: SpeechSpec


@message()
class PromoteSpeech:
    """A speculative speech answers the committed turn: schedule it as this; if it is there no more, make a new one.

    ``agent`` to ``floor``.
    """

    spec: SpeechSpec


@message()
class DropSpeculation:
    """A speculative speech is not wanted. ``agent`` to ``floor``."""

    speech: str


@message()
class SpeechPromoted:
    """You answer a committed turn. ``floor`` to a speculative speech."""

    user_stopped_at: int | None
    """When the user ceased to speak."""


@message()
class SpeechWasted:
    """A speculative speech was made for nothing. Speech to ``floor``."""

    speech: str
    tokens: int
    """Of the model; pieces of text if it has not told."""
    characters: int


@message()
class TurnClaim:
    """The user's turn is complete: let the floor be clear for its reply. ``agent`` to ``floor``."""

    turn: str
    reply: bool = True
    """False: it is only kept. Nothing is cut off for it, and no answer is wanted."""


@message()
class TurnClaimed:
    """What was being said has been cut off and accounted for, or may not be cut off. ``floor`` to ``agent``."""

    turn: str


@message()
class DrainFloor:
    """Tell me when no speech of these agents is left. ``agent`` to ``floor``; a newer one takes its place."""

    ticket: int
    agents: frozenset[str]
    """Keys."""
    spared: frozenset[str]
    """Speeches that are not waited for, since a tool of theirs waits for what comes next."""
    cut: bool = False
    """Cut off the others, also those that do not allow interruptions."""


@message()
class FloorDrained:
    """No such speech is left. ``floor`` to ``agent``."""

    ticket: int


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda hold: (hold.speech, hold.holder))
class HoldInterruptions:
    """Protect a speech while an ``AgentTask`` runs for one of its tools; holds are counted. ``agent`` to ``floor``."""

    speech: str
    holder: str
    held: bool


@message()
class FloorWanted:
    """A speech has something to be heard. Speech to ``floor``."""

    speech: str
    ready: bool = True
    """False: not yet, but it takes its place in the queue again, behind those that wait."""


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
    items: int = 0
    """That it has added to the history."""


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
    paused_at: int | None = None
    """When it was paused; None: it sounded until now."""


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda order: order.speech)
class PauseSpeech:
    """Hold a speech where it is, or before its first sound. ``floor`` to ``output``."""

    speech: str
    number: int
    """Counts these orders: conflated ones may change places, and only the latest counts."""


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda order: order.speech)
class ResumeSpeech:
    """Let a speech go on at the sample behind the last one heard. ``floor`` to ``output``."""

    speech: str
    number: int


@message()
class PauseRefused:
    """A speech cannot be held: the sink it plays on cannot. ``output`` to ``floor``."""

    speech: str


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class OutputChanged:
    """Whether the agent has a voice now, and whether it can be held. ``output`` to ``floor``."""

    voice: bool
    can_pause: bool


@message()
class FalseInterruptionDue:
    """``floor``, to itself: nothing has come of what paused a speech."""

    speech: str


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class EchoExpected:
    """Who is there now: does their echo canceller have to hear the agent first? ``supervisor`` to ``floor``."""

    expected: bool
    anew: bool
    """Nobody was there before: what was heard until now taught their canceller nothing."""


@message()
class WarmupOver:
    """``floor``, to itself: the echo canceller has adapted."""


@message()
class GapElapsed:
    """``floor``, to itself: the pause between two speeches is over."""


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
