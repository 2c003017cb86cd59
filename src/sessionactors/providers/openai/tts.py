"""Voices through the OpenAI SDK: one request for each piece of text, its audio streamed as raw PCM."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Final, Self, cast

import httpx2
import openai

from sessionactors.interfaces import tts as port
from sessionactors.interfaces.tts import SynthesizedAudio
from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.model.errors import APIError, OptionError
from sessionactors.model.sentinel import NOT_GIVEN, NotGiven, NotGivenOr, given

from .clients import ApiKey, AzureOptions, Clients, azure_clients, clients_for
from .sdk_errors import our_error

SAMPLE_RATE: Final = 24000
"""Hertz of the vendor's PCM."""
LONGEST: Final = 0.2
"""Seconds of one frame: what is interrupted was not passed on."""

_NO_PCM: Final = ("audio/mpeg", "audio/mp3", "audio/wav", "audio/x-wav", "audio/wave", "audio/ogg", "audio/opus")
_NO_PCM_EITHER: Final = ("audio/aac", "audio/flac", "audio/mp4", "audio/webm", "text/", "application/json")


class TTS(port.TTS):
    """A voice behind OpenAI's API or a compatible endpoint.

    The session gives the text sentence by sentence; each is one request, and the next one is made while the audio of
    the last is still being heard. It does not tell when words are spoken: after an interruption history is cut by time.

    Args:
        model: its name there.
        voice: its name there.
        speed: 0.25..4.
        instructions: how to speak, in words; for models that take them.
        api_key: a key, or a coroutine function that gives the one of the moment; None: ``OPENAI_API_KEY``.
        base_url: the endpoint; None: ``OPENAI_BASE_URL``, or OpenAI's.
        client: a client of your own instead, used on your loop, closed by you.
        response_format: ``pcm``, 16 bit; others would have to be decoded.
        sample_rate: hertz of that, where the endpoint's is another than OpenAI's.
        timeout: seconds that the transport waits for bytes; a backstop, the session's deadlines come first.
        extra_headers: sent with every request.
        extra_body: fields of the request that have no argument here.

    Raises:
        OptionError: no key, neither given nor in the environment, and no ``base_url``; a value out of range.
    """

    label = "openai.TTS"

    def __init__(
        self,
        *,
        model: str = "gpt-4o-mini-tts",
        voice: str = "ash",
        speed: float = 1.0,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        client: openai.AsyncOpenAI | None = None,
        response_format: NotGivenOr[str] = NOT_GIVEN,
        sample_rate: int = SAMPLE_RATE,
        timeout: float = 60.0,
        extra_headers: NotGivenOr[Mapping[str, str]] = NOT_GIVEN,
        extra_body: NotGivenOr[Mapping[str, object]] = NOT_GIVEN,
        _clients: Clients | None = None,
    ) -> None:
        if given(response_format, "pcm") != "pcm":
            raise OptionError(f"response_format must be 'pcm', got {response_format!r}: nothing here decodes others")
        if sample_rate <= 0:
            raise OptionError(f"sample_rate must be positive, got {sample_rate}")
        self._clients = _clients or clients_for(
            self.label, api_key=api_key, base_url=base_url, client=client, timeout=timeout
        )
        self.provider = self._clients.provider
        self.home = self._clients.home
        self.model = model
        self._sample_rate = sample_rate
        self._voice, self._speed, self._instructions = voice, _checked_speed(speed), instructions
        self._extra_headers = dict(given(extra_headers, {}))
        self._extra_body = dict(given(extra_body, {}))

    def __repr__(self) -> str:
        return f"<{self.label} {self.model}, {self._voice}, at {self.provider}>"

    @classmethod
    def with_azure(
        cls,
        *,
        model: str = "gpt-4o-mini-tts",
        voice: str = "ash",
        speed: float = 1.0,
        instructions: NotGivenOr[str] = NOT_GIVEN,
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
        """A deployment at Azure; what is not given comes from the environment, see :class:`.AzureOptions`.

        Raises:
            OptionError: no address, no credential or no version; a value out of range.
        """
        reach = AzureOptions(
            *(azure_endpoint, azure_deployment, api_version, api_key, azure_ad_token),
            *(azure_ad_token_provider, organization, project, base_url),
        )
        clients = azure_clients(cls.label, reach, timeout)
        return cls(model=model, voice=voice, speed=speed, instructions=instructions, _clients=clients)

    def update_options(
        self,
        *,
        model: NotGivenOr[str] = NOT_GIVEN,
        voice: NotGivenOr[str] = NOT_GIVEN,
        speed: NotGivenOr[float] = NOT_GIVEN,
        instructions: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        """Speak otherwise from the next sentence on.

        Raises:
            OptionError: ``speed`` is out of range.
        """
        self._speed = _checked_speed(given(speed, self._speed))
        self.model = given(model, self.model)
        self._voice = given(voice, self._voice)
        if not isinstance(instructions, NotGiven):
            self._instructions = instructions

    @property
    def sample_rate(self) -> int:
        return self._sample_rate

    async def synthesize(self, text: AsyncIterable[str]) -> AsyncGenerator[SynthesizedAudio, None]:
        async for piece in text:
            if any(character.isalnum() for character in piece):  # the API refuses a text without words
                async with aclosing(self._spoken(piece)) as audio:
                    async for frame in audio:
                        yield SynthesizedAudio(frame)

    async def _spoken(self, text: str) -> AsyncGenerator[AudioFrame, None]:
        """The audio of one request."""
        longest = int(LONGEST * self._sample_rate) * BYTES_PER_SAMPLE
        try:
            client = await self._clients.here()
            async with client.audio.speech.with_streaming_response.create(
                input=text,
                model=self.model,
                voice=self._voice,
                response_format="pcm",
                speed=self._speed,
                instructions=openai.omit if isinstance(self._instructions, NotGiven) else self._instructions,
                extra_headers=self._extra_headers or None,
                extra_body=self._extra_body or None,
            ) as response:
                self._check_format(response.headers)
                # It is a generator: left to the garbage collector, a task of its own would close it some time.
                async with aclosing(cast("AsyncGenerator[bytes, None]", response.iter_bytes())) as received:
                    held = b""
                    async for data in received:
                        held += data
                        whole = len(held) - len(held) % BYTES_PER_SAMPLE
                        for begin in range(0, whole, longest):
                            yield AudioFrame(held[begin : min(begin + longest, whole)], self._sample_rate)
                        held = held[whole:]
        except Exception as error:
            ours = our_error(error, self.label)
            if ours is error:
                raise
            raise ours from error

    def _check_format(self, headers: httpx2.Headers) -> None:
        kind = headers.get("content-type", "").lower()
        if kind.startswith((*_NO_PCM, *_NO_PCM_EITHER)):
            raise APIError(f"{self.label}: asked for raw PCM, {self.provider} sent {kind}", body=kind, retryable=False)

    def prewarm(self) -> None:
        self._clients.prewarm()

    async def aclose(self) -> None:
        await self._clients.aclose()


def _checked_speed(speed: float) -> float:
    if not 0.25 <= speed <= 4.0:
        raise OptionError(f"speed must be between 0.25 and 4, got {speed}")
    return speed
