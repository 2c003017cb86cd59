"""Tool calls: a speech asks ``tools`` to run one; every call gets exactly one terminal record."""

from __future__ import annotations

from typing import Literal, TypeAlias

from sessionactors.interfaces.user_code import UserAgent
from sessionactors.model.chat import FunctionCall, FunctionCallOutput
from sessionactors.runtime import Lane, Overflow, Ref, Scope, message

ToolOutcome: TypeAlias = Literal["completed", "failed", "cancelled", "abandoned"]


@message()
class ToolFinished:
    """The one terminal record of a call."""

    call_id: str
    outcome: ToolOutcome
    output: FunctionCallOutput
    duration: float
    """Seconds; 0.0 when it never started."""
    call: FunctionCall
    """As it is kept: of the time at which the tool began."""
    stored: bool = True
    """False: it never started, since its reply was superseded; it leaves no trace in the history."""
    agent: UserAgent | None = None
    """The agent that the tool returned: it is to take over."""
    owner: str = ""
    """Key of the agent that made the call; empty if it is the session's."""


@message()
class ToolAnswered:
    """The tool goes on in the background: this is the output of its call. ``tools`` to the speech."""

    call_id: str
    output: FunctionCallOutput
    call: FunctionCall
    stored: bool = True
    agent: None = None
    """A tool in the background hands over to nobody."""


ToolAnswer: TypeAlias = ToolFinished | ToolAnswered


@message()
class RunTool:
    """Run a tool call. It accounts: when its scope is closed it is answered ``cancelled`` and never starts."""

    call: FunctionCall
    speech: str
    reply_to: Ref[ToolFinished | ToolAnswered]
    scope: Scope
    agent: UserAgent
    """Whose tool it is."""
    on_enter: bool = False
    """It belongs to a reply that ``on_enter`` asked for."""


@message()
class CallsStored:
    """The speech has given these calls, with their outputs, to ``history``. Speech to ``tools``."""

    call_ids: tuple[str, ...]


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda order: order.speech)
class CallsSuperseded:
    """This speech has been cut off: its calls that wait for an approval never start. Speech to ``tools``."""

    speech: str


@message()
class SpeechLost:
    """``tools``, to itself: a speech has ended; what it has not stored of its calls is stored from here."""

    speech: str


@message()
class CallEntered:
    """``tools``, from a call: its arguments are valid; may it run beside the others of its tool?"""

    call_id: str
    tool: str
    """What it means: another tool than the call names, if that one stands in for it."""
    arguments: str
    """Canonical JSON."""
    confirmed: bool


@message()
class ApprovalWanted:
    """``tools``, from a call: somebody has to approve it before it runs."""

    call_id: str


@message()
class ApprovalGiven:
    """A call was approved or denied. Session to ``tools``."""

    call_id: str
    approved: bool
    reason: str = ""


@message()
class CallBegan:
    """``tools``, from a call: the tool's own code runs."""

    call_id: str


@message()
class CallUpdated:
    """``tools``, from a call: the tool tells how far it is."""

    call_id: str
    message: str
    """As the tool said it."""
    output: str
    """As the model sees it."""
    reply_required: bool


@message()
class QuietAsked:
    """``tools``, from a call: it wants the quiet, or gives it back."""

    call_id: str
    ticket: int
    over: bool = False


@message()
class TaskAwaitedInCall:
    """``tools``, from a call: it awaits an ``AgentTask``, or does not any more. The task has time of its own."""

    call_id: str
    over: bool = False


@message()
class CancelOwned:
    """An agent has left, or the session closes (no agent is named): cancel the calls that may be cancelled.

    ``agent`` or ``supervisor`` to ``tools``. What may not be cancelled goes on.
    """

    agent: str = ""


@message()
class ReleaseAgent:
    """An agent has left: let go of its tool sets when the last of its calls is over. ``agent`` to ``tools``."""

    agent: UserAgent


@message()
class ReleaseFailed:
    """``tools``, to itself: the tool sets of an agent that has left could not be let go of."""

    agent: str
    """Its key."""
    error: BaseException


@message()
class CallOverdue:
    """``tools``, to itself: a call has run, or waited for its approval, longer than it may."""

    call_id: str


@message()
class ToolReturned:
    """``tools``, to itself: the tool's coroutine returned or raised."""

    call_id: str
    output: str
    is_error: bool
    reply_required: bool
    error: BaseException | None = None
    """Why there is no result of the tool's own: the agent's code for running tools raised."""
    agent: UserAgent | None = None
    superseded: bool = False
    """Its reply had been cut off before it began: it never ran."""


@message()
class CallsLost:
    """``tools``, to itself: these calls ran when it was restarted; results that waited already come before this."""

    call_ids: tuple[str, ...]


@message()
class ToolsRunning:
    """How many tool calls are open: a user who waits for one is not away.

    ``tools`` to ``supervisor``, by way of ``deferred`` and ``history``: what those that ended said is stored then.
    """

    count: int
