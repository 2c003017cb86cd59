"""To and from ``realtime``: the user's audio and turns, replies asked for, and what was heard of them.

Replies, audio and transcripts go outward as those of ``llm``, ``tts`` and ``stt`` do (:mod:`.llm`, :mod:`.tts`,
:mod:`.ear`); here is only what they have no message for.
"""

from __future__ import annotations

from typing import TypeAlias

from sessionactors.interfaces.audio_node import AudioNode
from sessionactors.interfaces.realtime import RealtimeEvent, RealtimeSession
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatItem
from sessionactors.runtime import Lane, Overflow, Ref, Scope, message

from .ear import HALF_A_SECOND, FinalTranscript, InterimTranscript, NoWords, SpeechEnded, SpeechStarted
from .llm import LLMAnswer

HeardByModel: TypeAlias = SpeechStarted | SpeechEnded | InterimTranscript | FinalTranscript | NoWords


@message()
class EarOpened:
    """A participant can be heard: tell its ``turn`` what the model hears of them. Ear to ``realtime``."""

    participant: str
    turn: Ref[HeardByModel]


@message()
class EarClosed:
    """A participant has left and was heard to the end: another one may be on the line. Ear to ``realtime``."""

    participant: str


@message(overflow=Overflow.DROP_OLDEST, limit=HALF_A_SECOND)
class UserAudio:
    """A participant's audio, mono at the rate that the model wants. ``input`` to ``realtime``."""

    participant: str
    frame: AudioFrame


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class UserBegan:
    """The client hears a participant speak. ``turn`` to ``realtime``."""

    participant: str


@message()
class CommitUserAudio:
    """What was heard is a turn: a reply to it may be asked for. ``turn`` to ``realtime``."""

    participant: str
    started_at: int | None = None
    """When the user began to speak, if that is known: the transcript may come much later."""
    ended_at: int | None = None


@message()
class ClearUserAudio:
    """Forget what was heard since the last turn. ``turn`` to ``realtime``."""

    participant: str


@message()
class ContextGrew:
    """The model's context has new items at its end. ``history`` to ``realtime``."""

    items: tuple[ChatItem, ...]


@message()
class ServeAgent:
    """Converse as this agent from now on: another one is in charge, or it has been changed. ``history``.

    The items are all that it remembers. What differs from what the server has is changed there, if the model can.
    """

    agent: UserAgent
    items: tuple[ChatItem, ...]
    handoff: bool
    """Another agent is in charge: what cannot be changed takes a new session."""
    rewritten: bool
    """The conversation is another one; else it has only grown, of which :class:`ContextGrew` tells."""


@message()
class ServerBeganReply:
    """The server has begun a response that nobody asked for. ``realtime`` to ``agent``, which makes a speech of it."""

    response: str


@message()
class AdoptResponse:
    """I am the speech for a response that the server began. Answered as a request is. Speech to ``realtime``."""

    response: str
    request: str
    segment: str
    reply_to: Ref[LLMAnswer]
    speech: str
    scope: Scope
    audio_node: AudioNode | None = None
    """What becomes of the audio."""


@message()
class SayText:
    """Speak this text as it is. Answered as a request is. Speech to ``realtime``."""

    request: str
    text: str
    segment: str
    reply_to: Ref[LLMAnswer]
    speech: str
    scope: Scope
    audio_node: AudioNode | None = None
    """What becomes of the audio."""


@message()
class SegmentHeard:
    """How much of a segment was heard: the server's message is cut to that. ``output`` (or the speech) to ``realtime``.

    Exactly once for each segment that ``realtime`` has a part in.
    """

    segment: str
    heard: str
    position: float
    """Seconds."""
    interrupted: bool


@message(fenced=True)
class RealtimeSaid:
    """``realtime``, to itself: an event of the running session."""

    event: RealtimeEvent
    scope: Scope


@message(fenced=True)
class RealtimeOpened:
    """``realtime``, to itself: the session has been given instructions, conversation and tools."""

    session: RealtimeSession
    scope: Scope


@message(fenced=True)
class RealtimeRefused:
    """``realtime``, to itself: a call of the session failed, or did not return in time."""

    call: str
    error: Exception
    request: str | None
    """The request that depended on it."""
    scope: Scope


@message()
class RealtimeEnded:
    """``realtime``, to itself: the session ended or failed."""

    connection: str
    error: BaseException | None


@message()
class RealtimeDue:
    """``realtime``, to itself: make the next session now."""


@message()
class ReplyStalled:
    """``realtime``, to itself: a response did not begin, or stopped, in time."""

    request: str


@message()
class ReplyUnclaimed:
    """``realtime``, to itself: no speech has adopted a response of the server's."""

    response: str


@message()
class ReplyDue:
    """``realtime``, to itself: ask for a reply again."""

    request: str


@message(fenced=True)
class NodeMade:
    """``realtime``, to itself: audio of a reply as the agent's node has made it."""

    request: str
    frame: AudioFrame
    scope: Scope


@message()
class NodeEnded:
    """``realtime``, to itself: the agent's node is done with a reply, or raised, or hangs."""

    request: str
    error: BaseException | None
