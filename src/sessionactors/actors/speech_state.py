"""The state of one speech as a value: its step, its text in segments, its tool calls, its open accounts."""

from __future__ import annotations

from dataclasses import dataclass

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.output import GENERATION_UNMARKED, GenerationMarks
from sessionactors.messages.tools import ToolAnswered, ToolFinished
from sessionactors.messages.tts import AudioCredit, CancelSynthesis
from sessionactors.model.chat import (
    FunctionCall,
)
from sessionactors.model.tool_arguments import canonical_arguments
from sessionactors.model.tools import ToolFlag
from sessionactors.runtime import Ref, Scope
from sessionactors.runtime.frozen import replace

REVIEW_WITHIN = 1.0
"""Seconds in which the user's callbacks may cancel the reply to tools; then it follows: no silence for ever."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One tool call of a step."""

    call: FunctionCall
    told: bool = False
    finished: ToolFinished | ToolAnswered | None = None


@dataclass(frozen=True, slots=True)
class TextSegment:
    """A stretch of the step's text with a synthesis and a playout of its own."""

    name: str
    text: str = ""
    ended: bool = False
    """No more of its text comes."""
    voiced: int = 0
    """Characters that the voice has been given."""
    opened: bool = False
    """It was given to ``output``."""
    closed: bool = False
    """``output`` has reported its end."""


@dataclass(frozen=True, slots=True)
class SpeechState:
    """Where the speech is."""

    step: int = 1
    agent: UserAgent | None = None
    """As it is for this step's request."""
    scope: Scope | None = None
    """The step's."""
    recording: Ref[AudioCredit | CancelSynthesis] | None = None
    """Who reads the audio that the speech was given, instead of a voice."""
    item_id: str = ""
    """The id that a realtime model has given to what is said in this step; empty until it has begun."""
    speculative: bool = False
    """It has not been promoted yet."""
    mute: bool = False
    """The voice is not asked before that."""
    pieces: int = 0
    """Pieces of text that the model gave."""
    segments: tuple[TextSegment, ...] = ()
    """The step's text so far."""
    text_ended: bool = False
    message_open: bool = False
    """``output`` has yet to say that the step's message is complete."""
    wanted: bool = False
    """The floor was asked for in this step."""
    granted: bool = False
    granted_at: int = 0
    calls: tuple[CallRecord, ...] = ()
    reviewing: bool = False
    """The user's callbacks look at what the tools gave; then the reply to it follows, or not."""
    own: frozenset[str] = frozenset()
    """Ids of the items that this speech has added to the history, in all steps."""
    reply_wanted: bool = False
    """What the tools gave is to be answered, if no callback objects."""
    handoff: UserAgent | None = None
    """Whom a tool returned: takes over, if no callback objects."""
    handing_over: bool = False
    """Another agent takes over: what follows is without tools."""
    interrupted: bool = False
    released: bool = False
    heard: bool = False
    """What the step says has been heard, or will not be; people have been told."""
    settled: bool = False
    """The floor has been told that the speech is over."""
    marks: GenerationMarks = GENERATION_UNMARKED
    """When the step's text came about."""
    error: BaseException | None = None

    @property
    def playing(self) -> bool:
        """Whether ``output`` owes a report."""
        return self.message_open or any(segment.opened and not segment.closed for segment in self.segments)

    @property
    def unheard(self) -> bool:
        """Whether there is something that waits for the floor."""
        return any(not segment.opened for segment in self.segments)

    @property
    def characters(self) -> int:
        """Of the step's text so far."""
        return sum(len(segment.text) for segment in self.segments)

    def with_segment(self, changed: TextSegment) -> SpeechState:
        """With this segment as it is now: in its place, or as the last one."""
        if not any(segment.name == changed.name for segment in self.segments):
            return replace(self, segments=(*self.segments, changed))
        segments = tuple(changed if segment.name == changed.name else segment for segment in self.segments)
        return replace(self, segments=segments)

    def segment(self, name: str) -> TextSegment | None:
        """The segment of this name, if it is of this step."""
        return next((segment for segment in self.segments if segment.name == name), None)


def record_of(call: FunctionToolCall, item_id: str, at: float) -> CallRecord:
    """What the model asked for, as it will be kept: with arguments that any provider can read again."""
    arguments = canonical_arguments(call.arguments)
    return CallRecord(FunctionCall(call.call_id, call.name, arguments, item_id, at, call.extra))


def starts(record: CallRecord, state: SpeechState, agent: UserAgent) -> bool:
    """Whether ``tools`` may have the call now, or has it.

    What cannot be undone waits until the words before it have been heard: so long the user may say no. After an
    interruption ``tools`` answers ``cancelled`` at once.
    """
    if record.told or state.interrupted:
        return True
    if ToolFlag.IRREVERSIBLE not in agent.rules_of(record.call).flags:
        return True
    return state.text_ended and not state.playing and not state.unheard
