"""Synthesis: a speech gives text to ``tts``; the audio goes to ``output``, by credit."""

from __future__ import annotations

from dataclasses import dataclass

from sessionactors.interfaces.tts import TTS, SynthesizedAudio, WordTiming
from sessionactors.model.audio import AudioFrame
from sessionactors.model.metrics import Metadata
from sessionactors.runtime import Lane, Overflow, Ref, Scope, message


@message()
class ResendText:
    """Some text of a segment did not arrive. ``tts`` to the speech."""

    segment: str
    after: int
    """So many characters are there."""


@message(fenced=True)
class SpeakText:
    """More text of a segment. Speech to ``tts``."""

    segment: str
    speech: str
    text: str
    scope: Scope
    offset: int
    """Where in the segment's text it begins: shows when a piece before it was lost."""
    reply_to: Ref[ResendText]
    voice: TTS | None = None
    """Who speaks; None: the session's voice."""


@message(fenced=True)
class EndOfText:
    """The text of a segment is complete. Speech to ``tts``."""

    segment: str
    scope: Scope
    length: int
    """Of all of it: shows when the last piece was lost."""
    reply_to: Ref[ResendText]


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda order: order.segment)
class CancelSynthesis:
    """Stop a segment; nothing more comes of it. To ``tts``."""

    segment: str


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda credit: credit.segment)
class AudioCredit:
    """So much audio of a segment may be handed over, counted from its start. ``output`` to ``tts``."""

    segment: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SynthesisMarks:
    """When a segment's synthesis got on (kernel clock nanoseconds), for the metrics of its item."""

    handed_at: int | None
    """When the voice got the first text."""
    first_audio_at: int | None
    voice: Metadata | None = None


@message(fenced=True)
class SegmentAudio:
    """Audio of a segment. ``tts`` to ``output``."""

    segment: str
    frame: AudioFrame
    timings: tuple[WordTiming, ...]
    """Of the words that end in the frame: places in the segment's text, seconds of its audio; ascending."""
    scope: Scope
    marks: SynthesisMarks | None = None
    """With the first of a segment."""


@message(fenced=True)
class SegmentAudioEnded:
    """The audio of a segment is complete. ``tts`` to ``output``."""

    segment: str
    scope: Scope


@message()
class SynthesisFailed:
    """A segment cannot be synthesised, retries included. ``tts`` to its speech by way of ``output``."""

    segment: str
    error: BaseException


@message()
class TextWanted:
    """``tts``, to itself: the voice has taken all it was given and asks for more text."""

    segment: str
    attempt: int


@message(fenced=True)
class AudioSynthesized:
    """``tts``, to itself: audio of the running attempt."""

    segment: str
    attempt: int
    audio: SynthesizedAudio
    scope: Scope


@message()
class SynthesisEnded:
    """``tts``, to itself: the attempt ended, well or not."""

    segment: str
    attempt: int
    error: BaseException | None


@message()
class SynthesisStalled:
    """``tts``, to itself: no audio in time although text and credit are there."""

    segment: str
    attempt: int


@message()
class SynthesisDue:
    """``tts``, to itself: try the rest of a segment again."""

    segment: str
