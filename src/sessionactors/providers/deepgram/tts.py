"""Deepgram's voices (Aura): WebSocket, or HTTP a sentence at a time. Retries and deadlines are the session's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from typing import Any, Final, cast

from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError

from sessionactors.interfaces import tts as port
from sessionactors.interfaces.tts import SynthesizedAudio
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import OptionError
from sessionactors.providers.line_pool import LinePool
from sessionactors.providers.per_loop import PerLoop
from sessionactors.providers.sdk_http import ONE_TRY, SDKClient, generators_closed, our_errors

from .endpoint import REQUEST_ID, Endpoint, flag
from .sdk_client import sdk_client
from .speak_line import SpeakLine

LONGEST: Final = 0.2
"""Seconds of a frame: what is interrupted was not passed on."""
MOST_CHARACTERS: Final = 2000
"""Of one message to Deepgram."""
RATES: Final = (8000, 16000, 24000, 32000, 48000)


class TTS(port.TTS):
    """A voice of Deepgram. One connection speaks one text at a time; connections stay open for the next ones.

    It gives no times of words: the history of an interrupted reply is cut by the length of what was heard.

    Args:
        model: such as ``aura-2-andromeda-en``: voice and language in one.
        encoding: ``linear16``; the audio's format.
        sample_rate: 8000, 16000, 24000, 32000 or 48000 hertz.
        speed: 0.7..1.5; None: as it was made. For some voices of Aura 2 only.
        api_key: None: ``DEEPGRAM_API_KEY``.
        base_url: the endpoint with its path, for a proxy or a server of one's own.
        mip_opt_out: keep the text out of Deepgram's model improvement.
        websocket: False: each sentence is a request of its own, over HTTP.

    Raises:
        OptionError: no key, or a value that cannot be.
    """

    label = "deepgram.TTS"
    provider = "deepgram"

    def __init__(
        self,
        *,
        model: str = "aura-2-andromeda-en",
        encoding: str = "linear16",
        sample_rate: int = 24000,
        speed: float | None = None,
        api_key: str | None = None,
        base_url: str = "https://api.deepgram.com/v1/speak",
        mip_opt_out: bool = False,
        websocket: bool = True,
    ) -> None:
        self._endpoint = Endpoint.of(base_url, api_key, self.label)
        if not model:
            raise OptionError("model must not be empty, such as 'aura-2-andromeda-en'")
        if encoding != "linear16":
            raise OptionError(f"encoding must be 'linear16' (a session plays PCM), got {encoding!r}")
        if sample_rate not in RATES:
            raise OptionError(f"sample_rate has no {sample_rate}; there are: {', '.join(map(str, RATES))}")
        if speed is not None and not 0.7 <= speed <= 1.5:
            raise OptionError(f"speed must be between 0.7 and 1.5, got {speed}")
        self.model = model
        self._rate = sample_rate
        self._speed = speed
        self._mip_opt_out = mip_opt_out
        self._websocket = websocket
        self._lines: PerLoop[LinePool[SpeakLine]] = PerLoop(LinePool)
        self._clients: PerLoop[SDKClient[AsyncDeepgramClient]] = PerLoop(
            lambda: sdk_client(self._endpoint, "/v1/speak")
        )
        self._warming: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<deepgram.TTS {self.model} at {self._endpoint.url}>"

    @property
    def sample_rate(self) -> int:
        return self._rate

    def update_options(self, *, model: str) -> None:
        """Another voice for the next text. May be called on any thread."""
        if not model:
            raise OptionError("model must not be empty, such as 'aura-2-andromeda-en'")
        self.model = model

    def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[SynthesizedAudio]:
        return self._by_socket(text) if self._websocket else self._by_http(text)

    def prewarm(self) -> None:
        if self._websocket:
            task = asyncio.get_running_loop().create_task(self._warm(), name=f"{self.label}: warming")
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)

    async def aclose(self) -> None:
        await self._lines.aclose()
        await self._clients.aclose()

    async def _warm(self) -> None:
        query = self._query()
        (await self._lines.here()).warm(query, lambda: self._line(query))

    # -- WebSocket ---------------------------------------------------------------------------------------------------

    def _query(self) -> tuple[tuple[str, str], ...]:
        speed = () if self._speed is None else (("speed", f"{self._speed:g}"),)
        return (
            ("model", self.model),
            ("encoding", "linear16"),
            ("sample_rate", str(self._rate)),
            ("mip_opt_out", flag(self._mip_opt_out)),
            *speed,
        )

    def _line(self, query: tuple[tuple[str, str], ...]) -> SpeakLine:
        return SpeakLine(lambda: self._endpoint.connect(query), self.label, 2 * self._rate)

    async def _by_socket(self, text: AsyncIterable[str]) -> AsyncGenerator[SynthesizedAudio, None]:
        pool, query = await self._lines.here(), self._query()
        line = pool.seat(query, lambda: self._line(query))
        feeding: asyncio.Task[None] | None = None
        frames = _Frames(self._rate)
        try:
            await line.opened()
            feeding = asyncio.create_task(_feed(text, line), name=f"{self.label}: text")
            while (pcm := await line.next()) is not None:
                for audio in frames.of(pcm):
                    yield audio
        finally:
            try:
                if feeding is not None:
                    feeding.cancel()
                    try:
                        await asyncio.wait((feeding,))
                    finally:
                        await line.release()
            finally:
                pool.leave(line)

    # -- HTTP --------------------------------------------------------------------------------------------------------

    async def _by_http(self, text: AsyncIterable[str]) -> AsyncGenerator[SynthesizedAudio, None]:
        client = (await self._clients.here()).client
        frames = _Frames(self._rate)
        options: dict[str, Any] = {} if self._speed is None else {"speed": self._speed}
        async for piece in text:
            for part in _parts(piece):
                async with our_errors(self.label, ApiError, REQUEST_ID):
                    audio = client.speak.v1.audio.generate(
                        text=part,
                        model=self.model,
                        encoding="linear16",
                        container="none",
                        sample_rate=self._rate,
                        mip_opt_out=self._mip_opt_out,
                        request_options=cast("Any", ONE_TRY),
                        **options,
                    )
                    try:
                        async with aclosing(cast("AsyncGenerator[bytes, None]", audio)) as chunks:
                            async for pcm in chunks:
                                for frame in frames.of(pcm):
                                    yield frame
                    finally:
                        await generators_closed()


class _Frames:
    """Frames of one text; pieces of audio are cut anywhere, also within a sample."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._odd = b""

    def of(self, pcm: bytes) -> list[SynthesizedAudio]:
        pcm = self._odd + pcm
        whole = len(pcm) & ~1
        self._odd = pcm[whole:]
        step = 2 * round(LONGEST * self._rate)
        return [
            SynthesizedAudio(AudioFrame(pcm[at : min(at + step, whole)], self._rate)) for at in range(0, whole, step)
        ]


async def _feed(text: AsyncIterable[str], line: SpeakLine) -> None:
    """Give the line the text as it comes; what fails here fails the text."""
    try:
        async for piece in text:
            await line.room()
            for part in _parts(piece):
                await line.say(part)
        await line.finish()
    except Exception as error:  # noqa: BLE001 - of the user's text, or of the line: who reads the audio raises it
        line.fail(error)


def _parts(piece: str) -> list[str]:
    """A piece in parts that Deepgram takes, cut between words; of one without words nothing."""
    parts: list[str] = []
    while len(piece) > MOST_CHARACTERS:
        cut = piece.rfind(" ", 1, MOST_CHARACTERS) + 1 or MOST_CHARACTERS
        parts.append(piece[:cut])
        piece = piece[cut:]
    return [part for part in (*parts, piece) if part.strip()]
