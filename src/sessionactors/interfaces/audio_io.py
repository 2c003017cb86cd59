"""Where a session's audio comes from and goes to: the ports that transports implement.

All methods here are called from the actor loop, must return at once, and never call back into the caller: what a
source or sink has to say, it says through the callbacks it was given, from any thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import SessionStateError

FrameCallback: TypeAlias = Callable[[AudioFrame], None]


class AudioSource(ABC):
    """Audio of one participant."""

    label: str = "audio-source"

    @abstractmethod
    def start(self, on_frame: FrameCallback, on_end: Callable[[], None]) -> None:
        """Begin to deliver frames (10 to 100 ms each, any rate and channel count), paced in real time.

        ``on_frame`` and ``on_end`` are thread-safe and never block.
        """

    @abstractmethod
    def stop(self) -> None:
        """Deliver nothing more. Safe to call twice."""


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    """The first sample of a segment reached the listener's side."""

    segment: str


@dataclass(frozen=True, slots=True)
class PlaybackProgressed:
    """More of a segment was played."""

    segment: str
    position: float
    """Seconds of the segment played so far."""


@dataclass(frozen=True, slots=True)
class PlaybackFinished:
    """A segment ended: exactly once for every segment that was begun."""

    segment: str
    position: float
    """Seconds of the segment that were played."""
    interrupted: bool
    """True when it was cleared before its end."""
    synchronized_transcript: str | None = None
    """The text that was heard, from a sink that knows; None: it is reckoned from the position."""


SinkEvent: TypeAlias = PlaybackStarted | PlaybackProgressed | PlaybackFinished
SinkCallback: TypeAlias = Callable[[SinkEvent], None]


class AudioSink(ABC):
    """A place where audio is played, one segment after the other.

    A segment is the audio of one stretch of agent speech. Segments are named by the caller; every call says which
    one it means, so a frame that comes late for a cleared segment is refused by name and not played.
    """

    label: str = "audio-sink"
    sample_rate: int = 24000
    """Hertz of the mono frames it takes; the session resamples."""
    position_error: float = 0.0
    """Seconds by which reported positions may be off; 0 for a sink that counts samples."""
    can_pause: bool = False
    """Whether a segment can be held and gone on with; False: who interrupts the agent cuts it off."""

    @abstractmethod
    def attach(self, on_event: SinkCallback) -> None:
        """Report events to ``on_event`` (thread-safe, never blocks) from now on."""

    @abstractmethod
    def begin(self, segment: str) -> None:
        """Open a segment. At most one is open for writing."""

    @abstractmethod
    def write(self, segment: str, frame: AudioFrame) -> None:
        """Queue a frame at the end of the open segment. Frames of any other segment are ignored and counted."""

    @abstractmethod
    def end(self, segment: str) -> None:
        """No more frames for the segment: report :class:`PlaybackFinished` when the last sample was played."""

    @abstractmethod
    def clear(self, segment: str) -> None:
        """Stop the segment now: drop what was not played, then report ``PlaybackFinished(interrupted=True)``.

        Does nothing for a segment that has finished already.
        """

    def pause(self, segment: str) -> None:
        """Be silent within the segment, also before its first sample, until :meth:`resume` or :meth:`clear`.

        Reports the exact position by :class:`PlaybackProgressed` if anything was played since the last report. Frames
        are still taken. Does nothing for a segment that is not there or is paused. Called only if :attr:`can_pause`.
        """
        raise SessionStateError(f"{self.label} cannot pause {segment}: its can_pause is {self.can_pause}")

    def resume(self, segment: str) -> None:
        """Go on at the first sample that was not reported as played. Does nothing for a segment that is not paused."""
        raise SessionStateError(f"{self.label} cannot resume {segment}: its can_pause is {self.can_pause}")

    @abstractmethod
    def mute(self) -> None:
        """Be silent at once, until the next :meth:`begin`. Thread-safe: the watchdog calls it when the loop hangs."""

    @property
    @abstractmethod
    def refused(self) -> int:
        """Frames refused because their segment was not open."""

    def detach(self) -> None:
        """Another sink has taken its place, or the session has ended: nothing more comes once all is reported."""

    @abstractmethod
    def close(self) -> None:
        """Stop playing and release the device or file. Safe to call twice."""
