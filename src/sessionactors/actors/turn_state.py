"""The state of ``turn`` as a value: what the user has said so far, and how far the end of the turn is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from sessionactors.messages.ear import EndOfTurnPredicted, FinalTranscript, FlushTurn
from sessionactors.messages.turn import Decided, InterruptionWanted
from sessionactors.model.options import SessionOptions

from .transcript_ledger import TranscriptLedger


class Phase(Enum):
    """Where the user's turn is."""

    SILENT = "silent"
    """Nothing was said yet."""
    SPEAKING = "speaking"
    DECIDING = "deciding"
    """The user fell silent: words, an opinion or more silence are waited for."""
    COMMITTED = "committed"
    """The last turn was handed to the agent."""
    DROPPED = "dropped"
    """The last speech had no words."""


@dataclass(frozen=True, slots=True)
class TurnState:
    """The turn so far."""

    options: SessionOptions
    """As they are for the agent in charge."""
    phase: Phase = Phase.SILENT
    started_at: int | None = None
    """When the first speech of the turn set in, ns."""
    stretch_at: int = 0
    """When the present stretch of speech set in, ns."""
    ended_at: int | None = None
    """When the user was last known to speak, ns: what endpointing counts from."""
    finals: tuple[FinalTranscript, ...] = ()
    interim: str = ""
    """Words behind the last final."""
    last_final_at: int | None = None
    told: InterruptionWanted | None = None
    """The last wish of this stretch that the floor was told."""
    asked: str | None = None
    """The transcript that the detector was asked about last."""
    opinion: EndOfTurnPredicted | None = None
    """What it said last."""
    flush: FlushTurn | None = None
    """Somebody waits for the turn to be committed."""
    turns: int = 0
    dropped: int = 0
    ledger: TranscriptLedger = field(default_factory=TranscriptLedger)

    @property
    def decided(self) -> Decided:
        """What is known of it when the user has just fallen silent."""
        return Decided.OPEN if self.finals or self.interim else Decided.DROPPED

    @property
    def transcript(self) -> str:
        """All finals so far."""
        return " ".join(final.text for final in self.finals)
