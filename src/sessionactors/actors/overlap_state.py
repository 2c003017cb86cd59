"""The state of ``overlap`` as a value: the overlap that is being judged, and the transcripts held back meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from sessionactors.interfaces.interruption_detector import InterruptionDetector, Overlap
from sessionactors.messages.ear import FinalTranscript, InterimTranscript, PreflightTranscript, SpeechEnded
from sessionactors.messages.overlap import Judged
from sessionactors.model.audio import AudioFrame
from sessionactors.runtime import NS

Held = FinalTranscript | InterimTranscript | PreflightTranscript

KEPT = 10.0
"""Seconds of audio of one overlap that are kept."""


@dataclass(frozen=True, slots=True)
class OpenOverlap:
    """A stretch of the user's voice over the agent's."""

    number: int
    began_at: int
    ended_at: int | None = None
    judged: Judged = Judged.OPEN
    frames: tuple[AudioFrame, ...] = ()
    seconds: float = 0.0
    """Of audio kept."""
    unasked: float = 0.0
    """Seconds of audio since the detector was asked."""
    finals: tuple[str, ...] = ()
    interim: str = ""
    final: bool = False
    """No more words are waited for."""
    end: SpeechEnded | None = None
    """The end of the voice, held where no words could hold the turn."""
    asking: bool = False
    more: bool = False
    """Something came while the detector was being asked: it is asked again."""
    requests: int = 0
    asked_at: int = 0
    agent_ended: bool = False

    @property
    def transcript(self) -> str:
        """All words so far."""
        return " ".join(text for text in (*self.finals, self.interim) if text)

    def as_seen(self, now: int) -> Overlap:
        """What the detector is shown."""
        until = now if self.ended_at is None else self.ended_at
        duration = max(0, until - self.began_at) / NS
        return Overlap(self.frames, self.transcript, duration, self.ended_at is not None, self.final)


@dataclass(frozen=True, slots=True)
class OverlapState:
    """What is judged, what is held, and the sums."""

    detector: InterruptionDetector
    boundary: tuple[float, float] = (0.0, 0.0)
    """Seconds after the start and before the end of the agent's voice in which any voice interrupts."""
    agent_since: int | None = None
    """Since when the agent speaks; None: it does not."""
    open: OpenOverlap | None = None
    held: tuple[Held, ...] = ()
    """Transcripts that wait for the verdict, in order."""
    failures: int = 0
    """Of the detector, in a row."""
    lost: bool = False
    """The detector has failed for good: all is passed on."""
    overlaps: int = 0
    interruptions: int = 0
    backchannels: int = 0
    held_back: int = 0
    """Final transcripts that were held."""
    released: int = 0
    discarded: int = 0
    """Final transcripts of backchannels."""
