"""What the server sends, as the SDK's types: parsed without trust, and without the cost of a check for each sound."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, TypeAlias

from openai.types.realtime import (
    ConversationItemAdded,
    ConversationItemCreatedEvent,
    ConversationItemDeletedEvent,
    ConversationItemInputAudioTranscriptionCompletedEvent,
    ConversationItemInputAudioTranscriptionDeltaEvent,
    ConversationItemInputAudioTranscriptionFailedEvent,
    InputAudioBufferSpeechStartedEvent,
    InputAudioBufferSpeechStoppedEvent,
    RealtimeErrorEvent,
    ResponseAudioDeltaEvent,
    ResponseAudioTranscriptDeltaEvent,
    ResponseContentPartAddedEvent,
    ResponseCreatedEvent,
    ResponseDoneEvent,
    ResponseOutputItemDoneEvent,
    ResponseTextDeltaEvent,
    SessionUpdatedEvent,
)

from sessionactors.model.errors import APIError

ServerEvent: TypeAlias = (
    ConversationItemAdded
    | ConversationItemCreatedEvent
    | ConversationItemDeletedEvent
    | ConversationItemInputAudioTranscriptionCompletedEvent
    | ConversationItemInputAudioTranscriptionDeltaEvent
    | ConversationItemInputAudioTranscriptionFailedEvent
    | InputAudioBufferSpeechStartedEvent
    | InputAudioBufferSpeechStoppedEvent
    | RealtimeErrorEvent
    | ResponseAudioDeltaEvent
    | ResponseAudioTranscriptDeltaEvent
    | ResponseContentPartAddedEvent
    | ResponseCreatedEvent
    | ResponseDoneEvent
    | ResponseOutputItemDoneEvent
    | ResponseTextDeltaEvent
    | SessionUpdatedEvent
)
"""What is made something of; other events are left alone, as a server may tell of more than we know."""

_TYPES: Final[Mapping[str, type[ServerEvent]]] = {
    "conversation.item.added": ConversationItemAdded,
    "conversation.item.created": ConversationItemCreatedEvent,
    "conversation.item.deleted": ConversationItemDeletedEvent,
    "conversation.item.input_audio_transcription.completed": ConversationItemInputAudioTranscriptionCompletedEvent,
    "conversation.item.input_audio_transcription.delta": ConversationItemInputAudioTranscriptionDeltaEvent,
    "conversation.item.input_audio_transcription.failed": ConversationItemInputAudioTranscriptionFailedEvent,
    "input_audio_buffer.speech_started": InputAudioBufferSpeechStartedEvent,
    "input_audio_buffer.speech_stopped": InputAudioBufferSpeechStoppedEvent,
    "error": RealtimeErrorEvent,
    "response.output_audio.delta": ResponseAudioDeltaEvent,
    "response.output_audio_transcript.delta": ResponseAudioTranscriptDeltaEvent,
    "response.content_part.added": ResponseContentPartAddedEvent,
    "response.created": ResponseCreatedEvent,
    "response.done": ResponseDoneEvent,
    "response.output_item.done": ResponseOutputItemDoneEvent,
    "response.output_text.delta": ResponseTextDeltaEvent,
    "session.updated": SessionUpdatedEvent,
}

_EARLIER_NAMES: Final[Mapping[str, str]] = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.text.delta": "response.output_text.delta",
}
"""Of the protocol before its release, which some compatible servers still speak."""


def parse(data: bytes | str) -> ServerEvent | None:
    """The event; None: one that nothing is made of.

    Raises:
        APIError: it is no event at all.
    """
    try:
        raw = json.loads(data)
    except ValueError as error:
        raise APIError(f"the server sent what is no JSON: {error}") from error
    name = raw.get("type") if isinstance(raw, dict) else None
    if not isinstance(name, str):
        raise APIError("the server sent an event without a type")
    kind = _TYPES.get(_EARLIER_NAMES.get(name, name))
    return None if kind is None else kind.construct(None, **raw)
