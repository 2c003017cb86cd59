"""The state of ``stt`` as a value: the stream, how far it has come, and how the finals ended."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from sessionactors.interfaces.recognition_context import NO_CONTEXT, RecognitionContext
from sessionactors.runtime import NS, Scope

from .recognition_progress import RecognitionProgress


class Stage(Enum):
    """What becomes of the next frame."""

    IDLE = "idle"
    """It opens a stream."""
    LISTENING = "listening"
    """The stream hears it."""
    WAITING = "waiting"
    """A failed stream waits to be opened again: the frame is in the ring of ``input``."""
    REPLAYING = "replaying"
    """``input`` was asked for the audio so far: the frame will be part of it."""


@dataclass(frozen=True, slots=True)
class STTState:
    """The stream, its progress, and how the finals ended."""

    stage: Stage = Stage.IDLE
    context: RecognitionContext = NO_CONTEXT
    """What the recogniser may know of the conversation."""
    stream: Scope | None = None
    opened_at: int = 0
    fed: float = 0.0
    """Seconds of audio that the stream was given."""
    fed_at: int = 0
    """When it was given the last of it, ns: the end of that audio."""
    progress: RecognitionProgress = field(default_factory=RecognitionProgress)
    flowing: bool = False
    """Audio came since the last pause."""
    interim: str = ""
    """Words that no final covers yet."""
    shown_at: int = 0
    """Kernel clock: when the first of them came."""
    untaken: int = 0
    """Flushes that the recogniser has not read."""
    known: tuple[str, ...] = ()
    """Finals that the stream may repeat, because they were delivered and it hears their audio again."""
    failures: int = 0
    """Streams lost since the last final."""
    since_final: float = 0.0
    """Seconds of audio."""
    reports_usage: bool = False
    """The recogniser says itself what it bills."""
    finals: int = 0
    empty: int = 0
    resets: int = 0
    """How often what was heard was given up."""
    replayed: int = 0
    """Finals discarded because they had been delivered."""
    lost_frames: int = 0
    """Frames that the ring had forgotten when they were asked for."""

    def moment(self, position: float | None, now: int) -> int:
        """When a position in the stream's audio was spoken, ns.

        Args:
            position: seconds from the stream's beginning; None, or no number: not known, taken for now.
            now: kernel clock, ns; nothing was spoken later, nor before the stream's first audio.
        """
        if position is None or not math.isfinite(position):
            return now
        return min(now, self.fed_at - round((self.fed - max(0.0, position)) * NS))
