"""A caller who follows a script and reacts to the agent: waits for it to finish, or speaks over it.

For demonstrations and tests with natural timing, which a recording cannot have. It knows of the agent only what a
caller knows: when its voice is heard and when it falls silent. And it gives only what a caller gives: audio on an open
line (or, in a room for text, typed lines).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sessionactors.interfaces.audio_io import (
    AudioSink,
    PlaybackFinished,
    PlaybackStarted,
    SinkCallback,
    SinkEvent,
)
from sessionactors.interfaces.transport import TranscriptSegment, Transport, TransportEvents
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import OptionError, SessionStateError

from .memory_source import MemorySource
from .playout import PacedPlayout

AGENT = "agent"


@dataclass(frozen=True, slots=True)
class CallerLine:
    """One thing the caller says.

    Raises:
        OptionError: a time is negative.
    """

    text: str
    """What is typed, or what the audio says."""
    audio: AudioFrame | None = None
    """Any length, rate and channel count; None to type the text."""
    pause: float = 0.7
    """Seconds for which the agent has been silent when the caller begins, >= 0."""
    into_reply: float | None = None
    """Speak over the agent's next reply, so many seconds (>= 0) after it has begun; None: let the agent finish."""

    def __post_init__(self) -> None:
        for name, value in (("pause", self.pause), ("into_reply", self.into_reply)):
            if value is not None and value < 0:
                raise OptionError(f"{name} must be >= 0 seconds, got {value}")


class ScriptedCaller(Transport):
    """One caller with lines to say, who hangs up after the agent's last answer.

    Args:
        lines: in order; all with audio, or all without.
        participant: identity of the caller.
        sample_rate: Hertz > 0 of the agent's audio.
        line_rate: Hertz > 0 of the caller's line while nobody speaks.
        hang_up_after: seconds >= 0 of silence of the agent after which the caller hangs up.
        patience: seconds > 0 without a word of the agent after which the caller goes on all the same.
        on_transcript: shown every published transcript, on the actor loop; must not block.

    Raises:
        OptionError: there are no lines, some have audio and some have not, or a number is out of range.
    """

    label = "scripted-caller"

    def __init__(
        self,
        lines: Sequence[CallerLine],
        *,
        participant: str = "caller",
        sample_rate: int = 24000,
        line_rate: int = 16000,
        hang_up_after: float = 1.0,
        patience: float = 10.0,
        on_transcript: Callable[[TranscriptSegment], None] | None = None,
    ) -> None:
        voiced = {line.audio is not None for line in lines}
        if len(voiced) != 1:
            raise OptionError("a scripted caller needs lines: all of them with audio, or all without")
        if hang_up_after < 0 or patience <= 0 or line_rate <= 0:
            raise OptionError("hang_up_after must be >= 0 seconds, patience and line_rate > 0")
        self._lines = tuple(lines)
        self._participant = participant
        self._hang_up_after = hang_up_after
        self._patience = patience
        self._on_transcript = on_transcript
        self._source = MemorySource(silence_rate=line_rate) if True in voiced else None
        self._sink = _Ear(sample_rate, self._on_sound) if True in voiced else None
        self._events: TransportEvents | None = None
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0
        self._talking = False
        self._agent_talks = False
        self._answered = False
        """The agent has been heard since the caller's last line."""
        self._spoken: list[tuple[CallerLine, float]] = []

    @property
    def spoken(self) -> tuple[tuple[CallerLine, float], ...]:
        """The lines said so far, each with the loop time in seconds at which it was begun."""
        return tuple(self._spoken)

    async def connect(self, events: TransportEvents) -> None:
        """Report the caller, who waits for the agent to say something.

        Raises:
            SessionStateError: it was connected or closed before.
        """
        if self._events is not None or self._closed:
            raise SessionStateError("a ScriptedCaller is connected once: make another one for the next session")
        self._events = events
        events.participant_joined(self._participant, self._source)
        self._wait(self._patience)

    @property
    def audio_sink(self) -> AudioSink | None:
        return self._sink

    def publish_transcript(self, segment: TranscriptSegment) -> None:
        if self._on_transcript is not None:
            self._on_transcript(segment)
        if self._sink is None and segment.participant == AGENT:
            if not self._agent_talks:
                self._agent_began()
            if segment.final:
                self._agent_fell_silent()

    async def aclose(self) -> None:
        self._closed = True
        self._wait(None)
        if self._source is not None:
            self._source.stop()
        if self._sink is not None:
            self._sink.close()

    # -- what the caller hears ---------------------------------------------------------------------------------------

    def _on_sound(self, event: SinkEvent) -> None:
        if isinstance(event, PlaybackStarted):
            self._agent_began()
        elif isinstance(event, PlaybackFinished):
            self._agent_fell_silent()

    def _agent_began(self) -> None:
        self._agent_talks = self._answered = True
        if not self._talking:
            # Speak over it, or else wait until it is silent, however long it talks.
            self._wait(None if self._over() else self._lines[self._next].into_reply)

    def _agent_fell_silent(self) -> None:
        self._agent_talks = False
        if self._answered and not self._talking:
            self._wait(self._hang_up_after if self._over() else self._lines[self._next].pause)

    # -- what the caller does ----------------------------------------------------------------------------------------

    def _over(self) -> bool:
        return self._next == len(self._lines)

    def _wait(self, seconds: float | None) -> None:
        """Go on after so many seconds, unless something is heard before; None: only when something is heard."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        if self._closed or self._events is None:
            return
        if self._over():
            self._hang_up(self._events)
            return
        line = self._lines[self._next]
        self._next += 1
        loop = asyncio.get_running_loop()
        self._spoken.append((line, loop.time()))
        if line.audio is None or self._source is None:
            self._events.text_received(self._participant, line.text)
            self._line_done()
            return
        self._talking = True
        self._source.play(line.audio)
        self._timer = loop.call_later(line.audio.duration, self._line_done)

    def _line_done(self) -> None:
        self._talking = False
        self._answered = self._agent_talks
        self._wait(None if self._agent_talks else self._patience)

    def _hang_up(self, events: TransportEvents) -> None:
        if self._source is not None:
            self._source.end()
        events.participant_left(self._participant, "hung up")


class _Ear(PacedPlayout):
    """Plays the agent's voice without sound, and lets the caller hear it."""

    label = "scripted-caller"

    def __init__(self, sample_rate: int, hear: Callable[[SinkEvent], None]) -> None:
        super().__init__(sample_rate=sample_rate)
        self._hear = hear

    def attach(self, on_event: SinkCallback) -> None:
        def heard(event: SinkEvent) -> None:
            on_event(event)
            self._hear(event)

        super().attach(heard)
