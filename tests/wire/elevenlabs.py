"""ElevenLabs' synthesis on this machine: the multi-context WebSocket and HTTP with times, as documented and typed.

::

    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = elevenlabs.TTS(api_key=server.key, base_url=server.base_url)

Each character takes twenty milliseconds, and its samples are its code, so that a test can read what was spoken
(:func:`.spoken_in`). It is strict: unknown parameters and fields, a sixth context, a wrong key have ElevenLabs' answer.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pydantic
from aiohttp import web
from elevenlabs.types.close_context import CloseContext
from elevenlabs.types.flush_context import FlushContext
from elevenlabs.types.initialize_connection_multi import InitializeConnectionMulti
from elevenlabs.types.keep_context_alive import KeepContextAlive
from elevenlabs.types.send_text_multi import SendTextMulti
from elevenlabs.types.websocket_tts_server_message_multi import WebsocketTtsServerMessageMulti

from tests.wire.spoken_audio import MS_PER_CHARACTER, pcm_of
from tests.wire.vendor_server import CHATTER, Fault, HungUp, Line, Received, VendorServer

MOST_CONTEXTS = 5
CHUNK = 10
"""Characters of audio in one message."""


@dataclass(frozen=True)
class VoiceCall:
    """How one connection, or one request, is answered."""

    fault: Fault | None = None
    pace: float = 0.0
    """Seconds before each piece of audio."""
    mute: bool = False
    """Answer without audio."""
    chatters: bool = False
    """Pieces without audio, for ever."""
    error: Mapping[str, Any] | None = None
    """Of each context, instead of audio."""
    never_closes: bool = False
    """Does not say that a context is closed."""
    absolute: bool = False
    """Times count from the beginning of the context."""
    context_ids: bool = True
    """Say whose the audio is."""


Check = Callable[[str], bool]


def _one_of(*values: str) -> Check:
    return lambda value: value in values


FLAG = _one_of("true", "false")
MULTI_QUERY: Mapping[str, Check] = {
    "model_id": bool,
    "language_code": lambda value: len(value) == 2,
    "output_format": lambda value: value.startswith(("pcm_", "mp3_", "ulaw_")),
    "inactivity_timeout": lambda value: value.isdigit() and 1 <= int(value) <= 180,
    "apply_text_normalization": _one_of("auto", "on", "off"),
    "optimize_streaming_latency": _one_of("0", "1", "2", "3", "4"),
    **dict.fromkeys(
        ("enable_logging", "enable_ssml_parsing", "sync_alignment", "auto_mode", "apply_language_text_normalization"),
        FLAG,
    ),
}
HTTP_BODY = frozenset(
    {
        *("text", "model_id", "language_code", "voice_settings", "pronunciation_dictionary_locators", "seed"),
        *("previous_text", "next_text", "apply_text_normalization", "apply_language_text_normalization"),
    }
)


@dataclass
class Spoken:
    """A context."""

    buffer: str = ""
    """Text that waits for more."""
    queue: str = ""
    """Text of which audio is made."""
    offset: int = 0
    """Characters that have been spoken."""
    schedule: list[float] = field(default_factory=lambda: [120, 160, 250, 290])
    finishing: bool = False
    closed: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)


class ElevenLabsServer(VendorServer[VoiceCall]):
    """Speaks."""

    voices: Sequence[str] = ("hpp4J3VqNfWAUOO0d1Us", "anna")

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/v1/text-to-speech/{voice}/multi-stream-input", self._multi),
            web.post("/v1/text-to-speech/{voice}/stream/with-timestamps", self._http),
        ]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def _refusal(self, received: Received, call: VoiceCall) -> web.Response | None:
        number = len(self.received)

        def no(status: int, name: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
            received.gone.set()
            body = {"detail": {"status": name, "message": message}}
            return web.json_response(body, status=status, headers={"request-id": f"el-{number}", **(headers or {})})

        if call.fault is not None and call.fault.status is not None:
            detail = (call.fault.body or {}).get("status", "not_now")
            return no(call.fault.status, detail, "The server says no.", call.fault.headers)
        if received.headers.get("xi-api-key") != self.key:
            return no(401, "invalid_api_key", "Invalid API key")
        return None

    async def _multi(self, request: web.Request) -> web.StreamResponse:
        received, call = self.begin(request)
        if (refusal := self._refusal(received, call)) is not None:
            return refusal
        line = Line(request, received, call.fault)
        self.open_now += 1
        try:
            await line.open({"request-id": f"el-{len(self.received)}"})
            async with asyncio.TaskGroup() as tasks:
                await Speaking(line, call, received, tasks).run(request.match_info["voice"] in self.voices)
        except* (HungUp, ConnectionError):
            pass
        finally:
            self.open_now -= 1
            received.gone.set()
        return line.socket

    async def _http(self, request: web.Request) -> web.StreamResponse:
        received, call = self.begin(request)
        received.body = await request.json()
        if (refusal := self._refusal(received, call)) is not None:
            return refusal
        unknown = set(received.body) - HTTP_BODY
        if unknown or not received.body.get("text"):
            received.gone.set()
            return web.json_response({"detail": [{"loc": sorted(unknown), "msg": "extra"}]}, status=422)
        rate = int(request.query["output_format"].removeprefix("pcm_"))
        response = web.StreamResponse(headers={"request-id": f"el-{len(self.received)}"})
        await response.prepare(request)
        text = received.body["text"]
        try:
            while call.chatters:
                await response.write(json.dumps({"audio_base64": "", "alignment": None}).encode() + b"\n")
                await asyncio.sleep(CHATTER)
            for start in [] if call.mute else range(0, len(text), CHUNK):
                fault = call.fault
                if fault is not None and received.sent == fault.after:
                    if fault.garbage is not None:
                        await response.write(str(fault.garbage).encode() + b"\n")
                    if fault.cut:
                        assert request.transport is not None
                        request.transport.abort()
                        return response
                    if fault.silent or fault.half_open:
                        await asyncio.get_running_loop().create_future()
                await asyncio.sleep(call.pace)
                chunk = text[start : start + CHUNK]
                times = [(start + index) * MS_PER_CHARACTER / 1000 for index in range(len(chunk) + 1)]
                alignment = {
                    "characters": list(chunk),
                    "character_start_times_seconds": times[:-1],
                    "character_end_times_seconds": times[1:],
                }
                audio = base64.b64encode(pcm_of(chunk, rate)).decode()
                piece = {"audio_base64": audio, "alignment": alignment, "normalized_alignment": alignment}
                await response.write(json.dumps(piece).encode() + b"\n")
                received.sent += 1
            await response.write_eof()
        finally:
            received.gone.set()
        return response


class Speaking:
    """One connection."""

    def __init__(self, line: Line, call: VoiceCall, received: Received, tasks: asyncio.TaskGroup) -> None:
        self._line = line
        self._call = call
        self._received = received
        self._tasks = tasks
        self._contexts: dict[str, Spoken] = {}
        self._rate = 24000

    async def run(self, voice_is_known: bool) -> None:
        for name, value in self._received.query:
            if name not in MULTI_QUERY or not MULTI_QUERY[name](value):
                await self._refuse("invalid_request", f"The parameter {name}={value} is not valid.")
        if not voice_is_known:
            await self._refuse("voice_id_does_not_exist", "A voice with this id does not exist.")
        self._rate = int(self._received.options["output_format"].removeprefix("pcm_"))
        while (message := await self._line.receive()) is not None:
            if not isinstance(message, dict):
                await self._refuse("invalid_request", "Not JSON.")
                return
            self._received.messages.append(message)
            await self._take(message)
        raise HungUp

    async def _take(self, message: dict[str, Any]) -> None:
        name = message.get("context_id")
        context = self._contexts.get(str(name))
        kind = self._kind(message, known=context is not None)
        if kind is None or set(message) - set(kind.model_fields) or not isinstance(name, str):
            self._received.complaints.append(json.dumps(message))
            await self._refuse("invalid_request", f"Unexpected message {sorted(message)}.")
            return
        kind.model_validate(message)
        if kind is InitializeConnectionMulti:
            if len(self._contexts) == MOST_CONTEXTS:
                await self._refuse("concurrent_limit_exceeded", "Too many contexts.")
            context = self._contexts[name] = Spoken()
            context.schedule = (message.get("generation_config") or {}).get("chunk_length_schedule", context.schedule)
            self._tasks.create_task(self._speak(name, context))
            return
        assert context is not None
        if kind is CloseContext:
            if not context.finishing:
                context.queue = context.buffer = ""
            context.closed = True
        elif kind is not KeepContextAlive:
            context.buffer += message.get("text") or ""
            at_once = message.get("flush") or self._received.options.get("auto_mode") == "true"
            if at_once or len(context.buffer) >= context.schedule[0]:
                if len(context.schedule) > 1 and not at_once:
                    context.schedule = context.schedule[1:]
                context.queue, context.buffer = context.queue + context.buffer, ""
            context.finishing = kind is FlushContext or bool(message.get("flush"))
        context.news.set()

    @staticmethod
    def _kind(message: Mapping[str, Any], *, known: bool) -> type[pydantic.BaseModel] | None:
        if not known:
            return InitializeConnectionMulti if message.get("text") == " " else None
        if "close_context" in message:
            return CloseContext
        if message.get("text") == "" and "flush" not in message:
            return KeepContextAlive
        return SendTextMulti if "text" in message else FlushContext

    async def _speak(self, name: str, context: Spoken) -> None:
        if self._call.error is not None:
            await self._line.send({**self._call.error, "contextId": name})
        while self._call.chatters:
            await self._say({**self._piece(name, 0, ""), "alignment": None, "normalizedAlignment": None})
            await asyncio.sleep(CHATTER)
        while True:
            if context.queue and not self._call.mute:
                chunk, context.queue = context.queue[:CHUNK], context.queue[CHUNK:]
                if self._call.pace:
                    await asyncio.sleep(self._call.pace)
                    if context.closed and not context.finishing:
                        continue
                await self._say(self._piece(name, context.offset, chunk))
                context.offset += len(chunk)
            elif context.closed:
                break
            else:
                context.news.clear()
                await context.news.wait()
        del self._contexts[name]
        if not self._call.never_closes:
            await self._say({"isFinal": True, "contextId": name})

    def _piece(self, name: str, offset: int, chunk: str) -> dict[str, Any]:
        start = offset * MS_PER_CHARACTER if self._call.absolute else 0
        alignment = {
            "chars": list(chunk),
            "charStartTimesMs": [start + index * MS_PER_CHARACTER for index in range(len(chunk))],
            "charDurationsMs": [MS_PER_CHARACTER] * len(chunk),
        }
        aligned = self._received.options.get("sync_alignment") == "true"
        return {
            "audio": base64.b64encode(pcm_of(chunk, self._rate)).decode(),
            "alignment": alignment if aligned else None,
            "normalizedAlignment": alignment if aligned else None,
            "isFinal": None,
            **({"contextId": name} if self._call.context_ids else {}),
        }

    async def _say(self, message: dict[str, Any]) -> None:
        WebsocketTtsServerMessageMulti.model_validate(message)
        await self._line.send(message)

    async def _refuse(self, name: str, message: str) -> None:
        await self._line.send({"error": name, "message": message, "code": 1008})
        await self._line.close(1008, message)
        raise HungUp
