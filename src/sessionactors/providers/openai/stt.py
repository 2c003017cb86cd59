"""Recognisers of OpenAI's: whole utterances over HTTP, or streams over a transcription session of the Realtime API."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Self, cast

import openai
from openai.types.audio import Transcription, TranscriptionVerbose

from sessionactors.interfaces import stt as port
from sessionactors.interfaces.recognition_context import recognition_context
from sessionactors.interfaces.stt import RecognitionUsage, SpeechEvent, SpeechEventType, STTCapabilities
from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import NOT_GIVEN, FlushSentinel, NotGivenOr, given
from sessionactors.providers.recognition_socket import recognize
from sessionactors.providers.vendor_socket import VendorSocket

from .clients import ApiKey, AzureOptions, Clients, azure_clients, clients_for
from .live_transcription import SAMPLE_RATE, LiveTranscription
from .sdk_errors import our_error
from .transcription_options import (
    TranscriptionChanges,
    TranscriptionOptions,
    TurnDetection,
    languages_of,
    realtime_only,
    socket_url,
    turn_detection_of,
)
from .whisper_languages import code_of

WHOLE_RATE: Final = 16000
"""Hertz of whole utterances: what the models hear, and what detectors of voice take."""
SHORTEST: Final = 0.1
"""Seconds of audio that the API takes; less has no words in it."""


class STT(port.STT):
    """A recogniser behind OpenAI's API or a compatible endpoint.

    Without ``use_realtime`` it understands whole utterances, each when it is over: what was heard up to a flush,
    silence included. ``stt.StreamAdapter`` of ``providers.adapters`` cuts the utterances out of the audio. With
    ``use_realtime``, words are shown while they are spoken.

    Args:
        language: of the audio, as in ``en``; models with hints take several.
        detect_language: let the model find out; ``language`` does not count then.
        model: its name there.
        prompt: what the audio is about; for ``whisper-1``, words to expect.
        keywords: words to expect, for models with hints; the session adds what it knows (``recognition_context``).
        turn_detection: how the server finds the ends of utterances, as in ``{"type": "server_vad",
            "silence_duration_ms": 350}``, in realtime; None: the session's own detector of voice ends them. Not given:
            ``server_vad``, or None for models that have none.
        noise_reduction_type: ``near_field`` or ``far_field``, in realtime.
        temperature: 0..1, not in realtime.
        api_key: a key, or a coroutine function that gives the one of the moment; None: ``OPENAI_API_KEY``.
        base_url: the endpoint; None: ``OPENAI_BASE_URL``, or OpenAI's.
        client: a client of your own instead, used on your loop, closed by you; its sockets are opened here.
        use_realtime: stream; not given: only for models that are served no other way.
        timeout: seconds that the transport waits for bytes; a backstop, the session's deadlines come first.

    Raises:
        OptionError: no key, neither given nor in the environment, and no ``base_url``; a value out of range, or one
            that the model does not take.
    """

    label = "openai.STT"

    def __init__(
        self,
        *,
        language: str | Sequence[str] = "en",
        detect_language: bool = False,
        model: str = "gpt-4o-mini-transcribe",
        prompt: NotGivenOr[str] = NOT_GIVEN,
        keywords: NotGivenOr[Sequence[str]] = NOT_GIVEN,
        turn_detection: NotGivenOr[TurnDetection | None] = NOT_GIVEN,
        noise_reduction_type: NotGivenOr[str] = NOT_GIVEN,
        temperature: NotGivenOr[float] = NOT_GIVEN,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        client: openai.AsyncOpenAI | None = None,
        use_realtime: NotGivenOr[bool] = NOT_GIVEN,
        timeout: float = 60.0,
        _clients: Clients | None = None,
    ) -> None:
        realtime = given(use_realtime, realtime_only(model))
        self._options = TranscriptionOptions(
            model=model,
            languages=languages_of(language, detect=detect_language),
            realtime=realtime,
            prompt=given(prompt, ""),
            keywords=tuple(given(keywords, ())),
            turn_detection=turn_detection_of(turn_detection, model, realtime=realtime),
            noise_reduction_type=given(noise_reduction_type, ""),
            temperature=given(temperature, None),
        )
        self._clients = _clients or clients_for(
            self.label, api_key=api_key, base_url=base_url, client=client, timeout=timeout
        )
        self.model = model
        self.sample_rate = SAMPLE_RATE if realtime else WHOLE_RATE
        self.provider = self._clients.provider
        self.home = self._clients.home

    def __repr__(self) -> str:
        return f"<{self.label} {self.model} at {self.provider}>"

    @classmethod
    def with_azure(
        cls,
        *,
        language: str | Sequence[str] = "en",
        detect_language: bool = False,
        model: str = "gpt-4o-mini-transcribe",
        prompt: NotGivenOr[str] = NOT_GIVEN,
        temperature: NotGivenOr[float] = NOT_GIVEN,
        azure_endpoint: str | None = None,
        azure_deployment: str | None = None,
        api_version: str | None = None,
        api_key: str | None = None,
        azure_ad_token: str | None = None,
        azure_ad_token_provider: Callable[[], str | Awaitable[str]] | None = None,
        organization: str | None = None,
        project: str | None = None,
        base_url: str | None = None,
        timeout: float = 60.0,
    ) -> Self:
        """A deployment at Azure, for whole utterances; what is not given comes from the environment.

        Raises:
            OptionError: no address, no credential or no version; a value out of range.
        """
        reach = AzureOptions(
            *(azure_endpoint, azure_deployment, api_version, api_key, azure_ad_token),
            *(azure_ad_token_provider, organization, project, base_url),
        )
        return cls(
            language=language,
            detect_language=detect_language,
            model=model,
            prompt=prompt,
            temperature=temperature,
            use_realtime=False,
            _clients=azure_clients(cls.label, reach, timeout),
        )

    @property
    def capabilities(self) -> STTCapabilities:
        options = self._options
        return STTCapabilities(
            streaming=options.realtime,
            interim_results=options.realtime,
            end_of_speech=options.turn_detection is not None,
            keyterms=options.takes_hints,
        )

    def update_options(
        self,
        *,
        model: NotGivenOr[str] = NOT_GIVEN,
        language: NotGivenOr[str | Sequence[str]] = NOT_GIVEN,
        detect_language: NotGivenOr[bool] = NOT_GIVEN,
        prompt: NotGivenOr[str] = NOT_GIVEN,
        keywords: NotGivenOr[Sequence[str]] = NOT_GIVEN,
        turn_detection: NotGivenOr[TurnDetection | None] = NOT_GIVEN,
        noise_reduction_type: NotGivenOr[str] = NOT_GIVEN,
        temperature: NotGivenOr[float] = NOT_GIVEN,
    ) -> None:
        """Other options from now on; running streams are told, but for ``turn_detection``, which counts from the next.

        Raises:
            OptionError: as the constructor does; nothing has changed then.
        """
        changes = TranscriptionChanges(
            *(model, language, detect_language, prompt, keywords),
            *(turn_detection, noise_reduction_type, temperature),
        )
        self._options = changes.applied(self._options)
        self.model = self._options.model

    # -- whole utterances --------------------------------------------------------------------------------------------

    async def recognize(self, audio: Sequence[AudioFrame], *, language: str | None = None) -> SpeechEvent:
        """The words of one utterance that is over, as one final; its text is empty if there were none.

        Args:
            audio: mono frames of one rate, in order.
            language: BCP 47; None: as the recogniser was made.

        Raises:
            APIError: it failed; nothing is retried here.
        """
        return await self._recognized(audio, language, ())

    async def _recognized(
        self, audio: Sequence[AudioFrame], language: str | None, of_session: Sequence[str]
    ) -> SpeechEvent:
        options = self._options.in_language(language)
        seconds = sum(frame.duration for frame in audio)
        if seconds < SHORTEST:
            return SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, "", options.language)
        try:
            client = await self._clients.here()
            create = cast("Callable[..., Awaitable[Transcription]]", client.audio.transcriptions.create)
            heard = await create(
                file=("speech.wav", _wav(audio), "audio/wav"), model=options.model, **options.request(of_session)
            )
        except Exception as error:
            ours = our_error(error, self.label)
            if ours is error:
                raise
            raise ours from error
        return _final(heard, options.language, seconds)

    async def _whole(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], language: str | None
    ) -> AsyncGenerator[SpeechEvent, None]:
        """What was heard up to each flush, and up to the end, one after the other."""
        heard: list[AudioFrame] = []
        async for item in audio:
            if not isinstance(item, FlushSentinel):
                heard.append(item)
                continue
            utterance, heard = heard, []
            for event in await self._finals(utterance, audio, language):
                yield event
        for event in await self._finals(heard, audio, language):
            yield event

    async def _finals(
        self, utterance: Sequence[AudioFrame], audio: object, language: str | None
    ) -> tuple[SpeechEvent, ...]:
        if not utterance:
            return ()
        of_session = recognition_context(audio).keyterms if self._options.takes_hints else ()
        final = await self._recognized(utterance, language, of_session)
        billed = SpeechEvent(SpeechEventType.RECOGNITION_USAGE, usage=final.usage)
        return (billed, final) if final.usage is not None else (final,)

    # -- streams -----------------------------------------------------------------------------------------------------

    def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        if not self._options.realtime:
            return self._whole(audio, language)
        of_session = recognition_context(audio).keyterms if self._options.takes_hints else ()
        dialect = LiveTranscription(self.label, lambda: self._options, language, of_session)

        async def connect() -> VendorSocket:
            headers = await self._clients.headers()
            url = socket_url(self._clients.base_url, self._options.model)
            socket = await VendorSocket.open(url, headers=headers, label=self.label)
            await socket.send(dialect.begin())
            return socket

        return recognize(connect, audio, dialect)

    async def aclose(self) -> None:
        await self._clients.aclose()


def _wav(audio: Sequence[AudioFrame]) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(audio[0].num_channels)
        wav.setsampwidth(2)
        wav.setframerate(audio[0].sample_rate)
        wav.writeframes(b"".join(frame.data for frame in audio))
    return file.getvalue()


def _final(heard: Transcription | TranscriptionVerbose, language: str, seconds: float) -> SpeechEvent:
    """What was understood; the language that the model found beats the one it was told."""
    confidence: float | None = None
    if isinstance(heard, TranscriptionVerbose):
        language = code_of(heard.language or "") or language
        scores = [segment.avg_logprob for segment in heard.segments or ()]
        confidence = round(math.exp(sum(scores) / len(scores)), 4) if scores else None
    elif heard.languages:
        language = heard.languages[0].code or language
    usage = heard.usage
    return SpeechEvent(
        SpeechEventType.FINAL_TRANSCRIPT,
        heard.text or "",
        language,
        confidence,
        usage=RecognitionUsage(
            seconds, getattr(usage, "input_tokens", 0) or 0, getattr(usage, "output_tokens", 0) or 0
        ),
    )
