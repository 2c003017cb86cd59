"""Recognition of an utterance that is over: one request over HTTP, through the SDK."""

from __future__ import annotations

import io
import wave
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.types.listen_v1response import ListenV1Response

from sessionactors.interfaces.stt import RecognizedWord, SpeechData, SpeechEvent, SpeechEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIError
from sessionactors.providers.sdk_http import ONE_TRY, our_errors

from .endpoint import REQUEST_ID
from .listen_options import ListenOptions
from .live_transcript import main_speaker, speaker_name


async def recognize_recorded(
    client: AsyncDeepgramClient, audio: Sequence[AudioFrame], options: ListenOptions, language: str, label: str
) -> SpeechEvent:
    """The words of an utterance, as one final.

    Args:
        client: of the running loop.
        audio: mono frames of one rate, in order.
        options: of the recogniser.
        language: of the speech; not told if it is to be detected.
        label: whose request it is, for people.

    Raises:
        APIError: the request failed, or its answer cannot be read.
    """
    if not sum(len(frame.data) for frame in audio):
        return SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, language=language)
    transcribe = cast("Callable[..., Awaitable[ListenV1Response]]", client.listen.v1.media.transcribe_file)
    async with our_errors(label, ApiError, REQUEST_ID):
        try:
            heard = await transcribe(request=_wav(audio), **_request(options, language))
            return _final(heard, language)
        except (AttributeError, TypeError, ValueError, LookupError):
            raise APIError(f"{label}: the answer cannot be read") from None


def _request(options: ListenOptions, language: str) -> dict[str, Any]:
    request: dict[str, Any] = {
        "model": options.model,
        "punctuate": options.punctuate,
        "smart_format": options.smart_format,
        "filler_words": options.filler_words,
        "profanity_filter": options.profanity_filter,
        "numerals": options.numerals,
        "mip_opt_out": options.mip_opt_out,
        "request_options": ONE_TRY,
        **({"detect_language": True} if options.detect_language else {"language": language}),
    }
    if options.enable_diarization:
        request["diarize"] = True
    if options.dictation:
        request["dictation"] = True
    several = {
        "keywords": [f"{word}:{boost:g}" for word, boost in options.keywords],
        "keyterm": list(options.keyterm),
        "tag": list(options.tags),
        "redact": list(options.redact),
        "replace": [f"{found}:{put}" for found, put in options.replace.items()],
        "search": list(options.search),
    }
    return {**request, **{name: values for name, values in several.items() if values}}


def _final(heard: ListenV1Response, asked: str) -> SpeechEvent:
    channel = heard.results.channels[0]
    alternatives = tuple(
        SpeechData(
            language=channel.detected_language or (found.languages[0] if found.languages else asked),
            text=found.transcript or "",
            start_time=words[0].start_time if words else None,
            end_time=words[-1].end_time if words else None,
            confidence=found.confidence,
            speaker_id=main_speaker(words),
            words=words,
        )
        for found in channel.alternatives or ()
        for words in (_words(found.words or ()),)
    )
    request_id = heard.metadata.request_id
    return SpeechEvent(
        SpeechEventType.FINAL_TRANSCRIPT, language=asked, request_id=request_id, alternatives=alternatives
    )


def _words(found: Sequence[Any]) -> tuple[RecognizedWord, ...]:
    """The SDK's type leaves out how a word is written; it keeps what it does not know."""
    return tuple(
        RecognizedWord(
            getattr(word, "punctuated_word", None) or word.word,
            word.start,
            word.end,
            word.confidence,
            speaker_name(word.speaker),
        )
        for word in found
    )


def _wav(audio: Sequence[AudioFrame]) -> bytes:
    """As a file: Deepgram reads the rate from it."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(audio[0].sample_rate)
        out.writeframes(b"".join(frame.data for frame in audio))
    return file.getvalue()
