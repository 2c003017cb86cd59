"""When the floor hears that the user wants to speak: often enough to decide, and no oftener. Pure, tested as a table.

Whether the agent is then cut off is the floor's policy (:mod:`.interruption`).
"""

from __future__ import annotations

from sessionactors.messages.turn import InterruptionWanted


def worth_telling(wish: InterruptionWanted, told: InterruptionWanted | None, min_duration: float) -> bool:
    """Whether the floor may decide otherwise on this wish than on the last one it was told of this stretch of speech.

    Args:
        wish: duration and words now.
        told: the last one told; None: none yet.
        min_duration: seconds of speech below which no wish counts.
    """
    if wish.final:
        return True
    if wish.duration < min_duration:
        return False
    return told is None or wish.words != told.words
