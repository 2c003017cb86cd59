"""ElevenLabs' realtime recognition on this machine, as its public documentation and the SDK's types describe it.

It "understands" by position, as :mod:`.deepgram` does.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic
from aiohttp import web
from elevenlabs.types.committed_transcript_payload import CommittedTranscriptPayload
from elevenlabs.types.committed_transcript_with_timestamps_payload import CommittedTranscriptWithTimestampsPayload
from elevenlabs.types.input_audio_chunk_payload import InputAudioChunkPayload
from elevenlabs.types.partial_transcript_payload import PartialTranscriptPayload
from elevenlabs.types.scribe_auth_error_payload import ScribeAuthErrorPayload
from elevenlabs.types.scribe_input_error_payload import ScribeInputErrorPayload
from elevenlabs.types.scribe_throttled_error_payload import ScribeThrottledErrorPayload
from elevenlabs.types.session_started_payload import SessionStartedPayload

from tests.wire.deepgram import ANY, FLAG, Call, Check, Ear, Spoken, one_of
from tests.wire.vendor_server import HungUp, Line, Received, VendorServer

SILENCE = 0.4
"""Seconds of silence that end an utterance, with the server's VAD."""
LEAST = 0.1
"""Seconds of audio that can be committed."""

QUERY: Mapping[str, Check] = {
    "model_id": one_of("scribe_v2_realtime"),
    "audio_format": one_of(*(f"pcm_{rate}" for rate in (8000, 16000, 22050, 24000, 44100, 48000))),
    "commit_strategy": one_of("manual", "vad"),
    "vad_silence_threshold_secs": lambda value: 0.3 <= float(value) <= 3,
    "vad_threshold": lambda value: 0.1 <= float(value) <= 0.9,
    "min_speech_duration_ms": lambda value: 50 <= int(value) <= 2000,
    "min_silence_duration_ms": lambda value: 50 <= int(value) <= 2000,
    "keyterms": lambda value: 0 < len(value) <= 20,
    **dict.fromkeys(("language_code", "secondary_languages"), ANY),
    **dict.fromkeys(("include_timestamps", "include_language_detection", "no_verbatim", "enable_logging"), FLAG),
}
OUT: Mapping[str, type[pydantic.BaseModel]] = {
    "session_started": SessionStartedPayload,
    "partial_transcript": PartialTranscriptPayload,
    "committed_transcript": CommittedTranscriptPayload,
    "committed_transcript_with_timestamps": CommittedTranscriptWithTimestampsPayload,
    "commit_throttled": ScribeThrottledErrorPayload,
    "input_error": ScribeInputErrorPayload,
    "auth_error": ScribeAuthErrorPayload,
}


class ScribeServer(VendorServer[Call]):
    """Listens."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/v1/speech-to-text/realtime", self._listen)]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        received, call = self.begin(request)
        name = f"el-{len(self.received)}"
        if call.fault is not None and call.fault.status is not None:
            received.gone.set()
            detail = {"detail": {"status": "not_now", "message": "The server says no."}}
            headers = {"request-id": name, **call.fault.headers}
            return web.json_response(detail, status=call.fault.status, headers=headers)
        line = Line(request, received, call.fault)
        try:
            await line.open({"request-id": name})
            await Scribe(line, call, received, name).run(received.headers.get("xi-api-key") == self.key)
        except (HungUp, ConnectionError):
            pass
        finally:
            received.gone.set()
        return line.socket


class Scribe:
    """One connection."""

    def __init__(self, line: Line, call: Call, received: Received, name: str) -> None:
        self._line = line
        self._received = received
        self._name = name
        self._options = received.options
        self._rate = 2 * int(self._options.get("audio_format", "pcm_16000").removeprefix("pcm_"))
        self._ear = Ear(call.vocabulary, self._rate)
        self._words: list[dict[str, Any]] = []
        """That were not heard yet."""
        self._heard: list[dict[str, Any]] = []
        """That were not committed yet."""
        self._committed = 0.0
        self._language = "en"
        for spoken in call.speech:
            self._learn(spoken)

    def _learn(self, spoken: Spoken) -> None:
        self._language = spoken.language or self._language
        self._words += [
            {
                "text": word["punctuated_word"],
                "start": word["start"],
                "end": word["end"],
                "type": "word",
                "logprob": -0.1,
            }
            for word in spoken.words()
        ]

    async def run(self, welcome: bool) -> None:
        if not welcome:
            await self._refuse("auth_error", "You must be authenticated to use this endpoint.")
        for name, value in self._received.query:
            if name not in QUERY or not QUERY[name](value):
                await self._refuse("input_error", f"The parameter {name}={value} is not valid.")
        await self._say(message_type="session_started", session_id=self._name, config={})
        while (message := await self._line.receive()) is not None:
            known = set(InputAudioChunkPayload.model_fields)
            if not isinstance(message, dict) or set(message) - known or "message_type" not in message:
                self._received.complaints.append(json.dumps(str(message)))
                await self._refuse("input_error", "Not a chunk.")
                return
            InputAudioChunkPayload.model_validate(message)
            self._received.messages.append({**message, "audio_base_64": len(message["audio_base_64"])})
            await self._hear(base64.b64decode(message["audio_base_64"]))
            if message["commit"]:
                await self._commit()

    @property
    def _position(self) -> float:
        return len(self._received.audio) / self._rate

    async def _hear(self, pcm: bytes) -> None:
        self._received.audio += pcm
        for spoken in self._ear.new(self._received.audio):
            self._learn(spoken)
        while self._words and self._words[0]["end"] <= self._position + 1e-9:
            word = self._words.pop(0)
            if self._heard and word["start"] - self._heard[-1]["end"] >= SILENCE:
                await self._silence()
            self._heard.append(word)
            await self._say(message_type="partial_transcript", text=self._text())
        if self._heard and self._position - self._heard[-1]["end"] >= SILENCE:
            await self._silence()

    async def _silence(self) -> None:
        if self._options["commit_strategy"] == "vad":
            await self._tell()

    async def _commit(self) -> None:
        if self._position - self._committed < LEAST:
            await self._say(message_type="commit_throttled", error="Too little audio was sent since the last commit.")
            return
        await self._tell()

    async def _tell(self) -> None:
        self._committed = self._position
        text, words, self._heard = self._text(), self._heard, []
        await self._say(message_type="committed_transcript", text=text)
        if "true" in (self._options["include_timestamps"], self._options["include_language_detection"]):
            detects = self._options["include_language_detection"] == "true"
            await self._say(
                message_type="committed_transcript_with_timestamps",
                text=text,
                language_code=self._language if detects else None,
                words=words if self._options["include_timestamps"] == "true" else None,
            )

    def _text(self) -> str:
        return " ".join(word["text"] for word in self._heard)

    async def _say(self, **message: Any) -> None:
        OUT[message["message_type"]].model_validate(message)
        await self._line.send(message)

    async def _refuse(self, kind: str, error: str) -> None:
        await self._say(message_type=kind, error=error)
        await self._line.close(1008, error)
        raise HungUp
