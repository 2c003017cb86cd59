"""When the user's voice cuts the agent off. One pure function of turn, speech and options, tested as a table (P7)."""

from __future__ import annotations

from sessionactors.messages.turn import InterruptionWanted
from sessionactors.model.options import SessionOptions


def interrupts(wish: InterruptionWanted, *, allowed: bool, audible: bool, options: SessionOptions) -> bool:
    """Whether the user's speech so far interrupts the current speech.

    Args:
        wish: how long and how much the user has spoken.
        allowed: the speech allows interruptions.
        audible: the speech is being heard. One that is not yet heard is not cut off by voice alone: it waits until the
            user is silent, and is superseded if the user's turn turns out to say something.
        options: thresholds.
    """
    if not allowed or not audible:
        return False
    if wish.duration < options.min_interruption_duration:
        return False
    enough_words = wish.words is None or wish.words >= options.min_interruption_words
    return options.min_interruption_words == 0 or enough_words
