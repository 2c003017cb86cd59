"""ElevenLabs' voices: multi-context WebSocket, HTTP where a model has none. Retries and deadlines are the session's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Literal
from uuid import uuid4

from typing_extensions import Unpack

try:
    import httpx
    import websockets  # noqa: F401
    from elevenlabs.client import AsyncElevenLabs
except ImportError as missing:
    raise ImportError(
        "sessionactors.providers.elevenlabs needs ElevenLabs' SDK: pip install 'sessionactors[elevenlabs]'"
    ) from missing

from sessionactors.interfaces import tts as port
from sessionactors.interfaces.markup import Markup
from sessionactors.interfaces.tts import SynthesizedAudio
from sessionactors.model.errors import APIConnectionError
from sessionactors.providers.line_pool import LinePool
from sessionactors.providers.per_loop import PerLoop
from sessionactors.providers.sdk_http import SDKClient

from .audio_tags import AudioTags
from .char_alignment import CharAlignment
from .context_line import ContextLine
from .context_text import feed
from .endpoint import Endpoint
from .http_voice import speak_by_http
from .spoken_pieces import SpokenPieces
from .voice_options import PronunciationDictionaryLocator, VoiceChanges, VoiceOptions, VoiceSettings

TAGGED = "eleven_v3"
"""Models that know audio tags, by the beginning of their names."""
DEFAULT_VOICE_ID = "hpp4J3VqNfWAUOO0d1Us"


class TTS(port.TTS):
    """A voice of ElevenLabs. One connection serves up to five texts at once, of any rooms of a loop.

    Args:
        voice_id: whose voice.
        voice_settings: how it speaks; None: as it was made.
        model: such as ``eleven_turbo_v2_5``, ``eleven_flash_v2_5``, ``eleven_multilingual_v2``.
        encoding: ``pcm_<hertz>``; the audio's format.
        api_key: None: ``ELEVEN_API_KEY``, or ``ELEVENLABS_API_KEY``.
        base_url: the API with its version, for a proxy or a region.
        streaming_latency: 0..4, quicker for less quality; deprecated by ElevenLabs.
        inactivity_timeout: seconds 1..180 without text after which ElevenLabs ends what is open. A text that still
            grows is kept alive, and so is nothing else.
        auto_mode: each sentence is spoken at once; None: unless there is a ``chunk_length_schedule``.
        apply_text_normalization: numbers and dates as they are read out.
        apply_language_text_normalization: the same for a language's own, at a price in latency.
        enable_ssml_parsing: the text may have markup.
        enable_logging: False: ElevenLabs keeps nothing (for customers who may ask so).
        chunk_length_schedule: characters 50..500 that are waited for before the first, second ... audio is made.
        language: ISO 639-1, for models that take one.
        sync_alignment: times for every piece of audio: the history of an interrupted reply ends at the word heard.
        pronunciation_dictionary_locators: at most three.
        websocket: False: each sentence is a request of its own, over HTTP, with times too; None: if the model has to
            (``eleven_v3``).

    Raises:
        OptionError: no key, or a value that cannot be.
    """

    label = "elevenlabs.TTS"
    provider = "elevenlabs"

    def __init__(
        self,
        *,
        voice_id: str = DEFAULT_VOICE_ID,
        voice_settings: VoiceSettings | None = None,
        model: str = "eleven_turbo_v2_5",
        encoding: str = "pcm_24000",
        api_key: str | None = None,
        base_url: str = "https://api.elevenlabs.io/v1",
        streaming_latency: int | None = None,
        inactivity_timeout: int = 180,
        auto_mode: bool | None = None,
        apply_text_normalization: Literal["auto", "on", "off"] = "auto",
        apply_language_text_normalization: bool | None = None,
        enable_ssml_parsing: bool = False,
        enable_logging: bool = True,
        chunk_length_schedule: Sequence[int] = (),
        language: str | None = None,
        sync_alignment: bool = True,
        pronunciation_dictionary_locators: Sequence[PronunciationDictionaryLocator] = (),
        websocket: bool | None = None,
    ) -> None:
        self._endpoint = Endpoint.of(base_url, api_key, self.label)
        self._options = VoiceOptions(
            voice_id=voice_id,
            voice_settings=voice_settings,
            model=model,
            encoding=encoding,
            streaming_latency=streaming_latency,
            inactivity_timeout=inactivity_timeout,
            auto_mode=not chunk_length_schedule if auto_mode is None else auto_mode,
            apply_text_normalization=apply_text_normalization,
            apply_language_text_normalization=apply_language_text_normalization,
            enable_ssml_parsing=enable_ssml_parsing,
            enable_logging=enable_logging,
            chunk_length_schedule=tuple(chunk_length_schedule),
            language=language,
            sync_alignment=sync_alignment,
            pronunciation_dictionary_locators=tuple(pronunciation_dictionary_locators),
        )
        self.model = model
        self._websocket = websocket
        self._clients: PerLoop[SDKClient[AsyncElevenLabs]] = PerLoop(lambda: SDKClient(self._client))
        self._lines: PerLoop[LinePool[ContextLine]] = PerLoop(LinePool)
        self._warming: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<elevenlabs.TTS {self._options.voice_id} with {self.model} at {self._endpoint.url}>"

    @property
    def sample_rate(self) -> int:
        return self._options.sample_rate

    @property
    def aligned_transcript(self) -> bool:
        return self._options.sync_alignment

    @property
    def markup(self) -> Markup | None:
        """Eleven v3's audio tags, for ``expressive``; the other models know none."""
        return AudioTags() if self._options.model.startswith(TAGGED) else None

    def update_options(self, **changes: Unpack[VoiceChanges]) -> None:
        """Another voice, model or manner for the next text. May be called on any thread.

        Raises:
            OptionError: as the constructor does; nothing has changed then.
        """
        self._options = self._options.changed(changes)
        self.model = self._options.model

    def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[SynthesizedAudio]:
        options = self._options
        return self._by_socket(text, options) if self._uses_socket(options) else self._by_http(text, options)

    def prewarm(self) -> None:
        task = asyncio.get_running_loop().create_task(self._warm(), name=f"{self.label}: warming")
        self._warming.add(task)
        task.add_done_callback(self._warming.discard)

    async def aclose(self) -> None:
        await self._lines.aclose()
        await self._clients.aclose()

    def _uses_socket(self, options: VoiceOptions) -> bool:
        return options.by_socket if self._websocket is None else self._websocket

    def _client(self, connections: httpx.AsyncClient) -> AsyncElevenLabs:
        return AsyncElevenLabs(api_key=self._endpoint.api_key, base_url=self._endpoint.root, httpx_client=connections)

    async def _by_http(self, text: AsyncIterable[str], options: VoiceOptions) -> AsyncGenerator[SynthesizedAudio, None]:
        client = (await self._clients.here()).client
        async with aclosing(speak_by_http(client, text, options, self.label)) as audio:
            async for piece in audio:
                yield piece

    async def _warm(self) -> None:
        options = self._options
        if self._uses_socket(options):
            (await self._lines.here()).warm(self._url(options), lambda: self._line(self._url(options)))

    def _url(self, options: VoiceOptions) -> str:
        return self._endpoint.socket_url(options.path, options.query())

    def _line(self, url: str) -> ContextLine:
        return ContextLine(lambda: self._endpoint.connect(url), self.label)

    async def _by_socket(
        self, text: AsyncIterable[str], options: VoiceOptions
    ) -> AsyncGenerator[SynthesizedAudio, None]:
        pool, url, name = await self._lines.here(), self._url(options), uuid4().hex
        line = pool.seat(url, lambda: self._line(url))
        feeding: asyncio.Task[None] | None = None
        try:
            context = await line.open(name, options)
            alignment = CharAlignment()
            feeding = asyncio.create_task(feed(text, context, alignment, options), name=f"{self.label}: text")
            pieces = SpokenPieces(options.sample_rate, alignment)
            while (piece := await context.next()) is not None:
                for audio in pieces.of(piece.pcm, piece.alignment):
                    yield audio
            if not context.is_finished:
                raise APIConnectionError(f"{self.label}: ElevenLabs closed the context before the text ended")
            for audio in pieces.rest():
                yield audio
        finally:
            try:
                if feeding is not None:
                    feeding.cancel()
                    await asyncio.wait((feeding,))
            finally:
                await line.release(name, lambda: pool.leave(line))
