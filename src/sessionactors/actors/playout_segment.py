"""Segments of playout as values: what each is, and where it is on its way to the listener."""

from __future__ import annotations

from dataclasses import dataclass, field

from sessionactors.interfaces.audio_io import AudioSink, PlaybackFinished
from sessionactors.interfaces.text_io import TextSink
from sessionactors.interfaces.tts import WordTiming
from sessionactors.messages.floor import SilenceSpeech
from sessionactors.messages.output import (
    GENERATION_UNMARKED,
    GenerationMarks,
    PlayoutReport,
)
from sessionactors.messages.realtime import SegmentHeard
from sessionactors.messages.tts import AudioCredit, CancelSynthesis, SynthesisMarks
from sessionactors.runtime import NS, Ref, Scope
from sessionactors.runtime.frozen import replace

from .heard import heard_length
from .markers import outside, readable
from .node_text import NodeText
from .spoken_message import SpokenMessages


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of agent speech on its way to the listener."""

    id: str
    speech: str
    with_audio: bool
    reply_to: Ref[PlayoutReport]
    scope: Scope
    voice: Ref[AudioCredit | CancelSynthesis]
    """Who brings its audio."""
    aligned: bool = False
    heard_to: Ref[SegmentHeard] | None = None
    text: str = ""
    text_ended: bool = False
    anchors: tuple[WordTiming, ...] = ()
    written: float = 0.0
    """Seconds handed to the sink."""
    audio_ended: bool = False
    sink: AudioSink | None = None
    """Where it plays."""
    started: bool = False
    position: float = 0.0
    """Seconds the sink reported played."""
    shown: int = 0
    """Characters of what there is to read that have been shown."""
    cut: bool = False
    """It was cleared: what the sink reports last, exactly, is waited for."""
    silence: SilenceSpeech | None = None
    """The order by which it was cut, if it was an order."""
    error: BaseException | None = None
    text_marks: GenerationMarks = GENERATION_UNMARKED
    audio_marks: SynthesisMarks | None = None
    forwarded_at: int | None = None
    """When the sink was given the first frame."""
    started_at: int | None = None
    """When the first of it was heard, or shown."""
    held_at: int | None = None
    """Since when its sink holds it."""
    marked: bool = False
    """Its text may have markers that steer the voice."""
    node: NodeText | None = None
    """User code that makes of the text what is shown; None: the text is shown."""
    sound_end: PlaybackFinished | None = None
    """All of it has been heard; its node has not ended yet."""

    @property
    def to_read(self) -> str:
        """What there is to read of it: this is shown, and kept."""
        return self.text if self.node is None else self.node.shown(self.text)

    @property
    def is_complete(self) -> bool:
        """Whether nothing more comes to be read."""
        return self.text_ended and (self.node is None or self.node.ended)

    @property
    def source_complete(self) -> bool:
        """Whether its node can be given no more than it has been given, and what is there."""
        timed = self.node is not None and self.node.timed
        return self.sound_end is not None or (self.text_ended and (self.audio_ended or not timed))

    def heard_at(self, position: float, audio_end: float | None = None, speed: float = 1.0) -> int:
        """How many characters of the text have been heard after so many seconds."""
        return heard_length(self.text, self.anchors, position, audio_end, speed, aligned=self.aligned)

    def read_at(self, position: float, audio_end: float | None = None, speed: float = 1.0) -> int:
        """How many characters of what there is to read go with what has been heard after so many seconds."""
        heard = self.heard_at(position, audio_end, speed)
        place = heard if self.node is None else self.node.place(self.text, heard, position)
        return outside(self.to_read, place) if self.marked else place

    def shown_between(self, start: int, end: int, *, final: bool) -> str:
        """What people see of a stretch of what there is to read; ``final``: nothing follows it."""
        if not self.marked:
            return self.to_read[start:end]
        before = readable(self.to_read[:start], final=False)
        return readable(self.to_read[:end], final=final)[len(before) :]


@dataclass(frozen=True, slots=True)
class OutputState:
    """What plays, what waits, and the sums."""

    sink: AudioSink | None = None
    text_sink: TextSink | None = None
    segments: tuple[Segment, ...] = ()
    """The first one is heard; the others wait."""
    messages: SpokenMessages = field(default_factory=SpokenMessages)
    """What was heard of messages that are not in the history yet."""
    audio_enabled: bool = True
    transcription_enabled: bool = True
    synthesised: float = 0.0
    """Seconds of audio that reached this actor. Equals played + discarded when nothing is open (promise P8)."""
    played: float = 0.0
    discarded: float = 0.0
    held: str | None = None
    """The speech that is paused, if one is."""
    pause_order: int = 0
    """Number of the latest order to pause or to go on."""
    late_frames: int = 0
    """Frames for segments that are over."""


def find(state: OutputState, name: str) -> Segment | None:
    """The open segment of this name."""
    return next((segment for segment in state.segments if segment.id == name), None)


def update(state: OutputState, name: str, **changes: object) -> OutputState:
    """The same with one segment changed."""
    return replace(
        state,
        segments=tuple(
            replace(segment, **changes) if segment.id == name else segment  # type: ignore[arg-type]
            for segment in state.segments
        ),
    )


def ceased_at(segment: Segment, now: int, position: float) -> int:
    """When a segment that is over ceased to be heard: now, or when it was held before it was cut off.

    Not before its beginning and what was heard of it: reports of a beginning come late, and both are on one axis.
    """
    if segment.silence is None or segment.held_at is None:
        return now
    least = segment.held_at if segment.started_at is None else segment.started_at + round(position * NS)
    return max(segment.held_at, least)
