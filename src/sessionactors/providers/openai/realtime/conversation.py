"""One conversation with the server: what it says, as events of ours, and what it knows. No I/O.

Used by the session, which sends what is to be sent. A piece that cannot be read costs that piece, not the conversation.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from openai.types.realtime import (
    ConversationItem,
    ConversationItemAdded,
    ConversationItemCreatedEvent,
    ConversationItemDeletedEvent,
    ConversationItemInputAudioTranscriptionCompletedEvent,
    ConversationItemInputAudioTranscriptionDeltaEvent,
    ConversationItemInputAudioTranscriptionFailedEvent,
    InputAudioBufferSpeechStartedEvent,
    InputAudioBufferSpeechStoppedEvent,
    RealtimeConversationItemFunctionCall,
    RealtimeErrorEvent,
    RealtimeResponse,
    ResponseAudioDeltaEvent,
    ResponseAudioTranscriptDeltaEvent,
    ResponseContentPartAddedEvent,
    ResponseCreatedEvent,
    ResponseDoneEvent,
    ResponseOutputItemDoneEvent,
    ResponseTextDeltaEvent,
    SessionUpdatedEvent,
)
from openai.types.realtime.log_prob_properties import LogProbProperties

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.interfaces.realtime import (
    GenerationCreated,
    InputAudioTranscriptionCompleted,
    InputSpeechStarted,
    InputSpeechStopped,
    RealtimeEvent,
    RealtimeSessionError,
    RealtimeUsage,
    RemoteItemAdded,
    ResponseAudio,
    ResponseDone,
    ResponseText,
    ResponseToolCall,
)
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError, APIError

from .answers import Answers
from .failures import EXPIRED, is_fatal, of_response, of_server
from .items import from_wire
from .outgoing import SAMPLE_RATE
from .remote import RemoteConversation, RemoteItem
from .server_events import ServerEvent

UsersEvent: TypeAlias = (
    InputAudioBufferSpeechStartedEvent
    | InputAudioBufferSpeechStoppedEvent
    | ConversationItemInputAudioTranscriptionDeltaEvent
    | ConversationItemInputAudioTranscriptionCompletedEvent
    | ConversationItemInputAudioTranscriptionFailedEvent
)
ResponsesEvent: TypeAlias = (
    ResponseAudioDeltaEvent
    | ResponseAudioTranscriptDeltaEvent
    | ResponseTextDeltaEvent
    | ResponseCreatedEvent
    | ResponseContentPartAddedEvent
    | ResponseOutputItemDoneEvent
    | ResponseDoneEvent
)

REQUEST = "request"
"""Key of a response's metadata under which it carries the request that it answers."""
NOTHING_TO_CANCEL = "response_cancel_not_active"
NOTHING_TO_COMMIT = "input_audio_buffer_commit_empty"
THERE_ALREADY = "item_create_duplicate_item_id"


@dataclass(slots=True)
class Conversation:
    """What is known on this side.

    Args:
        label: whose, for people.
        wall: seconds since the epoch.
        transcribes: whether the server says what the user said.
    """

    label: str
    wall: Callable[[], float]
    transcribes: bool
    remote: RemoteConversation = field(default_factory=RemoteConversation)
    answers: Answers = field(default_factory=Answers)
    running: str = ""
    """The response that the server is at work on; empty: none."""
    user_speaks: bool = False
    """As far as the server hears."""
    _said: dict[str, str] = field(default_factory=dict)
    """Words so far, of messages of the running response."""
    _heard: dict[str, str] = field(default_factory=dict)
    """Words so far, of what the user said."""
    _cut: set[str] = field(default_factory=set)
    """Messages of the running response that were shortened."""
    parts: dict[str, int] = field(default_factory=dict)
    """Which part of a message is its sound, where it is not the first."""

    def begin_again(self, items: Iterable[RemoteItem]) -> None:
        """Another connection, whose server is told these."""
        self.remote = RemoteConversation(items)
        self.running, self.user_speaks = "", False
        self._said.clear()
        self._heard.clear()
        self.parts.clear()

    def cut(self, message: str, heard: str) -> None:
        """Of a message no more than this was heard; words of it that still come are not added."""
        self._said.pop(message, None)
        self._cut.add(message)
        self.remote.says(message, heard)

    def take(self, event: ServerEvent) -> Iterator[RealtimeEvent]:
        """What an event of the server's means.

        Raises:
            APIError: it ends the session.
        """
        match event:
            case ConversationItemAdded() | ConversationItemCreatedEvent():
                yield from self._added(event.item, event.previous_item_id)
            case ConversationItemDeletedEvent():
                self.answers.deleted(event.item_id)
                self.remote.deleted(event.item_id)
            case SessionUpdatedEvent():
                self.answers.settings_taken()
            case RealtimeErrorEvent():
                yield from self._error(event)
            case (
                InputAudioBufferSpeechStartedEvent()
                | InputAudioBufferSpeechStoppedEvent()
                | ConversationItemInputAudioTranscriptionDeltaEvent()
                | ConversationItemInputAudioTranscriptionCompletedEvent()
                | ConversationItemInputAudioTranscriptionFailedEvent()
            ):
                yield from self._of_user(event)
            case _:
                yield from self._of_response(event)

    # -- the user ----------------------------------------------------------------------------------------------------

    def _of_user(self, event: UsersEvent) -> Iterator[RealtimeEvent]:
        match event:
            case InputAudioBufferSpeechStartedEvent():
                self.user_speaks = True
                yield InputSpeechStarted(event.item_id or "")
            case InputAudioBufferSpeechStoppedEvent():
                self.user_speaks = False
                yield InputSpeechStopped(self.transcribes, event.item_id or "")
            case ConversationItemInputAudioTranscriptionDeltaEvent():
                heard = self._heard[event.item_id] = self._heard.get(event.item_id, "") + (event.delta or "")
                yield InputAudioTranscriptionCompleted(event.item_id, heard, is_final=False)
            case ConversationItemInputAudioTranscriptionCompletedEvent():
                self._heard.pop(event.item_id, None)
                self.remote.says(event.item_id, event.transcript.strip())
                confidence = _confidence(event.logprobs)
                yield InputAudioTranscriptionCompleted(event.item_id, event.transcript, True, confidence)
            case ConversationItemInputAudioTranscriptionFailedEvent():
                yield from self._not_understood(event)

    # -- responses ---------------------------------------------------------------------------------------------------

    def _of_response(self, event: ResponsesEvent) -> Iterator[RealtimeEvent]:
        match event:
            case ResponseAudioDeltaEvent():
                frame = AudioFrame(base64.b64decode(event.delta, validate=True), SAMPLE_RATE)
                yield ResponseAudio(event.response_id, event.item_id, frame)
            case ResponseAudioTranscriptDeltaEvent() | ResponseTextDeltaEvent():
                if event.item_id not in self._cut:
                    self._said[event.item_id] = self._said.get(event.item_id, "") + event.delta
                yield ResponseText(event.response_id, event.item_id, event.delta)
            case ResponseCreatedEvent():
                yield self._created(event.response)
            case ResponseContentPartAddedEvent():
                if event.content_index and event.part.type == "audio":
                    self.parts[event.item_id] = event.content_index
            case ResponseOutputItemDoneEvent():
                yield from self._item_done(event)
            case ResponseDoneEvent():
                yield from self._done(event.response)

    def _created(self, response: RealtimeResponse) -> GenerationCreated:
        self.running = response.id or ""
        request = (response.metadata or {}).get(REQUEST)
        if request is not None:
            self.answers.reply_began(request)
        return GenerationCreated(self.running, request)

    def _item_done(self, event: ResponseOutputItemDoneEvent) -> Iterator[RealtimeEvent]:
        item, name = event.item, event.item.id or ""
        if isinstance(item, RealtimeConversationItemFunctionCall):
            self.remote.calls(name, item.arguments or "")
            yield ResponseToolCall(
                event.response_id, FunctionToolCall(item.call_id or "", item.name, item.arguments or "{}")
            )
        elif name in self._said:
            self.remote.says(name, self._said.pop(name))

    def _done(self, response: RealtimeResponse) -> Iterator[RealtimeEvent]:
        name = response.id or ""
        self.running = "" if self.running == name else self.running
        for message, text in self._said.items():  # of messages that were cut off
            self.remote.says(message, text)
        self._said.clear()
        self._cut.clear()
        details = response.status_details
        if response.status == "failed":
            error = of_response(response, self.label)
            yield ResponseDone(name, "failed", _usage(response), error)
            if not error.retryable:
                raise error
            return
        if response.status == "incomplete":  # what there is of it is heard: it is not asked for again
            why = "" if details is None else f": {details.reason}"
            yield RealtimeSessionError(APIError(f"{self.label}: the response is incomplete{why}", retryable=False))
        status: Literal["completed", "cancelled"] = "cancelled" if response.status == "cancelled" else "completed"
        yield ResponseDone(name, status, _usage(response))

    # -- items -------------------------------------------------------------------------------------------------------

    def _added(self, item: ConversationItem, after: str | None) -> Iterator[RealtimeEvent]:
        name = item.id or ""
        ours = self.answers.created(name)
        theirs = from_wire(item, self.wall())
        kept = ours or theirs
        if kept is None or self.remote.get(name) is not None:
            return
        self.remote.added(RemoteItem(name, kept, made_here=ours is not None), after)
        if ours is None:
            yield RemoteItemAdded(kept, after)

    def _not_understood(self, event: ConversationItemInputAudioTranscriptionFailedEvent) -> Iterator[RealtimeEvent]:
        self._heard.pop(event.item_id, None)
        error = event.error
        yield InputAudioTranscriptionCompleted(event.item_id, "", is_final=True)
        told = of_server(error.message or "the transcription failed", error.code, error.type, self.label)
        yield RealtimeSessionError(told)

    # -- errors ------------------------------------------------------------------------------------------------------

    def _error(self, event: RealtimeErrorEvent) -> Iterator[RealtimeEvent]:
        details = event.error
        error = of_server(details.message, details.code, details.type, self.label)
        if details.code == EXPIRED:
            raise APIConnectionError(error.message)
        about = "" if details.event_id is None else details.event_id
        request = self.answers.refused(about, error, there_already=details.code == THERE_ALREADY)
        if request:
            refused = f"refused_{about}"
            yield GenerationCreated(refused, request)
            yield ResponseDone(refused, "failed", error=error)
        if is_fatal(details.code, details.type):
            raise error
        if request is None and details.code not in (NOTHING_TO_CANCEL, NOTHING_TO_COMMIT):
            yield RealtimeSessionError(error)


def _usage(response: RealtimeResponse) -> RealtimeUsage | None:
    usage = response.usage
    if usage is None:
        return None
    read, made = usage.input_token_details, usage.output_token_details
    return RealtimeUsage(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        input_audio_tokens=0 if read is None else read.audio_tokens or 0,
        input_text_tokens=0 if read is None else read.text_tokens or 0,
        input_cached_tokens=0 if read is None else read.cached_tokens or 0,
        output_audio_tokens=0 if made is None else made.audio_tokens or 0,
        output_text_tokens=0 if made is None else made.text_tokens or 0,
    )


def _confidence(logprobs: list[LogProbProperties] | None) -> float | None:
    """0..1: the geometric mean of what the model gave to each token; None: it was not asked to say."""
    if not logprobs:
        return None
    return math.exp(sum(token.logprob for token in logprobs) / len(logprobs))
