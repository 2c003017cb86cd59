"""Requests to the model: a speech asks ``llm``, which answers with deltas, calls and one end."""

from __future__ import annotations

from typing import TypeAlias

from sessionactors.interfaces.audio_node import AudioNode
from sessionactors.interfaces.llm import LLM, ChatChunk, CompletionUsage, FunctionToolCall
from sessionactors.model.chat import ChatItem
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.runtime import Lane, Overflow, Ref, Scope, message


@message(fenced=True)
class TextDelta:
    """The reply grows."""

    request: str
    text: str
    scope: Scope


@message(fenced=True)
class TextFlushed:
    """The model yielded a ``FlushSentinel``: what came before is a segment of its own."""

    request: str
    scope: Scope


@message(fenced=True)
class ToolCallsRequested:
    """The model wants tools to run."""

    request: str
    calls: tuple[FunctionToolCall, ...]
    scope: Scope


@message()
class GenerationDone:
    """The request has ended well."""

    request: str
    usage: CompletionUsage | None
    ttft: float
    """Seconds from the request to the first delta."""
    duration: float
    provider_id: str = ""
    """The provider's name for the request."""


@message()
class GenerationFailed:
    """The request has failed for good, retries included."""

    request: str
    error: BaseException


@message(fenced=True)
class ReplyBegan:
    """The reply has something to be heard, be it sound without words. ``realtime`` to a speech, before all else of it.

    Its first message is ``message_id``: the id that the item shall have in the history, so that the server knows it.
    """

    request: str
    message_id: str
    scope: Scope


LLMAnswer: TypeAlias = ReplyBegan | TextDelta | TextFlushed | ToolCallsRequested | GenerationDone | GenerationFailed


@message(fenced=True)
class GenerateText:
    """Ask the model. Every request that is handled ends in one :class:`GenerationDone` or :class:`GenerationFailed`."""

    request: str
    chat_items: tuple[ChatItem, ...]
    tools: tuple[ToolDefinition, ...]
    tool_choice: ToolChoice
    reply_to: Ref[LLMAnswer]
    speech: str
    scope: Scope
    model: LLM | None = None
    """Who is asked; None: the session's."""
    instructions: str | None = None
    """For this reply only. They end ``chat_items`` too: a realtime model keeps the conversation and takes only them."""
    segment: str = ""
    """What it is heard as, if the model speaks itself."""
    audio_node: AudioNode | None = None
    """What becomes of its audio then."""
    may_be_empty: bool = False
    """An answer without text and calls is none that failed."""
    aside: tuple[ChatItem, ...] = ()
    """Of ``chat_items``, messages for this reply only: a realtime model is told them, and forgets them behind it."""


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda order: order.request)
class CancelGeneration:
    """Stop a request; it answers nothing more."""

    request: str


@message()
class ChunkArrived:
    """``llm``, to itself: a chunk of a running attempt."""

    request: str
    attempt: int
    chunk: ChatChunk


@message()
class AttemptEnded:
    """``llm``, to itself: an attempt ended, well or not."""

    request: str
    attempt: int
    error: BaseException | None


@message()
class AttemptDue:
    """``llm``, to itself: try the request again."""

    request: str


@message()
class AttemptStalled:
    """``llm``, to itself: the provider did not start, or stopped progressing, in time."""

    request: str
    attempt: int
