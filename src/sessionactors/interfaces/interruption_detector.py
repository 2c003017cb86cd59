"""Telling interruptions from listening noises: who says "mm-hm" while the agent speaks does not want the floor.

A detector proposes; ``floor`` decides. It is asked about one overlap, a stretch of the user's voice over the agent's,
whenever more of it is known: every tenth of a second of voice, with new words, and when the voice has ended.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from sessionactors.model.audio import AudioFrame

from .home import Home


@dataclass(frozen=True, slots=True)
class Overlap:
    """What is known of one stretch of the user's voice over the agent's."""

    audio: tuple[AudioFrame, ...]
    """Mono, at the detector's rate, from the onset of the voice on (the last ten seconds); empty if it wants none."""
    transcript: str
    """Words so far, interim ones too."""
    duration: float
    """Seconds of voice so far."""
    ended: bool
    """The voice has ended: no more audio comes, words may."""
    final: bool
    """No more words come either."""


@dataclass(frozen=True, slots=True)
class OverlapVerdict:
    """What a detector thinks."""

    is_interruption: bool
    """False: a backchannel, by which the user only says that they listen."""
    probability: float
    """0..1 that it is an interruption."""


class InterruptionDetector(ABC):
    """Says whether an overlap is an interruption. Give it as ``turn_handling={"interruption": {"mode": detector}}``."""

    home: ClassVar[Home] = Home.ACTOR
    label: str = "interruption_detector"
    judges_overlaps: bool = True
    sample_rate: int | None = None
    """Hertz of the audio that it wants; None: it goes by duration and words."""

    @abstractmethod
    async def judge(self, overlap: Overlap) -> OverlapVerdict | None:
        """An opinion on the overlap so far, or None while it is too early for one.

        That it is an interruption counts at once; that it is a backchannel counts when the voice has ended.

        Raises:
            APIError: the detector failed. One that is not ``retryable``, or several in a row, end its use in this
                session: from then on any voice that is long enough interrupts.
        """
