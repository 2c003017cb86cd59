"""What ``tts`` knows: the open segments, those that are over, and the sums. Frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sessionactors.interfaces.tts import TTS
from sessionactors.messages.tts import ResendText, SegmentAudioEnded, SynthesisFailed
from sessionactors.model.errors import APITimeoutError
from sessionactors.model.metrics import TTSMetrics
from sessionactors.runtime import NS, Ref, Scope
from sessionactors.runtime.frozen import replace

from .component_metadata import metadata_of
from .segment_text import SegmentText
from .synthesis_attempt import Attempt
from .withheld_audio import WithheldAudio

REMEMBERED = 64
"""Segments that are remembered when they are over, and credits that came before their text: control overtakes data."""


@dataclass(frozen=True, slots=True)
class SpokenSegment:
    """A segment from its first text to the last audio handed over."""

    name: str
    speech: str
    scope: Scope
    since: int
    """When its first text came."""
    text: SegmentText
    audio: WithheldAudio
    reply_to: Ref[ResendText]
    voice: TTS | None = None
    received: int = 0
    """Characters of the text that have come."""
    attempt: Attempt | None = None
    """The running one."""
    attempts: int = 0
    """How many there were: the number of the newest one."""
    failures: int = 0
    retrying: bool = False
    """It waits to be tried again."""
    resume_at: int = 0
    """Where in the spoken text the next attempt begins."""
    doubt: Exception | None = None
    """Why nobody knows whether the text before ``resume_at`` has been said."""
    handed_at: int | None = None
    """When the voice got the first text."""
    first_audio_at: int | None = None

    @property
    def has_words_left(self) -> bool:
        """Whether there is text for another attempt."""
        return not self.text.is_silent_after(self.resume_at)

    @property
    def seconds_held(self) -> float:
        """Seconds of audio that wait for credit."""
        return (self.audio.received - self.audio.handed) / self.audio.rate

    @property
    def own_budget(self) -> float | None:
        """``answers_within`` of its voice."""
        return None if self.voice is None else self.voice.answers_within

    @property
    def waits_for_us(self) -> bool:
        """The voice has nothing to do: it waits for text, or for credit."""
        return self.attempt is None or self.attempt.wanting or not self.audio.room

    def paced(self, now: int) -> SpokenSegment:
        """What the voice does has changed, or it has spoken: with its pace until now."""
        attempt = self.attempt
        if attempt is None or self.audio.received <= attempt.samples_from:
            return self
        return replace(self, attempt=replace(attempt, pace=attempt.pace.at(now, works=not self.waits_for_us)))

    def slowness(self) -> APITimeoutError | None:
        """What is to be told of a voice that speaks slower than it is heard."""
        if self.attempt is None or not self.attempt.pace.is_news:
            return None
        late, spoken = self.attempt.pace.seconds_late, self.audio.received / self.audio.rate
        pauses = f"{late:.1f} s of silence in {spoken:.1f} s of {self.name}"
        return APITimeoutError(f"{self.label} speaks slower than it is heard: {pauses}")

    def named_as_slow(self) -> SpokenSegment:
        """It has been told."""
        attempt = self.attempt
        return self if attempt is None else replace(self, attempt=replace(attempt, pace=attempt.pace.as_named()))

    @property
    def label(self) -> str:
        """Of its voice."""
        return "tts" if self.voice is None else self.voice.label

    def with_text(self, text: str, offset: int) -> SpokenSegment:
        """More text, of which some may be here already; after the end there is none."""
        new = text[max(0, self.received - offset) :]
        if self.text.ended or not new:
            return self
        return replace(self, text=self.text.push(new), received=self.received + len(new))

    def with_end(self) -> SpokenSegment:
        """The text is complete."""
        return self if self.text.ended else replace(self, text=self.text.end())

    def metrics(self, now: int, wall: float, *, cancelled: bool) -> TTSMetrics:
        """What it took until now (kernel clock nanoseconds; ``wall``: the same, seconds since the epoch)."""
        began, first = self.handed_at, self.first_audio_at
        return TTSMetrics(
            label=self.label,
            segment_id=self.name,
            speech_id=self.speech,
            ttfb=-1.0 if first is None or began is None else (first - began) / NS,
            audio_duration=self.audio.received / self.audio.rate,
            characters_count=self.text.spoken_length,
            cancelled=cancelled,
            duration=0.0 if began is None else (now - began) / NS,
            request_id=self.name,
            timestamp=wall,
            metadata=metadata_of(self.voice),
        )

    def phase(self) -> str:
        """What it waits for, for people."""
        if self.attempt is None:
            if self.retrying:
                return "waiting to try again"
            return "waiting for credit" if self.text.ended else "waiting for text"
        if self.attempt.wanting:
            return "the voice waits for text"
        return "the voice speaks" if self.audio.room else "waiting for credit"


@dataclass(frozen=True, slots=True)
class TTSState:
    """What is open, and the sums."""

    segments: Mapping[str, SpokenSegment] = field(default_factory=dict)
    ended: tuple[str, ...] = ()
    """The newest segments that ended, failed or were cancelled."""
    early_credit: Mapping[str, float] = field(default_factory=dict)
    """Seconds for segments whose text has not come."""
    untold: Mapping[str, SynthesisFailed | SegmentAudioEnded] = field(default_factory=dict)
    """How those of them ended that ``output`` had not begun to play: it is told again when it wants them."""
    failing: bool = False
    """The last segment failed for good: the next success is a recovery."""
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0

    def running(self, name: str, number: int) -> tuple[SpokenSegment | None, Attempt | None]:
        """The segment and its attempt, if that attempt is the running one."""
        segment = self.segments.get(name)
        if segment is None or segment.attempt is None or segment.attempt.number != number:
            return None, None
        return segment, segment.attempt

    def holding(self, segment: SpokenSegment) -> TTSState:
        """With this segment as it is now."""
        early = {name: credit for name, credit in self.early_credit.items() if name != segment.name}
        return replace(self, segments={**self.segments, segment.name: segment}, early_credit=early)

    def without(self, name: str, untold: SynthesisFailed | SegmentAudioEnded | None = None) -> TTSState:
        """That segment is over, or is not to begin; ``untold``: how, if ``output`` knows nothing of it yet."""
        ends = {other: end for other, end in self.untold.items() if other != name and other in self.ended}
        return replace(
            self,
            untold=ends if untold is None else {**ends, name: untold},
            segments={other: segment for other, segment in self.segments.items() if other != name},
            early_credit={other: credit for other, credit in self.early_credit.items() if other != name},
            ended=self.ended if name in self.ended else (*self.ended, name)[-REMEMBERED:],
        )

    def with_early_credit(self, name: str, seconds: float) -> TTSState:
        """Credit for a segment that is not open; the oldest gives way."""
        if name in self.ended:
            return self
        early = {**self.early_credit, name: max(seconds, self.early_credit.get(name, 0.0))}
        while len(early) > REMEMBERED:
            del early[next(iter(early))]
        return replace(self, early_credit=early)

    def facts(self) -> Mapping[str, object]:
        """For people who inspect it."""
        return {
            "open": {
                name: {
                    "phase": segment.phase(),
                    "attempts": segment.attempts,
                    "held": round(segment.seconds_held, 3),
                    "handed": round(segment.audio.handed / segment.audio.rate, 3),
                    "credit": round(segment.audio.credit / segment.audio.rate, 3),
                }
                for name, segment in self.segments.items()
            },
            "done": self.done,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "retried": self.retried,
        }
