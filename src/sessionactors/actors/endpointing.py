"""When a turn ends: how long the user must be silent. Pure, tested as a table.

The delay counts from the end of speech, not from when something was noticed: a late transcript does not wait twice.
"""

from __future__ import annotations

from enum import Enum

from sessionactors.model.options import SessionOptions
from sessionactors.runtime import NS


class Wait(Enum):
    """What a silent user's turn waits for."""

    NOTHING = "nothing"
    """There are no words and there will be none."""
    WORDS = "words"
    """Words are owed: no final yet, or newer words than the last final."""
    OPINION = "opinion"
    """The turn detector has not been heard about this transcript."""
    SILENCE = "silence"
    """The user must stay silent for a while."""


def waits_for(*, recognised: bool, finals: int, interim: str, opinion_wanted: bool) -> Wait:
    """What the turn of a user who fell silent waits for next.

    Args:
        recognised: there is a recogniser.
        finals: final transcripts of the turn so far.
        interim: words that no final covers yet. A turn that ended before their final would cut the sentence in two.
        opinion_wanted: there is a turn detector, and it has said nothing about this transcript.
    """
    if not recognised:
        return Wait.NOTHING
    if not finals or interim:
        return Wait.WORDS
    return Wait.OPINION if opinion_wanted else Wait.SILENCE


def silence_needed(options: SessionOptions, probability: float | None, threshold: float) -> float:
    """Seconds of silence that end a turn with words.

    Args:
        options: the two delays.
        probability: 0..1 that the turn is over; None without a detector, or when it failed.
        threshold: below it the turn is unlikely to be over.
    """
    unlikely = probability is not None and probability < threshold
    return options.max_endpointing_delay if unlikely else options.min_endpointing_delay


def seconds_left(anchor: int, delay: float, now: int) -> float:
    """Seconds from ``now`` until ``delay`` seconds behind ``anchor`` (kernel clock, ns); 0.0 when that has passed."""
    return max(0.0, delay - (now - anchor) / NS)
