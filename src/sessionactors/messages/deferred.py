"""What tools in the background have to say: ``tools`` to ``deferred``, which delivers it when all is quiet."""

from __future__ import annotations

from sessionactors.model.chat import FunctionCall, FunctionCallOutput
from sessionactors.runtime import Ref, message


@message()
class CallReported:
    """A call that was answered already has more to say. ``tools`` to ``deferred``."""

    call: FunctionCall
    """A pair of its own: ``{call_id}_update_1`` ..., ``{call_id}_final``."""
    output: FunctionCallOutput
    agent: str
    """Key of the agent that made the call; empty if it is the session's: whoever is in charge tells the user."""


@message()
class Instructed:
    """``deferred``, to itself: the words for the reply."""

    request: str
    instructions: str


@message()
class Quiet:
    """Nobody speaks, nobody is about to, and you have the quiet until you give it back. ``floor`` to who asked."""

    request: str


@message()
class QuietWanted:
    """Tell me when nobody speaks and nobody is about to; others that want the quiet wait until I give it back.

    To ``floor``, in the order of these messages; ``tools`` by way of ``deferred``.
    """

    request: str
    reply_to: Ref[Quiet]
    agent: str = ""
    """Key of the agent whose tool asks, if its speech waits for it; empty if nobody does."""
    speech: str = ""
    """That speech."""


@message()
class QuietOver:
    """I do not need the quiet (any more). To ``floor``."""

    request: str


@message()
class TurnSettled:
    """A user turn has got what follows from it: a reply was scheduled, or there is none. ``agent`` to ``floor``."""

    turn: str


@message()
class SpeechEnded:
    """A speech is over. ``floor`` to who asked for that when it scheduled the speech."""

    speech: str
    interrupted: bool
    items: int
    """That it has added to the history."""
