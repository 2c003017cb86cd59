"""The user's voice over the agent's: between ``overlap``, its detector and ``floor``."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from sessionactors.interfaces.interruption_detector import OverlapVerdict
from sessionactors.runtime import Lane, Overflow, message


class Judged(Enum):
    """What a stretch of voice over the agent's is."""

    NOTHING = "nothing"
    """No overlap, or one that nobody judges: any voice that is long enough interrupts."""
    OPEN = "open"
    INTERRUPTION = "interruption"
    BACKCHANNEL = "backchannel"


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda overlap: overlap.participant)
class OverlapJudged:
    """Who speaks over the agent wants the floor, or does not, or it is not known yet. ``overlap`` to ``floor``."""

    participant: str
    judged: Judged
    at: int
    """When the voice set in."""


@message()
class WordsHeld:
    """A final transcript came, and is held until the overlap is judged. ``overlap`` to ``turn``."""


@message()
class HeardBackchannel:
    """The voice that ended over the agent was a listening noise. ``overlap`` to ``turn``."""


OverlapNews: TypeAlias = WordsHeld | HeardBackchannel


@message()
class DetectorJudged:
    """``overlap``, to itself: the detector's opinion on the overlap of this number."""

    overlap: int
    verdict: OverlapVerdict | None
    error: BaseException | None = None


@message()
class OverlapWordsOverdue:
    """``overlap``, to itself: the words of an overlap that has ended do not come."""

    overlap: int


@message()
class VoiceWasNoise:
    """What a realtime model has just heard over the agent was a listening noise: no turn. ``overlap`` to ``turn``."""

    began_at: int
    ended_at: int
    """When the voice ended; where there are no words, :class:`.SpeechEnded` was held until it was judged."""
