"""What a :class:`.ScriptedRealtime` is to do, as values: its replies, what the user says, and how it behaves."""

from __future__ import annotations

from dataclasses import dataclass, field

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.interfaces.realtime import RealtimeUsage
from sessionactors.model.audio import AudioFrame

from .scripted_hearing import Timeline

USAGE = RealtimeUsage(input_tokens=10, output_tokens=20, output_audio_tokens=20)
"""Tokens of any reply."""
NEAR = 0.1
"""Seconds of audio before a moment that must have been pushed for it to be heard."""


@dataclass(frozen=True, slots=True)
class ScriptedResponse:
    """One reply."""

    text: str = ""
    ttft: float = 0.3
    """Seconds from the request, or the end of the user's turn, to the first sound."""
    tool_calls: tuple[FunctionToolCall, ...] = ()
    error: Exception | None = None
    """It fails with this, behind ``after`` seconds of audio."""
    hang: bool = False
    """It goes on never, behind ``after`` seconds of audio."""
    after: float | None = None
    """Seconds of audio; None: all of it."""
    usage: RealtimeUsage = USAGE


@dataclass(frozen=True, slots=True)
class HeardSaying:
    """Something the user says."""

    text: str
    at: float
    until: float
    line: int = 0
    """Level of the silence on the line of who says it: so lines are told apart."""


@dataclass(slots=True)
class HeardTime:
    """Of which times audio was pushed."""

    timeline: Timeline
    pushed: list[tuple[float, float, int]] = field(default_factory=list)
    """From, until, and whose line."""

    def push(self, frame: AudioFrame) -> None:
        """A frame has just come, complete."""
        self.timeline.begin(frame)
        now = self.timeline.now()
        begin = now - frame.duration
        line = int.from_bytes(frame.data[:2], "little", signed=True)
        last = self.pushed[-1] if self.pushed else None
        if last is not None and last[2] == line and begin - last[1] < frame.duration:
            self.pushed[-1] = (last[0], now, line)
        else:
            self.pushed.append((begin, now, line))

    def heard(self, moment: float, line: int = 0) -> bool:
        """Whether the audio of a line just before a moment was pushed."""
        return any(begin <= moment and end >= moment - NEAR and whose == line for begin, end, whose in self.pushed)
