"""Recognition with ElevenLabs' Scribe over its realtime socket. Retries and deadlines are the session's."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence

from sessionactors.interfaces import stt as port
from sessionactors.interfaces.recognition_context import recognition_context
from sessionactors.interfaces.stt import SpeechEvent, STTCapabilities
from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.providers.recognition_socket import recognize
from sessionactors.providers.vendor_socket import VendorSocket

from .endpoint import Endpoint
from .live_scribe import LiveScribe
from .scribe_options import ScribeOptions, VADOptions


class STT(port.STT):
    """A recogniser that listens to Scribe.

    Without ``server_vad`` the session's VAD says where an utterance ends, and the words are committed there. With it
    ElevenLabs says so (``turn_detection="stt"``).

    Args:
        language_code: of the speech, ISO 639; None: found out.
        secondary_languages: that may be spoken too.
        include_language_detection: say which language was heard; None: if no ``language_code`` is given.
        sample_rate: 8000, 16000, 22050, 24000, 44100 or 48000 hertz; the session resamples to it.
        audio_chunk_duration_ms: 10..1000, milliseconds of audio in a message.
        server_vad: ElevenLabs finds the ends of utterances, with these options; ``{}``: with its own.
        include_timestamps: times of words with each final transcript.
        model: a realtime one.
        keyterms: at most 50 words to expect, of 20 characters; the session adds what it knows.
        no_verbatim: without "uh" and false starts.
        enable_logging: False: ElevenLabs keeps nothing (for customers who may ask so).
        previous_text: what was said before, told once with the first audio.
        api_key: None: ``ELEVEN_API_KEY``, or ``ELEVENLABS_API_KEY``.
        base_url: the API with its version, for a proxy or a region.

    Raises:
        OptionError: no key, or a value that cannot be.
    """

    label = "elevenlabs.STT"
    provider = "elevenlabs"

    def __init__(
        self,
        *,
        language_code: str | None = None,
        secondary_languages: Sequence[str] = (),
        include_language_detection: bool | None = None,
        sample_rate: int = 16000,
        audio_chunk_duration_ms: int = 50,
        server_vad: VADOptions | None = None,
        include_timestamps: bool = False,
        model: str = "scribe_v2_realtime",
        keyterms: Sequence[str] = (),
        no_verbatim: bool = False,
        enable_logging: bool = True,
        previous_text: str | None = None,
        api_key: str | None = None,
        base_url: str = "https://api.elevenlabs.io/v1",
    ) -> None:
        self._endpoint = Endpoint.of(base_url, api_key, self.label)
        detects = language_code is None if include_language_detection is None else include_language_detection
        self._options = ScribeOptions(
            model=model,
            language_code=language_code,
            secondary_languages=tuple(secondary_languages),
            include_language_detection=detects,
            sample_rate=sample_rate,
            audio_chunk_duration_ms=audio_chunk_duration_ms,
            server_vad=server_vad,
            include_timestamps=include_timestamps,
            keyterms=tuple(keyterms),
            no_verbatim=no_verbatim,
            enable_logging=enable_logging,
            previous_text=previous_text,
        )
        self.model = model
        self.sample_rate = sample_rate

    def __repr__(self) -> str:
        return f"<elevenlabs.STT {self.model} at {self._endpoint.url}>"

    @property
    def capabilities(self) -> STTCapabilities:
        options = self._options
        return STTCapabilities(
            aligned_transcript="word" if options.include_timestamps else None,
            end_of_speech=not options.commits_by_hand,
            keyterms=True,
        )

    def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        options = self._options
        language = language or options.language_code
        keyterms = options.with_keyterms(recognition_context(audio).keyterms)
        url = self._endpoint.socket_url("speech-to-text/realtime", options.query(language, keyterms))

        async def connect() -> VendorSocket:
            return await self._endpoint.connect(url)

        return recognize(connect, audio, LiveScribe(self.label, options, language))
