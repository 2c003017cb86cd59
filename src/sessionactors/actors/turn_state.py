"""The state of ``turn`` as a value: what the user has said so far, and how far the end of the turn is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from sessionactors.messages.ear import FlushTurn
from sessionactors.messages.turn import InterruptionWanted, UserActivity
from sessionactors.model.events import AgentState, UserTurnExceededEvent
from sessionactors.model.options import SessionOptions
from sessionactors.model.words import word_count
from sessionactors.runtime import NS

from .dynamic_endpointing import DelayRange, PauseHistory, min_delay
from .transcript_ledger import TranscriptLedger
from .turn_gate import Gate
from .turn_limit import TurnWindow
from .turn_rules import EndsBy, TurnRules
from .utterance import Utterance


class Phase(Enum):
    """Where the user's turn is."""

    SILENT = "silent"
    """Nothing was said yet."""
    SPEAKING = "speaking"
    DECIDING = "deciding"
    """The user fell silent: words, an opinion or more silence are waited for."""
    WAITING = "waiting"
    """The user fell silent: somebody else says when the turn is over."""
    HELD = "held"
    """The words are too few for what is being said: they wait for more of them."""
    COMMITTED = "committed"
    """The last turn was handed to the agent."""
    DROPPED = "dropped"
    """The last speech had no words."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a detector was asked last, and its answer. One at a time: a newer one makes an older answer worthless."""

    number: int = 0
    about: str | None = None
    """The transcript, or the end of the voice; None: nothing is asked."""
    asked_at: int = 0
    answered: bool = False
    probability: float | None = None
    """0..1; None: it failed, or took too long."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """Speech of which no words came (yet)."""

    since: int | None = None
    """When the first stretch of it set in, ns."""
    seconds: float = 0.0
    transcribed: bool = False
    """Words came: nothing is missed in this turn."""


@dataclass(frozen=True, slots=True)
class TurnState:
    """The turn so far."""

    options: SessionOptions = field(default_factory=SessionOptions)
    rules: TurnRules = field(default_factory=TurnRules)
    phase: Phase = Phase.SILENT
    started_at: int | None = None
    """When the first speech of the turn set in, ns."""
    stretch_at: int = 0
    """When the present stretch of speech set in, ns."""
    voice: float = 0.0
    """Seconds of speech in this stretch, as last measured."""
    silence: float = 0.0
    """Seconds since the voice was last heard in it, as last measured."""
    ended_at: int | None = None
    """When the user was last known to speak, ns: what endpointing counts from."""
    said: Utterance = field(default_factory=Utterance)
    last_final_at: int | None = None
    recognizer_ended: bool = False
    """The recogniser has said that the user is done."""
    question: Question = field(default_factory=Question)
    offer: int = 0
    """The last turn that the floor was asked about."""
    offered: bool = False
    """Its answer is waited for."""
    preflight: str = ""
    """What the agent was last told that the turn will say."""
    told: InterruptionWanted | None = None
    """The last wish of this stretch that the floor was told."""
    activity: UserActivity | None = None
    """What the floor was told last."""
    orders: tuple[FlushTurn, ...] = ()
    """Somebody waits for the turn to be committed."""
    flush_due: int | None = None
    """When the first of them does not wait any longer, ns."""
    resetting: bool = False
    """The recogniser is to begin anew: what it still says is given up."""
    reset_at: int = 0
    """When it was told so last, ns: what was heard before comes to nothing any more."""
    unheard: Unheard = field(default_factory=Unheard)
    window: TurnWindow = field(default_factory=TurnWindow)
    exceeded: UserTurnExceededEvent | None = None
    """What the agent is told of a user who does not stop, once it is decided whether the turn ends."""
    replied: bool = False
    """A reply follows the last turn."""
    gate: Gate = field(default_factory=Gate)
    pauses: PauseHistory = field(default_factory=PauseHistory)
    pauses_before: PauseHistory = field(default_factory=PauseHistory)
    """As they were when the last utterance was about to end: it may have been a listening noise."""
    agent_state: AgentState = "initializing"
    """What the agent does, as the public sees it."""
    turns: int = 0
    dropped: int = 0
    held: int = 0
    ledger: TranscriptLedger = field(default_factory=TranscriptLedger)

    @property
    def delays(self) -> DelayRange:
        """The configured delays."""
        options = self.options
        return DelayRange(options.min_endpointing_delay, options.max_endpointing_delay, options.endpointing_alpha)

    @property
    def min_delay(self) -> float:
        """Seconds of silence that end a turn which seems complete."""
        if self.options.endpointing_mode == "dynamic":
            return min_delay(self.pauses, self.delays)
        return self.options.min_endpointing_delay

    def voiced_at(self, now: int) -> int | None:
        """When the voice of the turn was last heard, ns; None: it was not."""
        match self.phase:
            case Phase.SPEAKING:
                return now - round(self.silence * NS)
            case Phase.DECIDING | Phase.WAITING:
                return self.ended_at
            case _:
                return None

    def summary(self) -> Mapping[str, object]:
        """For inspection; no words of the user."""
        learned = {"learned_delay": round(self.min_delay, 3)} if self.options.endpointing_mode == "dynamic" else {}
        return {
            "phase": self.phase.value,
            "ends_by": self.rules.ends_by.value,
            "finals": len(self.said.finals),
            "interim_words": word_count(self.said.interim),
            "turns": self.turns,
            "dropped": self.dropped,
            "held": self.held,
            "orders": len(self.orders),
            "kept_out": self.gate.kept_out,
            "transcripts": self.ledger.summary(),
            **learned,
        }


def hears_edges(state: TurnState, *, vad: bool) -> bool:
    """Whether the recogniser's word on when speech begins and ends counts."""
    return state.rules.ends_by is EndsBy.RECOGNIZER or not vad
