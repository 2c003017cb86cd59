"""Recognition with Deepgram's Nova models: streaming over ``listen`` (v1). Retries and deadlines are the session's."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence

from typing_extensions import Unpack

try:
    import deepgram  # noqa: F401
    import websockets  # noqa: F401
except ImportError as missing:
    raise ImportError(
        "sessionactors.providers.deepgram needs Deepgram's SDK: pip install 'sessionactors[deepgram]'"
    ) from missing

from sessionactors.interfaces import stt as port
from sessionactors.interfaces.recognition_context import recognition_context
from sessionactors.interfaces.stt import SpeechEvent, STTCapabilities
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.providers.per_loop import PerLoop
from sessionactors.providers.recognition_socket import recognize
from sessionactors.providers.vendor_socket import VendorSocket

from .endpoint import Endpoint
from .listen_options import ListenChanges, ListenOptions, several
from .live_transcript import LiveTranscript
from .recorded_speech import recognize_recorded
from .sdk_client import sdk_client


class STT(port.STT):
    """A recogniser that listens to Deepgram's streaming API. For turns that Deepgram itself ends, see ``STTv2``.

    Args:
        model: such as ``nova-3``, ``nova-2-phonecall``.
        language: BCP 47, or ``multi`` for several at once.
        detect_language: for :meth:`recognize`; a stream's language is told before it begins (``language="multi"``).
        interim_results: words while they are spoken.
        punctuate: punctuation and capitals.
        smart_format: dates, amounts, addresses as they are written.
        sample_rate: hertz, 8000..48000; the session resamples to it.
        no_delay: do not hold words back until ``smart_format`` knows more.
        endpointing_ms: milliseconds of silence that end speech; 0: never. Ends a turn with ``turn_detection="stt"``.
        enable_diarization: tell speakers apart, for each word.
        filler_words: keep "uh" and "um"; they tell that somebody is not done.
        keywords: words and how much to prefer them, for models before nova-3.
        keyterm: words to expect, for nova-3; the session adds what it knows (``recognition_context``).
        tags: labels for Deepgram's usage reports, of at most 128 characters.
        profanity_filter: mask swear words.
        redact: what to mask, such as ``pci``, ``numbers``, ``ssn``.
        api_key: None: ``DEEPGRAM_API_KEY``.
        base_url: the endpoint with its path, for a proxy or a server of one's own.
        numerals: numbers as digits.
        mip_opt_out: keep the audio out of Deepgram's model improvement.
        vad_events: say when speech begins, before there are words.
        utterance_end_ms: milliseconds >= 1000 without new words that end speech, also in noise.
        dictation: spoken "comma" as a comma; needs ``punctuate``.
        replace: words, and what is written for them.
        search: words whose places Deepgram looks for.

    Raises:
        OptionError: no key, a value out of range, or one that the model does not take.
    """

    label = "deepgram.STT"
    provider = "deepgram"

    def __init__(
        self,
        *,
        model: str = "nova-3",
        language: str = "en-US",
        detect_language: bool = False,
        interim_results: bool = True,
        punctuate: bool = True,
        smart_format: bool = False,
        sample_rate: int = 16000,
        no_delay: bool = True,
        endpointing_ms: int = 25,
        enable_diarization: bool = False,
        filler_words: bool = True,
        keywords: Sequence[tuple[str, float]] = (),
        keyterm: str | Sequence[str] = (),
        tags: Sequence[str] = (),
        profanity_filter: bool = False,
        redact: str | Sequence[str] = (),
        api_key: str | None = None,
        base_url: str = "https://api.deepgram.com/v1/listen",
        numerals: bool = False,
        mip_opt_out: bool = False,
        vad_events: bool = True,
        utterance_end_ms: int | None = None,
        dictation: bool = False,
        replace: Mapping[str, str] | None = None,
        search: Sequence[str] = (),
    ) -> None:
        self._endpoint = Endpoint.of(base_url, api_key, self.label)
        self._options = ListenOptions(
            model=model,
            language=language,
            detect_language=detect_language,
            interim_results=interim_results,
            punctuate=punctuate,
            smart_format=smart_format,
            sample_rate=sample_rate,
            no_delay=no_delay,
            endpointing_ms=endpointing_ms,
            enable_diarization=enable_diarization,
            filler_words=filler_words,
            keywords=tuple(keywords),
            keyterm=several(keyterm),
            tags=tuple(tags),
            profanity_filter=profanity_filter,
            redact=several(redact),
            numerals=numerals,
            mip_opt_out=mip_opt_out,
            vad_events=vad_events,
            utterance_end_ms=utterance_end_ms,
            dictation=dictation,
            replace=dict(replace or {}),
            search=tuple(search),
        )
        self._clients = PerLoop(lambda: sdk_client(self._endpoint, "/v1/listen"))
        self.model = model
        self.sample_rate = sample_rate

    def __repr__(self) -> str:
        return f"<deepgram.STT {self.model} at {self._endpoint.url}>"

    @property
    def capabilities(self) -> STTCapabilities:
        options = self._options
        return STTCapabilities(
            interim_results=options.interim_results,
            diarization=options.enable_diarization,
            aligned_transcript="word",
            end_of_speech=options.hears_ends,
            keyterms=options.takes_keyterms,
        )

    def update_options(self, **changes: Unpack[ListenChanges]) -> None:
        """Other options from now on.

        ``keyterm`` reaches the streams that are running; the others count from the next stream, because Deepgram takes
        them only where a connection begins. May be called on any thread.

        Raises:
            OptionError: as the constructor does; nothing has changed then.
        """
        self._options = self._options.changed(changes)
        self.model = self._options.model

    async def recognize(self, audio: Sequence[AudioFrame], *, language: str | None = None) -> SpeechEvent:
        client = (await self._clients.here()).client
        return await recognize_recorded(client, audio, self._options, language or self._options.language, self.label)

    async def aclose(self) -> None:
        await self._clients.aclose()

    def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        options = self._options
        if options.detect_language:
            raise OptionError("detect_language is for whole recordings; for a stream give language='multi'")
        language = language or options.language
        of_session = recognition_context(audio).keyterms
        query = options.live_query(language, options.with_keyterms(of_session))
        dialect = LiveTranscript(self.label, lambda: self._options, language, of_session)

        async def connect() -> VendorSocket:
            return await self._endpoint.connect(query)

        return recognize(connect, audio, dialect)
