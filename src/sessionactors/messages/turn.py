"""Facts about the user, from ``turn`` to the actors that act on them."""

from __future__ import annotations

from enum import Enum

from sessionactors.model.events import AgentState, UserTurnExceededEvent
from sessionactors.model.metrics import Metadata
from sessionactors.runtime import Lane, Overflow, Ref, message


class Decided(Enum):
    """What has become of a user's turn."""

    OPEN = "open"
    """There are words, and the end of the turn is being decided."""
    COMMITTED = "committed"
    """It is complete, and a reply follows."""
    DROPPED = "dropped"
    """Nothing follows: there were no words (yet), or they are only stored."""


class TurnRoute(Enum):
    """What is to come of a user's turn."""

    WORDS = "words"
    """The words are the user's message; the model replies to them."""
    AUDIO = "audio"
    """A realtime model has the audio and is asked to reply; it says itself what the words were, if it can."""
    TRANSCRIPT = "transcript"
    """The words of a turn that a realtime model has had: they are kept, and nothing else."""


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
    reply: bool = True
    """False: the words are kept, and nothing is replied or cut off."""
    finals: tuple[str, ...] = ()
    """Ids of the final transcripts that it was made of."""
    route: TurnRoute = TurnRoute.WORDS
    item_id: str = ""
    """The id that the message shall have: a realtime model's."""


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda activity: activity.participant)
class UserActivity:
    """Whether a participant speaks now, and what is decided about the turn. To ``floor``; only the newest matters."""

    participant: str
    speaking: bool
    at: int
    decided: Decided = Decided.DROPPED
    hushed: bool = False
    """While ``speaking``: no voice for a moment and no words so far. What has not begun need not wait any longer."""
    recognised: bool = False
    """There is a recogniser: words may come of the voice."""


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
    by_model: bool = False
    """A realtime model's server says so, which has taken the floor from its own reply already: no threshold applies."""


@message()
class UserUnderstood:
    """A final transcript came, or a key was pressed: the user is there. ``turn`` or ``room`` to ``supervisor``."""

    participant: str
    at: int
    voice_known: bool
    """Somebody detects the voice; if not, this is the only sign of the user."""


@message(overflow=Overflow.CONFLATE, key=lambda preflight: preflight.participant)
class TurnPreflight:
    """What the turn will most likely say: a reply may be prepared. ``turn`` to ``agent``; only the newest matters."""

    participant: str
    transcript: str
    speech_duration: float
    """Seconds since the turn's first speech set in."""
    confidence: float | None = None


@message()
class TurnOffered:
    """The turn seems over: does it end, or are its words too few for what is being said? ``turn`` to ``floor``."""

    participant: str
    offer: int
    """Names the offer in the answer."""
    words: int
    reply_to: Ref[TurnAnswered]


@message()
class TurnAnswered:
    """The answer to an offer. ``floor`` to ``turn``."""

    offer: int
    held: bool
    """True: it interrupts nothing; its words wait for more of them."""


@message()
class AgentStateFact:
    """What the agent does from now on. ``supervisor`` to ``turn``, by the ear."""

    state: AgentState
    at: int
    tools_running: int = 0


@message(overflow=Overflow.CONFLATE, key=lambda exceeded: exceeded.participant)
class UserTurnExceeded:
    """The user goes on for longer than the options allow. ``turn`` to ``agent``; only the newest matters."""

    participant: str
    event: UserTurnExceededEvent
    finals: tuple[str, ...]
    """Ids of the transcripts of the turn that is open."""
    reply_to: Ref[TurnTaken]


@message()
class TurnTaken:
    """These words of the open turn are answered and in the history. ``agent`` to ``turn``."""

    finals: tuple[str, ...]


@message()
class CommitUserTurn:
    """``commit_user_turn()``. Session to ``supervisor``, which has each ear flush its turn."""

    request: str
    transcript_timeout: float
    stt_flush_duration: float
    reply: bool


@message()
class ClearUserTurn:
    """``clear_user_turn()``. Session to ``supervisor``, which has each ear forget its turn."""
