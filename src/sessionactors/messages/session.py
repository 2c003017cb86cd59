"""Lifecycle, commands from the session's user, and public facts."""

from __future__ import annotations

from collections.abc import Mapping

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.model.chat import ChatMessage
from sessionactors.model.events import CloseReason, PublicEvent, SessionEvent
from sessionactors.model.options import SessionOptions
from sessionactors.runtime import Lane, Overflow, message


@message()
class SpeakRequested:
    """``say`` or ``generate_reply`` was called. Session to ``agent``."""

    spec: SpeechSpec
    user_input: str | ChatMessage | None = None
    """What the reply answers: enters the history as the user's message when the reply is scheduled."""
    caller: str = ""
    """The speech whose tool asks for it; empty if no tool does."""


@message()
class IdleWanted:
    """``wait_for_idle`` was called. Session to ``agent``, which passes it on to ``floor`` behind what it has begun."""

    request: str
    in_front: bool = False
    """Who waits has the quiet to itself (``RunContext.foreground``): that it is taken does not count."""
    agent: str = ""
    """Key of the agent whose tool or ``on_exit`` waits, if others wait for its end; empty if nobody does."""
    speech: str = ""
    """The speech whose tool waits."""
    aside: bool = False
    """A handoff waits for who waits: what waits for that handoff does not count, or none would ever end."""


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class CloseSession:
    """End the session. To ``supervisor``."""

    reason: CloseReason
    deadline: float
    """Seconds for all of it."""
    error: BaseException | None = None


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class OptionsChanged:
    """These options hold from now on. ``supervisor`` to every actor that keeps options."""

    options: SessionOptions
    """As they are for the agent in charge."""
    session: SessionOptions
    """The session's, for whoever works for an agent that is not in charge: ``agent.options(session)``."""


@message(lane=Lane.CONTROL)
class ChangeOptions:
    """``update_options`` was called. Session to ``supervisor``."""

    changes: Mapping[str, object]
    """New values by the names of :class:`SessionOptions`; they are checked."""


@message()
class AgentInCharge:
    """An agent has taken over, or was changed: its options hold now. ``agent`` to ``supervisor``."""

    agent: UserAgent


@message()
class Publish:
    """Raise a public event, in the order of these messages. To ``supervisor``."""

    event: SessionEvent


@message(overflow=Overflow.DROP_OLDEST)
class EventRaised:
    """A public event was raised. ``supervisor`` to the drop-ins that want it; the oldest give way if one is slow."""

    event: PublicEvent


@message()
class SilenceLasted:
    """``ivr``, to itself: neither side has said anything for too long."""


@message()
class ReplyScheduled:
    """A reply is on its way. ``floor`` to ``supervisor``."""

    speech: str
    turn: str = ""
    """The user turn that it answers; empty for none."""
    thinks: bool = True
    """False: a realtime model's, which is not said to think."""


@message()
class TypedTurnTaken:
    """What was typed is being seen to. ``agent`` to ``supervisor``."""

    turn: str


@message()
class TurnUnanswered:
    """A turn is over, and no reply to it comes. ``agent`` to ``supervisor``."""

    turn: str


@message()
class SpeechAudible:
    """A speech is being heard. ``floor`` to ``supervisor``."""

    speech: str
    at: int


@message()
class SpeechQuiet:
    """A speech is not heard any more. ``floor`` to ``supervisor``."""

    speech: str
    at: int
    working: bool
    """It goes on out of hearing: tools run, or another step follows."""


@message()
class SpeechPaused:
    """The user's voice has stopped a speech, or held it back; it may go on. ``floor`` to ``supervisor``."""

    speech: str
    at: int


@message()
class SpeechResumed:
    """A paused speech goes on. ``floor`` to ``supervisor``."""

    speech: str
    at: int


@message()
class ComponentFailed:
    """A provider failed, and is not asked again. To ``supervisor``, which counts and may close."""

    component: str
    """``stt``, ``llm``, ``tts``, ``vad`` or ``realtime``."""
    error: BaseException
    label: str = ""
    """Which provider."""


@message()
class ComponentStumbled:
    """A provider failed and is asked again. To ``supervisor``, which only tells of it."""

    component: str
    """As for :class:`ComponentFailed`."""
    error: BaseException
    label: str = ""
    """Which provider."""


@message()
class Recovered:
    """A provider works again: its count of failures starts anew. To ``supervisor``."""

    component: str


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class LeaveAgent:
    """The session is closing: store what the user still says without a reply, and run ``on_exit``. To ``agent``."""


@message()
class SettleTurns:
    """No further turn comes: when the open ones are stored and ``on_exit`` has run, have ``history`` tell it.

    ``supervisor`` to ``agent``. What is in the history then is all that will be.
    """


@message()
class FloorIdle:
    """No speech is left. ``floor`` to ``supervisor``, while it is held."""


@message()
class ActorEnded:
    """``supervisor``, to itself: one of its children ended for good."""

    path: str
    error: BaseException | None


@message()
class FinishClose:
    """``supervisor``, to itself: the time to end gently is over, or everything has ended."""


@message()
class DropInEnded:
    """``supervisor``, to itself: a drop-in is gone."""

    path: str
    error: BaseException | None


@message()
class UserAway:
    """``supervisor``, to itself: nobody spoke for as long as a user may be silent."""
