"""When a turn ends: what a silent user's turn waits for, and how long. Pure, tested as tables.

The delay counts from the end of speech, on a clock that does not jump, not from when something was noticed: a late
transcript does not wait twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sessionactors.runtime import NS

from .turn_rules import EndsBy


class Wait(Enum):
    """What a silent user's turn waits for."""

    NOTHING = "nothing"
    """There are no words and there will be none."""
    COMMAND = "command"
    """Somebody else says when it is over."""
    RECOGNIZER = "recognizer"
    """The recogniser has not said that the user is done."""
    WORDS = "words"
    """Words are owed: no final yet, or newer words than the last final."""
    OPINION = "opinion"
    """The turn detector has not been heard about this turn."""
    SILENCE = "silence"
    """The user must stay silent for a while."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about a turn whose user is silent."""

    recognised: bool
    """There is a recogniser."""
    finals: int
    """Final transcripts of the turn so far."""
    interim: str = ""
    """Words that no final covers yet. A turn that ended before their final would cut the sentence in two."""
    recognizer_ended: bool = False
    """The recogniser has said that the user is done."""
    opinion_wanted: bool = False
    """There is a turn detector, and it has said nothing about the turn as it is now."""
    heard: bool = False
    """A realtime model hears the audio itself: without a recogniser, no words are needed for a turn."""


def waits_for(ends_by: EndsBy, known: Known) -> Wait:
    """What the turn of a user who fell silent waits for next.

    Args:
        ends_by: what ends turns in this session.
        known: the turn so far.
    """
    if ends_by in (EndsBy.COMMAND, EndsBy.SERVER):
        return Wait.COMMAND
    if not known.recognised and known.heard:
        return Wait.OPINION if known.opinion_wanted else Wait.SILENCE
    if not known.recognised:
        return Wait.NOTHING
    if ends_by is EndsBy.RECOGNIZER and not known.recognizer_ended:
        return Wait.RECOGNIZER
    if not known.finals or known.interim:
        return Wait.WORDS
    return Wait.OPINION if known.opinion_wanted else Wait.SILENCE


def silence_needed(min_delay: float, max_delay: float, probability: float | None, threshold: float | None) -> float:
    """Seconds of silence that end a turn with words.

    Args:
        min_delay: seconds, when the turn seems to be over.
        max_delay: seconds, when it does not.
        probability: 0..1 that the turn is over; None without a detector, or when it failed or took too long.
        threshold: below it the turn is unlikely to be over; None: the language is not supported.
    """
    unlikely = probability is not None and threshold is not None and probability < threshold
    return max_delay if unlikely else min_delay


def seconds_left(anchor: int, delay: float, now: int) -> float:
    """Seconds from ``now`` until ``delay`` seconds behind ``anchor`` (kernel clock, ns); 0.0 when that has passed."""
    return max(0.0, delay - (now - anchor) / NS)
