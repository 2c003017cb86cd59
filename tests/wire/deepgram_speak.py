"""Deepgram's ``speak`` (v1) on this machine: WebSocket and HTTP, as documented and typed.

What was spoken can be read in the audio (:func:`.spoken_in`). Text is spoken when it is flushed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic
from aiohttp import web
from deepgram.speak.v1.types.speak_v1clear import SpeakV1Clear
from deepgram.speak.v1.types.speak_v1cleared import SpeakV1Cleared
from deepgram.speak.v1.types.speak_v1close import SpeakV1Close
from deepgram.speak.v1.types.speak_v1flush import SpeakV1Flush
from deepgram.speak.v1.types.speak_v1flushed import SpeakV1Flushed
from deepgram.speak.v1.types.speak_v1metadata import SpeakV1Metadata
from deepgram.speak.v1.types.speak_v1text import SpeakV1Text
from deepgram.speak.v1.types.speak_v1warning import SpeakV1Warning

from tests.wire.deepgram import ANY, FLAG, Check, objection, one_of, refusal
from tests.wire.spoken_audio import pcm_of
from tests.wire.vendor_server import Fault, HungUp, Line, Received, VendorServer

CHUNK = 10
"""Characters of audio in one message."""
MOST_FLUSHES = 20

QUERY: Mapping[str, Check] = {
    "model": ANY,
    "encoding": one_of("linear16", "mulaw", "alaw"),
    "sample_rate": one_of("8000", "16000", "24000", "32000", "48000"),
    "mip_opt_out": FLAG,
    "speed": lambda value: 0.7 <= float(value) <= 1.5,
    "tag": ANY,
}
HTTP_QUERY: Mapping[str, Check] = {**QUERY, "container": one_of("none", "wav")}
OUT: Mapping[str, type[pydantic.BaseModel]] = {
    "Metadata": SpeakV1Metadata,
    "Flushed": SpeakV1Flushed,
    "Cleared": SpeakV1Cleared,
    "Warning": SpeakV1Warning,
}
IN: Mapping[str, type[pydantic.BaseModel]] = {
    "Speak": SpeakV1Text,
    "Flush": SpeakV1Flush,
    "Clear": SpeakV1Clear,
    "Close": SpeakV1Close,
}


@dataclass(frozen=True)
class SpeakCall:
    """How one connection, or one request, is answered."""

    fault: Fault | None = None
    pace: float = 0.0
    """Seconds before each piece of audio."""
    mute: bool = False
    """Answer without audio."""
    never_clears: bool = False
    odd: bool = False
    """Cut audio within samples."""


class SpeakServer(VendorServer[SpeakCall]):
    """Speaks."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/v1/speak", self._listen), web.post("/v1/speak", self._http)]

    @property
    def speak_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/speak"

    def _refusal(self, received: Received, call: SpeakCall, known: Mapping[str, Check]) -> web.Response | None:
        wrong = objection(received, self.key, known)
        if call.fault is not None and call.fault.status is not None:
            wrong = (call.fault.status, "FAULT", "not now")
        if wrong is None:
            return None
        received.gone.set()
        response = refusal(*wrong, number=len(self.received))
        response.headers.update({} if call.fault is None else call.fault.headers)
        return response

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        received, call = self.begin(request)
        if (refused := self._refusal(received, call, QUERY)) is not None:
            return refused
        line = Line(request, received, call.fault)
        self.open_now += 1
        try:
            await line.open({"dg-request-id": f"dg-{len(self.received)}"})
            async with asyncio.TaskGroup() as tasks:
                await Speaking(line, call, received, f"dg-{len(self.received)}", tasks).run()
        except* (HungUp, ConnectionError):
            pass
        finally:
            self.open_now -= 1
            received.gone.set()
        return line.socket

    async def _http(self, request: web.Request) -> web.StreamResponse:
        received, call = self.begin(request)
        received.body = await request.json()
        if (refused := self._refusal(received, call, HTTP_QUERY)) is not None:
            return refused
        if set(received.body) != {"text"} or not 0 < len(received.body["text"]) <= 2000:
            received.gone.set()
            return refusal(400, "Bad Request", "text has 1 to 2000 characters", len(self.received))
        fault = call.fault
        if fault is not None and fault.garbage is not None:
            received.gone.set()
            return web.Response(text="<html>Sign in to the network</html>", content_type="text/html")
        response = web.StreamResponse(headers={"dg-request-id": f"dg-{len(self.received)}"})
        response.content_type = "audio/l16"
        await response.prepare(request)
        audio = b"" if call.mute else pcm_of(received.body["text"], int(request.query["sample_rate"]))
        try:
            for start in range(0, len(audio), 4801):
                if fault is not None and received.sent == fault.after:
                    if fault.cut:
                        assert request.transport is not None
                        request.transport.abort()
                        return response
                    await asyncio.get_running_loop().create_future()
                await asyncio.sleep(call.pace)
                await response.write(audio[start : start + 4801])
                received.sent += 1
            await response.write_eof()
        finally:
            received.gone.set()
        return response


class Speaking:
    """One connection."""

    def __init__(
        self, line: Line, call: SpeakCall, received: Received, request_id: str, tasks: asyncio.TaskGroup
    ) -> None:
        self._line = line
        self._call = call
        self._received = received
        self._request_id = request_id
        self._tasks = tasks
        self._rate = int(received.options["sample_rate"])
        self._buffer = ""
        self._orders: asyncio.Queue[str] = asyncio.Queue()
        self._sequence = 0
        self._flushes = 0
        self._generation = 0
        """Counts clears: what was ordered before is not spoken."""

    async def run(self) -> None:
        await self._say(
            type="Metadata",
            request_id=self._request_id,
            model_name=self._received.options["model"],
            model_version="1",
            model_uuid="1",
        )
        self._tasks.create_task(self._speak())
        while (message := await self._line.receive()) is not None:
            kind = IN.get(str(message.get("type"))) if isinstance(message, dict) else None
            if kind is None or not isinstance(message, dict) or set(message) - set(kind.model_fields):
                self._received.complaints.append(json.dumps(str(message)))
                await self._line.close(1008, "DATA-0001: a message cannot be read")
                break
            kind.model_validate(message)
            self._received.messages.append(message)
            await self._do(message)
        raise HungUp

    async def _do(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "Speak":
                self._buffer += message["text"]
            case "Flush" if self._flushes == MOST_FLUSHES:
                await self._say(type="Warning", code="EXCEEDED_FLUSH_LIMIT", description="Too many flushes.")
            case "Flush":
                self._flushes += 1
                self._orders.put_nowait(self._buffer)
                self._buffer = ""
            case "Clear":
                self._generation += 1
                self._buffer = ""
                while not self._orders.empty():
                    self._orders.get_nowait()
                if not self._call.never_clears:
                    await self._say(type="Cleared", sequence_id=self._sequence)
            case _:  # Close
                await self._line.close()

    async def _speak(self) -> None:
        while True:
            text = await self._orders.get()
            generation = self._generation
            step = len(pcm_of(CHUNK * " ", self._rate)) + (1 if self._call.odd else 0)
            audio = b"" if self._call.mute else pcm_of(text, self._rate)
            for start in range(0, len(audio), step):
                await asyncio.sleep(self._call.pace)
                if generation != self._generation:
                    break
                await self._line.send(audio[start : start + step])
            if generation == self._generation:
                await self._say(type="Flushed", sequence_id=self._sequence)
                self._sequence += 1

    async def _say(self, **message: Any) -> None:
        OUT[message["type"]].model_validate(message)
        await self._line.send(message)
