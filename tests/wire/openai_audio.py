"""The audio half of OpenAI's HTTP API for tests: speech as a stream of raw PCM, and transcriptions of whole files.

::

    speech = Speech()
    async with OpenAIServer(parts=[speech]) as server:
        tts = openai.TTS(base_url=server.base_url)
"""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from openai.types.audio.speech_create_params import SpeechCreateParams
from openai.types.audio.transcription_create_params import TranscriptionCreateParamsNonStreaming

from .openai_rules import RefusedError, check_fields
from .openai_server import OpenAIServer

RATE = 24000
SECONDS_PER_CHARACTER = 0.05


@dataclass(frozen=True)
class Spoken:
    """How a request for speech is answered."""

    status: int = 200
    error: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "audio/pcm"
    piece: int = 4801
    """Bytes of a piece; odd, so that samples are cut."""
    delay: float = 0.0
    """Seconds before the response begins."""
    drip: float = 0.0
    """Seconds between pieces."""
    hang_after: int | None = None
    """Pieces after which nothing more comes."""
    break_after: int | None = None
    """Pieces after which the connection breaks."""
    empty: bool = False


class Speech:
    """``/audio/speech``. The n-th request is answered by the n-th of the script; then by ``otherwise``."""

    def __init__(self, script: Sequence[Spoken] = (), *, otherwise: Spoken | None = None) -> None:
        self._script = script
        self._otherwise = otherwise or Spoken()
        self.asked: list[Mapping[str, Any]] = []
        self.gone = 0
        """Requests that are over, or whose client has gone."""
        self._server: OpenAIServer

    def add_to(self, application: web.Application, server: OpenAIServer) -> None:
        self._server = server
        for prefix in ("/v1", "/openai/deployments/{deployment}"):
            application.router.add_post(f"{prefix}/audio/speech", self._speak)

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        number = len(self.asked)
        self.asked.append(body)
        self._server.note(request, body)
        check_fields(body, SpeechCreateParams)
        if not body["input"].strip():
            raise RefusedError("Invalid 'input': string too short.", "string_below_min_length")
        if len(body["input"]) > 4096:
            raise RefusedError("Invalid 'input': string too long.", "string_above_max_length")
        if "instructions" in body and str(body["model"]).startswith("tts-1"):
            raise RefusedError("'instructions' is not supported with this model.")
        try:
            return await self._answer(request, self._script[number] if number < len(self._script) else self._otherwise)
        finally:
            self.gone += 1

    async def _answer(self, request: web.Request, spoken: Spoken) -> web.StreamResponse:
        await asyncio.sleep(spoken.delay)
        headers = {"x-request-id": f"req_{len(self.asked)}", **spoken.headers}
        if spoken.status != 200:
            return web.json_response(
                {"error": spoken.error or {"message": "no"}}, status=spoken.status, headers=headers
            )
        response = web.StreamResponse(headers={**headers, "Content-Type": spoken.content_type})
        response.enable_chunked_encoding()
        await response.prepare(request)
        pcm = b"" if spoken.empty else sound(self.asked[-1]["input"])
        for sent, begin in enumerate(range(0, len(pcm), spoken.piece)):
            if sent == spoken.hang_after:
                await asyncio.get_running_loop().create_future()
            if sent == spoken.break_after:
                assert request.transport is not None
                request.transport.abort()
                return response
            if spoken.drip and sent:
                await asyncio.sleep(spoken.drip)
            await response.write(pcm[begin : begin + spoken.piece])
        await response.write_eof()
        return response


def sound(text: str) -> bytes:
    """What is heard of a text: a sample value for each character, as long as it takes."""
    samples = round(RATE * SECONDS_PER_CHARACTER)
    return b"".join((1000 + ord(character) % 1000).to_bytes(2, "little") * samples for character in text)


@dataclass(frozen=True)
class Heard:
    """A file that was sent."""

    pcm: bytes
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / self.rate


@dataclass(frozen=True)
class Transcribed:
    """How a request for a transcription is answered."""

    text: str = "hello there"
    language: str = "english"
    """As whisper names it."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    garbage: bool = False
    break_off: bool = False


class Transcriptions:
    """``/audio/transcriptions``, as :class:`Speech`."""

    def __init__(
        self,
        script: Sequence[Transcribed | str] = (),
        *,
        otherwise: Transcribed | Callable[[Heard], Transcribed] | None = None,
    ) -> None:
        self._script = [Transcribed(one) if isinstance(one, str) else one for one in script]
        self._otherwise = otherwise or Transcribed()
        self.asked: list[Mapping[str, Any]] = []
        self.heard: list[Heard] = []
        """The files, in order."""
        self._server: OpenAIServer

    def add_to(self, application: web.Application, server: OpenAIServer) -> None:
        self._server = server
        for prefix in ("/v1", "/openai/deployments/{deployment}"):
            application.router.add_post(f"{prefix}/audio/transcriptions", self._transcribe)

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        number = len(self.asked)
        body: dict[str, Any] = {}
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                with value.file as sent, wave.open(io.BytesIO(sent.read())) as file:
                    self.heard.append(Heard(file.readframes(file.getnframes()), file.getframerate()))
            elif name.endswith("[]"):
                body.setdefault(name[:-2], []).append(value)
            else:
                body[name] = float(value) if name == "temperature" else value
        self.asked.append(body)
        self._server.note(request, body)
        check_fields(body, TranscriptionCreateParamsNonStreaming)
        if body.get("response_format") == "verbose_json" and body["model"] != "whisper-1":
            raise RefusedError("response_format 'verbose_json' is not compatible with this model", "unsupported_value")
        heard = self.heard[-1]
        if heard.seconds < 0.1:
            raise RefusedError("Audio file is too short. Minimum audio length is 0.1 seconds.", "audio_too_short")
        otherwise = self._otherwise(heard) if callable(self._otherwise) else self._otherwise
        answer = self._script[number] if number < len(self._script) else otherwise
        await asyncio.sleep(answer.delay)
        if answer.break_off:
            assert request.transport is not None
            request.transport.abort()
        if answer.status != 200:
            return web.json_response({"error": {"message": "no"}}, status=answer.status, headers=answer.headers)
        if answer.garbage:
            return web.Response(text="{no json", content_type="application/json")
        return web.json_response(_transcription(body, answer, heard.seconds))


def _transcription(body: Mapping[str, Any], answer: Transcribed, seconds: float) -> Mapping[str, Any]:
    if body.get("response_format") == "verbose_json":
        usage = {"type": "duration", "seconds": round(seconds)}
        return {"text": answer.text, "language": answer.language, "duration": seconds, "usage": usage}
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 5, "total_tokens": 19}
    return {"text": answer.text, "usage": usage}
