"""What happened in a session, as records that figures, traces and reports are made of. Times: kernel clock nanoseconds.

Filled by :mod:`.account`; whoever reads them changes nothing. Texts are there only if they were asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sessionactors.model.metrics import Metadata, SessionMetrics
from sessionactors.session.turn_latency import TurnLatency

Key: TypeAlias = tuple[str, str]
"""What a record is known by: ``("turn", "turn-1")``, ``("llm", "speech-1/step-1")``."""
CallKind: TypeAlias = Literal["llm", "tts", "realtime"]
CallOutcome: TypeAlias = Literal["open", "done", "failed", "cancelled"]


@dataclass(slots=True)
class Call:
    """One request to a provider, retries included: of a model, or a segment that a voice speaks."""

    kind: CallKind
    id: str
    """Of the request (``speech-1/step-1``) or the segment (``speech-1/segment-1``)."""
    speech: str
    message: int
    """Id of the delivery that opened it, as a tap shows it."""
    began_at: int
    causes: tuple[Key, ...] = ()
    """What led to it, other than its own speech."""
    first_at: int | None = None
    """When the first of its answer came."""
    ended_at: int | None = None
    outcome: CallOutcome = "open"
    error: str = ""
    """The class of what it failed with."""
    metrics: SessionMetrics | None = None
    input: str = ""
    """What the model was asked, as JSON."""

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.kind, self.id


@dataclass(slots=True)
class ToolRun:
    """One call of a tool."""

    call_id: str
    name: str
    speech: str
    message: int
    asked_at: int
    causes: tuple[Key, ...] = ()
    began_at: int | None = None
    """When its own code began to run; None: it never did."""
    ended_at: int | None = None
    outcome: str = "open"
    """``completed``, ``failed``, ``cancelled`` or ``abandoned``, when it is over."""
    arguments: str = ""
    output: str = ""

    @property
    def key(self) -> Key:
        """What it is known by."""
        return "tool", self.call_id


@dataclass(slots=True)
class BargeIn:
    """A speech was cut off by the user, or by a call."""

    speech: str
    wanted_at: int
    """When the reason arose: the user's voice set in, or the call was made."""
    detection: float | None = None
    """Seconds from there to the decision; None: not measured (yet)."""
    silence: float | None = None
    """Seconds from the decision to the cleared sink."""
    heard: float | None = None
    """Seconds of the segment that were heard."""


@dataclass(slots=True)
class Speech:
    """One thing that the agent said, or was about to say."""

    id: str
    message: int
    turn: str
    """The turn that it answers; empty for none."""
    source: str
    agent: str
    """Key of the agent whose speech it is."""
    began_at: int
    """When it was asked for, or its preparation began."""
    scheduled: bool = True
    """False: it is prepared, and nobody knows yet whether it will be heard."""
    audible_at: int | None = None
    quiet_at: int | None = None
    ended_at: int | None = None
    interrupted: bool = False
    error: str = ""
    text: str = ""
    """What was heard of it."""
    calls: list[Call] = field(default_factory=list)
    tools: list[ToolRun] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """What it is known by."""
        return "speech", self.id


@dataclass(slots=True)
class Turn:
    """One turn of the user that was committed."""

    id: str
    message: int
    typed: bool
    participant: str
    began_at: int
    """The user's voice set in, or the text came."""
    committed_at: int
    stopped_at: int | None = None
    """The user's voice ended."""
    words_at: int | None = None
    """The last final transcript came."""
    recogniser: Metadata | None = None
    text: str = ""
    reply: bool = True
    """False: the words are kept, and nothing is replied."""
    speech: str = ""
    """The speech that answers it."""
    interrupts: str = ""
    """The speech that the user's voice cut off."""
    latency: TurnLatency | None = None
    ended_at: int | None = None
    """Its reply is over, or there is none."""

    @property
    def key(self) -> Key:
        """What it is known by."""
        return "turn", self.id


Record: TypeAlias = Turn | Speech | Call | ToolRun


@dataclass(frozen=True, slots=True)
class Opened:
    """A record has begun, and so has what it belongs to."""

    record: Record


@dataclass(frozen=True, slots=True)
class Ended:
    """A record is complete."""

    record: Record


News: TypeAlias = Opened | Ended | BargeIn | TurnLatency
"""What an account tells of: a barge-in when it was measured, a latency when the first sound was handed over."""
