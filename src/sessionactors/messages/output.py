"""Playout: a speech opens segments at ``output``; ``output`` reports what was heard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from sessionactors.interfaces.audio_io import AudioSink, SinkEvent
from sessionactors.interfaces.text_io import TextSink
from sessionactors.interfaces.text_node import TextNode
from sessionactors.model.chat import ChatMessage
from sessionactors.model.metrics import Metadata
from sessionactors.runtime import Lane, Overflow, Ref, Scope, message

from .llm import GenerationDone
from .realtime import SegmentHeard
from .tts import AudioCredit, CancelSynthesis


@message()
class PlayoutStarted:
    """The first of a segment reached the listener: sound, or text when there is no sound."""

    segment: str
    at: int


@message()
class PlayoutFinished:
    """A segment is over; exactly once for each :class:`PlaySegment`."""

    segment: str
    heard: str
    """The text that was heard: all of it, or the prefix up to the cut."""
    position: float
    """Seconds played."""
    interrupted: bool
    at: int
    """When it ceased to be heard."""
    error: BaseException | None = None
    """What went wrong, if it could not be played."""
    item: ChatMessage | None = None
    """What was heard of the message, as ``output`` has given it to ``history``; None when nothing was, or not yet."""
    message_open: bool = False
    """Further segments of the message are expected: it is not in the history yet."""


@message()
class MessageKept:
    """A message is complete, though no segment of it ended just now. ``output`` to its speech."""

    message: str
    item: ChatMessage | None
    """As it has been given to ``history``; None when nothing of it was heard."""


@message()
class MessagePending:
    """``output``, after a fault, to a speech: it knows no more of a message than what was heard of it. Is it over?"""

    message: str


PlayoutReport: TypeAlias = PlayoutStarted | PlayoutFinished | MessageKept | MessagePending


@dataclass(frozen=True, slots=True)
class GenerationMarks:
    """When the text of a segment came about (kernel clock nanoseconds), for the metrics of its item."""

    user_stopped_at: int | None = None
    """When the user whom it answers ceased to speak."""
    requested_at: int | None = None
    """When the model was asked."""
    first_text_at: int | None = None
    last_text_at: int | None = None
    tokens: int = 0
    """Of the completion; 0 while it is not known."""
    request_ids: tuple[str, ...] = ()
    """The provider's names for the requests."""
    model: Metadata | None = None

    def generated(self, done: GenerationDone) -> GenerationMarks:
        """The model has said all."""
        tokens = 0 if done.usage is None else done.usage.completion_tokens
        return replace(self, tokens=tokens, request_ids=(done.provider_id,) if done.provider_id else ())

    def with_text(self, at: int) -> GenerationMarks:
        """More text came."""
        return replace(self, first_text_at=at if self.first_text_at is None else self.first_text_at, last_text_at=at)


GENERATION_UNMARKED = GenerationMarks()
"""Nothing is known (yet)."""


@message()
class PlaySegment:
    """Play a segment when the ones before it are done. It accounts: answered also when its scope is closed."""

    segment: str
    speech: str
    with_audio: bool
    reply_to: Ref[PlayoutReport]
    scope: Scope
    granted_at: int = 0
    """When the floor was granted: the time of the item."""
    add_to_context: bool = True
    """Whether the model will see what was heard."""
    marks: GenerationMarks = GENERATION_UNMARKED
    agent: str = ""
    """Key of the agent that speaks: what was heard enters its context."""
    message: str = ""
    """The segments of one message make one item of the history; empty: it is a message of its own."""
    voice: Ref[AudioCredit | CancelSynthesis] | None = None
    """Who brings the audio, and is told how much may come; None: ``tts``."""
    aligned: bool = False
    """The voice says when each word has been spoken: one of which it says nothing was not heard."""
    heard_to: Ref[SegmentHeard] | None = None
    """A realtime model that must know what was heard, to cut its own memory of it."""
    item_id: str = ""
    """The id of the message's item, if a realtime model has given it one."""
    text_node: TextNode | None = None
    """What is shown of its text, the user's own code makes; None: the text is shown."""
    marked: bool = False
    """Its text may have markers that steer the voice: nobody reads them."""
    timed_text: bool = False
    """That code is given the words as the voice says when they are spoken."""


@message(fenced=True)
class SegmentText:
    """More text of a segment, to be shown and to be credited when heard. Speech to ``output``."""

    segment: str
    text: str
    scope: Scope


@message(fenced=True)
class SegmentTextEnded:
    """The text of a segment is complete. Speech to ``output``."""

    segment: str
    scope: Scope
    marks: GenerationMarks | None = None
    """What is known now that was not when the segment was opened."""
    last: bool = True
    """No further segment of its message follows."""


@message()
class MessageEnded:
    """No further segment of a message follows the ones that were given. Speech to ``output``."""

    message: str


@message()
class AttachSink:
    """Play through this sink from now on (None: there is no sound)."""

    sink: AudioSink | None


@message()
class AttachText:
    """Show the agent's words here from now on (None: in the room)."""

    sink: TextSink | None


@message()
class SinkReported:
    """The sink, from any thread: started, progressed or finished."""

    sink: AudioSink
    event: SinkEvent


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class SetOutputEnabled:
    """Let audio or transcript out, or not. From the session."""

    audio: bool
    transcription: bool


@message()
class PlayoutOverdue:
    """``output``, to itself: the sink reports nothing although it should."""

    segment: str
