"""Synthesis over HTTP, a sentence a request, with times: for models and networks that have no WebSocket."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import Any, cast

from elevenlabs.client import AsyncElevenLabs
from elevenlabs.core.api_error import ApiError
from elevenlabs.types.pronunciation_dictionary_version_locator import PronunciationDictionaryVersionLocator
from elevenlabs.types.streaming_audio_chunk_with_timestamps_response import StreamingAudioChunkWithTimestampsResponse
from elevenlabs.types.voice_settings import VoiceSettings

from sessionactors.interfaces.tts import SynthesizedAudio
from sessionactors.model.errors import APIError
from sessionactors.providers.sdk_http import ONE_TRY, generators_closed, our_errors

from .char_alignment import CharAlignment
from .endpoint import REQUEST_ID
from .spoken_pieces import SpokenPieces
from .voice_options import VoiceOptions

REMEMBERED = 400
"""Characters that were said before, which a request is told for its intonation."""


async def speak_by_http(
    client: AsyncElevenLabs, text: AsyncIterable[str], options: VoiceOptions, label: str
) -> AsyncGenerator[SynthesizedAudio, None]:
    """Audio for the text.

    Args:
        client: of the running loop.
        text: in pieces of about a sentence.
        options: of the voice.
        label: whose request it is, for people.

    Raises:
        APIError: the voice failed.
    """
    alignment = CharAlignment()
    pieces = SpokenPieces(options.sample_rate, alignment)
    before = ""
    async for sentence in text:
        alignment.push(sentence)
        if not sentence.strip():
            continue
        begin = pieces.seconds
        async with our_errors(label, ApiError, REQUEST_ID):
            asked = client.text_to_speech.stream_with_timestamps(**_request(sentence, before, options))
            try:
                async with aclosing(
                    cast("AsyncGenerator[StreamingAudioChunkWithTimestampsResponse, None]", asked)
                ) as chunks:
                    async for chunk in chunks:
                        for audio in _audio(chunk, begin, alignment, pieces, label, options):
                            yield audio
            finally:
                await generators_closed()
        before = (before + sentence)[-REMEMBERED:]
    alignment.end()
    for audio in pieces.rest():
        yield audio


def _audio(
    chunk: StreamingAudioChunkWithTimestampsResponse,
    begin: float,
    alignment: CharAlignment,
    pieces: SpokenPieces,
    label: str,
    options: VoiceOptions,
) -> list[SynthesizedAudio]:
    try:
        pcm = base64.b64decode(chunk.audio_base_64, validate=True)
        times = chunk.alignment if options.sync_alignment else None
        ends = [] if times is None else [begin + end for end in times.character_end_times_seconds]
        return list(pieces.timed(pcm, () if times is None else alignment.words_by(times.characters, ends)))
    except (TypeError, ValueError, AttributeError):
        raise APIError(f"{label}: a piece of audio cannot be read: {str(chunk)[:200]}") from None


def _request(sentence: str, before: str, options: VoiceOptions) -> dict[str, Any]:
    request: dict[str, Any] = {
        "voice_id": options.voice_id,
        "text": sentence,
        "model_id": options.model,
        "output_format": options.encoding,
        "enable_logging": options.enable_logging,
        "apply_text_normalization": options.apply_text_normalization,
        "request_options": ONE_TRY,
    }
    if options.by_socket and before:
        request["previous_text"] = before  # the others do not take it
    if options.language is not None:
        request["language_code"] = options.language
    if options.streaming_latency is not None:
        request["optimize_streaming_latency"] = options.streaming_latency
    if options.apply_language_text_normalization is not None:
        request["apply_language_text_normalization"] = options.apply_language_text_normalization
    if options.voice_settings is not None:
        request["voice_settings"] = VoiceSettings(**options.voice_settings.given())
    if options.pronunciation_dictionary_locators:
        request["pronunciation_dictionary_locators"] = [
            PronunciationDictionaryVersionLocator(
                pronunciation_dictionary_id=known.pronunciation_dictionary_id, version_id=known.version_id
            )
            for known in options.pronunciation_dictionary_locators
        ]
    return request
