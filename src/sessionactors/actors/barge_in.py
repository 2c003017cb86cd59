"""When the floor hears that the user wants to speak: often enough to decide, and no oftener. Pure, tested as a table.

Whether the agent is then cut off is the floor's policy (:mod:`.interruption`).
"""

from __future__ import annotations

from sessionactors.messages.turn import InterruptionWanted
from sessionactors.runtime import NS


def word_count(*texts: str) -> int:
    """Words in all the texts."""
    return sum(len(text.split()) for text in texts)


def spoken_for(deciding: bool, began: int, ended: int | None) -> float:
    """Seconds of the stretch of speech that a late final belongs to; 0.0 when it belongs to none that was noticed.

    Args:
        deciding: the user fell silent, and what was said is waited for.
        began: when the stretch set in, ns.
        ended: when it ended, ns; None: not known.
    """
    return max(0, ended - began) / NS if deciding and ended is not None else 0.0


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
