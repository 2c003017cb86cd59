"""Transcription sessions of OpenAI's Realtime API on this machine, as its reference and the SDK's types describe them.

::

    async with TranscriptionServer([Session({1: "hello there"})]) as server:
        stt = openai.STT(base_url=server.base_url, api_key=server.key, use_realtime=True)

Speech is what is not zero: the sample value 100 is the first text of the session, 200 the second. It is strict: a
client event is checked against the SDK's types, and a wrong one is answered as the API does. So is what it sends.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from openai.types.realtime import RealtimeServerEvent
from openai.types.realtime.audio_transcription_param import AudioTranscriptionParam
from openai.types.realtime.input_audio_buffer_append_event_param import InputAudioBufferAppendEventParam
from openai.types.realtime.input_audio_buffer_clear_event_param import InputAudioBufferClearEventParam
from openai.types.realtime.input_audio_buffer_commit_event_param import InputAudioBufferCommitEventParam
from openai.types.realtime.realtime_transcription_session_audio_input_param import (
    RealtimeTranscriptionSessionAudioInputParam,
)
from openai.types.realtime.realtime_transcription_session_create_request_param import (
    RealtimeTranscriptionSessionCreateRequestParam,
)
from pydantic import TypeAdapter, ValidationError

from sessionactors.model.audio import AudioFrame

from tests.wire.vendor_server import Fault, HungUp, Line, Received, VendorServer

RATE = 24000
STEP = 480
"""Samples that the turn detection looks at: 20 ms."""

CLIENT_EVENTS: Mapping[str, Any] = {
    "input_audio_buffer.append": InputAudioBufferAppendEventParam,
    "input_audio_buffer.commit": InputAudioBufferCommitEventParam,
    "input_audio_buffer.clear": InputAudioBufferClearEventParam,
}
SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
SESSION = TypeAdapter(RealtimeTranscriptionSessionCreateRequestParam)
TRANSCRIPTION = frozenset(AudioTranscriptionParam.__annotations__)
INPUT = frozenset(RealtimeTranscriptionSessionAudioInputParam.__annotations__)
REALTIME_ONLY = ("gpt-realtime-whisper", "gpt-live-transcribe")


def speech(key: int, seconds: float) -> AudioFrame:
    """Somebody says the text of that key."""
    return AudioFrame((100 * key).to_bytes(2, "little") * round(seconds * RATE), RATE)


def silence(seconds: float) -> AudioFrame:
    return AudioFrame(bytes(2 * round(seconds * RATE)), RATE)


@dataclass(frozen=True)
class Session:
    """How one session goes."""

    texts: Mapping[int, str] = field(default_factory=lambda: {1: "hello there", 2: "how are you"})
    fault: Fault | None = None
    late: frozenset[str] = frozenset()
    """Texts whose words come behind those of the next utterance."""
    failed: frozenset[str] = frozenset()
    """Texts that cannot be transcribed."""
    language: str = ""
    """That the model detects."""
    seconds_billed: bool = False
    expires: bool = False
    """The session has lasted long enough when the first words are there."""


@dataclass
class _Heard:
    """An utterance while it lasts."""

    item: str
    key: int
    quiet: int = 0
    """Samples of silence behind it."""


class TranscriptionServer(VendorServer[Session]):
    """Transcribes."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/v1/realtime", self._transcribe)]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        received, session = self.begin(request)
        name = f"req_{len(self.received)}"
        fault = session.fault
        status = fault.status if fault is not None else None
        if status is None and received.headers.get("authorization") != f"Bearer {self.key}":
            status = 401
        if status is None and received.options.get("intent") != "transcription":
            status = 400
        if status is not None:
            received.gone.set()
            headers = {"x-request-id": name, **(fault.headers if fault is not None else {})}
            return web.json_response({"error": {"message": "refused"}}, status=status, headers=headers)
        line = Line(request, received, fault)
        try:
            await line.open({"x-request-id": name})
            await Transcribing(line, session, received).run()
        except (HungUp, ConnectionError):
            pass
        finally:
            received.gone.set()
        return line.socket


class Transcribing:
    """One session."""

    def __init__(self, line: Line, session: Session, received: Received) -> None:
        self._line = line
        self._session = session
        self._received = received
        self._input: Mapping[str, Any] = {}
        self._position = 0
        """Samples so far."""
        self._buffer = bytearray()
        """What belongs to no item yet."""
        self._speech: _Heard | None = None
        self._items = 0
        self._owed: list[tuple[str, str]] = []
        """Items whose words come late."""

    async def run(self) -> None:
        await self._say("session.created", session={"type": "transcription", "id": "sess_1", "object": "realtime"})
        while True:
            message = await self._line.receive()
            if message is None:
                return
            if not isinstance(message, dict):
                await self._complain("Could not parse your message as JSON.", "invalid_json")
                continue
            await self._do(message)

    async def _do(self, message: dict[str, Any]) -> None:
        self._received.messages.append(message)
        kind = str(message.get("type"))
        if kind == "session.update":
            await self._configure(message)
            return
        params = CLIENT_EVENTS.get(kind)
        if params is None or set(message) - set(params.__annotations__):
            await self._complain(f"Invalid value: '{kind}' or its fields", "invalid_value")
            return
        if not self._input:
            await self._complain("The session was not configured.", "session_not_configured")
            return
        if kind == "input_audio_buffer.append":
            try:
                pcm = base64.b64decode(message["audio"], validate=True)
            except binascii.Error:
                await self._complain("Invalid 'audio'. Expected base64-encoded audio bytes.", "invalid_value")
                return
            self._received.audio += pcm
            await self._hear(pcm)
        elif kind == "input_audio_buffer.commit":
            await self._commit()

    async def _configure(self, message: Mapping[str, Any]) -> None:
        session = message.get("session")
        try:
            SESSION.validate_python(session, strict=True)
        except ValidationError as error:
            await self._complain(str(error), "invalid_value")
            return
        assert isinstance(session, dict)
        sound = session["audio"]["input"]
        unknown = (set(sound) - INPUT) | (set(sound["transcription"]) - TRANSCRIPTION)
        if unknown:
            await self._complain(f"Unknown parameter: {unknown}", "unknown_parameter")
        elif sound["format"] != {"type": "audio/pcm", "rate": RATE}:
            await self._complain("Only 24 kHz PCM is supported.", "invalid_value")
        elif sound["transcription"]["model"].startswith(REALTIME_ONLY) and sound["turn_detection"] is not None:
            await self._complain("Turn detection is not supported with this model.", "invalid_value")
        elif self._position and (sound["turn_detection"] is None) != (self._input["turn_detection"] is None):
            await self._complain("Cannot change turn detection now.", "invalid_value")
        else:
            self._input = sound
            await self._say("session.updated", session={**session, "id": "sess_1", "object": "realtime"})

    # -- hearing -----------------------------------------------------------------------------------------------------

    async def _hear(self, pcm: bytes) -> None:
        self._buffer += pcm
        if self._input["turn_detection"] is None:
            self._position += len(pcm) // 2
            return
        for begin in range(0, len(pcm), STEP * 2):
            step = pcm[begin : begin + STEP * 2]
            self._position += len(step) // 2
            await self._detect(step)

    async def _detect(self, step: bytes) -> None:
        detection = self._input["turn_detection"]
        key = key_of(step)
        if key and self._speech is None:
            self._speech = _Heard(self._next_item(), key)
            at = max(0, self._position - STEP) * 1000 // RATE
            await self._say("input_audio_buffer.speech_started", item_id=self._speech.item, audio_start_ms=at)
        elif self._speech is not None:
            self._speech.quiet = 0 if key else self._speech.quiet + len(step) // 2
            patience = detection.get("silence_duration_ms", 500) if detection["type"] == "server_vad" else 4000
            if self._speech.quiet * 1000 >= patience * RATE:
                await self._stopped(self._speech)

    async def _stopped(self, heard: _Heard) -> None:
        self._speech = None
        at = (self._position - heard.quiet) * 1000 // RATE
        await self._say("input_audio_buffer.speech_stopped", item_id=heard.item, audio_end_ms=at)
        await self._committed(heard.item, self._session.texts[heard.key])

    async def _commit(self) -> None:
        if len(self._buffer) < RATE // 10 * 2:
            await self._complain(
                "buffer too small. Expected at least 100ms of audio", "input_audio_buffer_commit_empty"
            )
            return
        if self._speech is not None:
            await self._stopped(self._speech)
            return
        key = key_of(bytes(self._buffer))
        await self._committed(self._next_item(), self._session.texts[key] if key else "")

    def _next_item(self) -> str:
        self._items += 1
        return f"item_{self._items}"

    async def _committed(self, item: str, text: str) -> None:
        self._buffer.clear()
        before = int(item.removeprefix("item_")) - 1
        previous = {"previous_item_id": f"item_{before}" if before else None}
        await self._say("input_audio_buffer.committed", item_id=item, **previous)
        self._owed.append((item, text))
        if text not in self._session.late:
            for owed in sorted(self._owed, key=lambda owed: owed[1] in self._session.late):
                await self._transcribed(*owed)
            self._owed.clear()

    async def _transcribed(self, item: str, text: str) -> None:
        what = "conversation.item.input_audio_transcription"
        if text in self._session.failed:
            error = {"type": "server_error", "code": "audio_unintelligible", "message": "could not be transcribed"}
            await self._say(f"{what}.failed", item_id=item, content_index=0, error=error)
            return
        for word in text.split():
            await self._say(f"{what}.delta", item_id=item, content_index=0, delta=f"{word} ")
        detected = {"languages": [{"code": self._session.language}]} if self._session.language else {}
        usage: dict[str, Any] = {"type": "tokens", "input_tokens": 10, "output_tokens": 2, "total_tokens": 12}
        if self._session.seconds_billed:
            usage = {"type": "duration", "seconds": 1.0}
        await self._say(f"{what}.completed", item_id=item, content_index=0, transcript=text, usage=usage, **detected)
        if self._session.expires:
            await self._complain("Your session hit the maximum duration of 60 minutes.", "session_expired")

    # -- telling -----------------------------------------------------------------------------------------------------

    async def _complain(self, message: str, code: str) -> None:
        if code not in ("input_audio_buffer_commit_empty", "session_expired"):
            self._received.complaints.append(message)
        error = {"type": "invalid_request_error", "code": code, "message": message, "param": None, "event_id": None}
        await self._say("error", error=error)

    async def _say(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, "event_id": f"event_{self._received.sent + 1}", **fields}
        if not kind.startswith("session."):  # whose types want all that a session may have
            SERVER_EVENT.validate_python(event)
        await self._line.send(event)


def key_of(pcm: bytes) -> int:
    """Which text is spoken in it; 0: none."""
    return next((key for key in _keys(pcm) if key), 0)


def _keys(pcm: bytes) -> Iterator[int]:
    for place in range(0, len(pcm) - 1, STEP // 2):
        yield int.from_bytes(pcm[place : place + 2], "little") // 100
