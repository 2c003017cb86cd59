"""What the user's voice does to the agent's: a pure function of turn, speech, options and output; tested as a table.

It decides about the speech that has the floor, or is about to get it. A complete turn of the user cuts that speech off
whatever is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sessionactors.messages.overlap import Judged
from sessionactors.model.options import SessionOptions


class Decision(Enum):
    """What to do now."""

    IGNORE = "ignore"
    HOLD = "hold"
    """It is not heard yet: it waits for silence, and begins then."""
    PAUSE = "pause"
    """It stops, and goes on if nothing comes of the user's voice."""
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class TurnFacts:
    """What one participant does."""

    speaking: bool
    hushed: bool = False
    """While speaking: the voice has paused for a moment."""
    duration: float = 0.0
    """Seconds of the present stretch of speech, as far as they are known here."""
    words: int | None = None
    """Words of the turn, interim ones too; None without a recogniser: then nothing could tell a noise from an
    interruption later, and there is no pausing."""
    final: bool = False
    """A final transcript has just come."""
    judged: Judged = Judged.NOTHING
    """What a detector of interruptions says of this stretch of speech."""


@dataclass(frozen=True, slots=True)
class SpeechFacts:
    """What the speech is."""

    allowed: bool
    """It allows interruptions."""
    audible: bool
    """It is being heard, or was until it was paused."""
    granted: bool = True
    """It was given the floor: its sound may come at any moment."""
    paused: bool = False
    """It is held or paused by a decision before, and not only until the voice is silent for a moment."""


@dataclass(frozen=True, slots=True)
class OutputFacts:
    """What can be done."""

    can_pause: bool
    by_voice: bool = True
    """Voice alone may interrupt: not while an echo canceller warms up."""


def decide(turn: TurnFacts, speech: SpeechFacts, options: SessionOptions, output: OutputFacts) -> Decision:
    """What the user's speech so far does to the current speech.

    Args:
        turn: what the user does.
        speech: the current speech. One that is not heard yet is not cut off by voice alone, unless its first sound may
            come at any moment and cannot be held back.
        options: thresholds, and whether to pause at all.
        output: what the output can do.
    """
    if not speech.allowed:
        return Decision.IGNORE
    enough = turn.words is None or turn.words >= options.min_interruption_words
    if turn.final and speech.paused:
        return Decision.CUT  # it was no noise, however few the words
    interruption = turn.judged is Judged.INTERRUPTION
    long = enough and (interruption or turn.duration >= options.min_interruption_duration)
    by_voice = output.by_voice and turn.judged in (Judged.NOTHING, Judged.INTERRUPTION)
    pausing = pausing_wanted(options) and turn.words is not None
    if speech.audible:
        if not long or not by_voice or not (turn.speaking or turn.final or interruption):
            return Decision.IGNORE
        return Decision.PAUSE if pausing and output.can_pause and not turn.final else Decision.CUT
    if not turn.speaking:
        return Decision.IGNORE
    interrupts = long and by_voice
    if speech.granted and not (output.can_pause and pausing):
        return Decision.CUT if interrupts else Decision.IGNORE
    if interrupts and pausing:
        return Decision.PAUSE
    return Decision.IGNORE if turn.hushed and not speech.paused else Decision.HOLD


def pausing_wanted(options: SessionOptions) -> bool:
    """Whether an interruption by voice pauses rather than cuts."""
    return options.resume_false_interruption and options.false_interruption_timeout is not None
