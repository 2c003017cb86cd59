"""Deepgram's ``listen`` (v2, Flux) on this machine, as its public documentation and the SDK's types describe it.

It "understands" by position, as :mod:`.deepgram` does. What follows within :data:`SILENCE` seconds belongs to one turn.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import pydantic
from aiohttp import web
from deepgram.listen.v2.types.listen_v2close_stream import ListenV2CloseStream
from deepgram.listen.v2.types.listen_v2configure import ListenV2Configure
from deepgram.listen.v2.types.listen_v2configure_failure import ListenV2ConfigureFailure
from deepgram.listen.v2.types.listen_v2configure_success import ListenV2ConfigureSuccess
from deepgram.listen.v2.types.listen_v2connected import ListenV2Connected
from deepgram.listen.v2.types.listen_v2fatal_error import ListenV2FatalError
from deepgram.listen.v2.types.listen_v2force_end_turn import ListenV2ForceEndTurn
from deepgram.listen.v2.types.listen_v2turn_info import ListenV2TurnInfo

from tests.wire.deepgram import ANY, FLAG, Call, Check, Ear, number, objection, one_of, refusal
from tests.wire.vendor_server import HungUp, Line, Received, VendorServer

SILENCE = 0.6
"""Seconds of silence that end a turn."""
EAGER = 0.2
"""Seconds of silence in which a turn is probably over."""

Step: TypeAlias = tuple[float, Callable[[float], Awaitable[None]]]

FLUX: Mapping[str, Check] = {
    "model": one_of("flux-general-en", "flux-general-multi"),
    "encoding": one_of("linear16", "mulaw"),
    "sample_rate": number(8000, 48000),
    "eager_eot_threshold": lambda value: 0.3 <= float(value) <= 0.9,
    "eot_threshold": lambda value: 0.5 <= float(value) <= 0.9,
    "eot_timeout_ms": number(500, 10000),
    "redact": one_of("numbers", "aggressive_numbers"),
    **dict.fromkeys(("keyterm", "language_hint", "tag"), ANY),
    **dict.fromkeys(("mip_opt_out", "numerals", "profanity_filter"), FLAG),
}
OUT: Mapping[str, type[pydantic.BaseModel]] = {
    "Connected": ListenV2Connected,
    "TurnInfo": ListenV2TurnInfo,
    "ConfigureSuccess": ListenV2ConfigureSuccess,
    "ConfigureFailure": ListenV2ConfigureFailure,
    "Error": ListenV2FatalError,
}
IN: Mapping[str, type[pydantic.BaseModel]] = {
    "CloseStream": ListenV2CloseStream,
    "ForceEndTurn": ListenV2ForceEndTurn,
    "Configure": ListenV2Configure,
}


class FluxServer(VendorServer[Call]):
    """Listens, and knows when somebody is done."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/v2/listen", self._listen)]

    @property
    def listen_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v2/listen"

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        received, call = self.begin(request)
        name = len(self.received)
        wrong = objection(received, self.key, FLUX)
        if call.fault is not None and call.fault.status is not None:
            wrong = (call.fault.status, "FAULT", "not now")
        if wrong:
            received.gone.set()
            return refusal(*wrong, number=name)
        line = Line(request, received, call.fault)
        try:
            await line.open({"dg-request-id": f"dg-{name}"})
            await Turns(line, call, received, f"dg-{name}").run()
        except (HungUp, ConnectionError):
            pass
        finally:
            received.gone.set()
        return line.socket


class Turns:
    """One connection."""

    def __init__(self, line: Line, call: Call, received: Received, request_id: str) -> None:
        self._line = line
        self._call = call
        self._received = received
        self._request_id = request_id
        self._rate = 2 * int(received.options["sample_rate"])
        self._eager = "eager_eot_threshold" in received.options
        self._sequence = 0
        self._turn = 0
        self._words: list[dict[str, Any]] = []
        self._speech = list(call.speech)
        self._ear = Ear(call.vocabulary, self._rate)
        self._agenda = sorted(self._plan(0.0), key=lambda step: step[0])

    async def run(self) -> None:
        await self._say(type="Connected", request_id=self._request_id)
        while (message := await self._line.receive()) is not None:
            if isinstance(message, bytes):
                await self._hear(message)
            elif not await self._do(message):
                return

    async def _hear(self, pcm: bytes) -> None:
        before = self._position
        self._received.audio += pcm
        if new := list(self._ear.new(self._received.audio)):
            self._speech += new
            self._agenda = sorted(self._plan(before), key=lambda step: step[0])
        while self._agenda and self._agenda[0][0] <= self._position + 1e-9:
            at, step = self._agenda.pop(0)
            await step(at)

    async def _do(self, message: dict[str, Any] | str) -> bool:
        kind = IN.get(str(message.get("type"))) if isinstance(message, dict) else None
        if kind is None or isinstance(message, str) or set(message) - set(kind.model_fields):
            self._received.complaints.append(json.dumps(message))
            await self._say(type="Error", code="UNPARSABLE_CLIENT_MESSAGE", description="What is that?")
            await self._line.close(1008, "UNPARSABLE_CLIENT_MESSAGE")
            return False
        kind.model_validate(message)
        self._received.messages.append(message)
        match message["type"]:
            case "CloseStream":
                await self._line.close()
                return False
            case "ForceEndTurn" if self._words:
                await self._end(self._position, "manual")
            case "Configure" if "language_hints" in message and "multi" not in self._received.options["model"]:
                await self._say(
                    type="ConfigureFailure",
                    request_id=self._request_id,
                    code="INVALID_LANGUAGE_HINTS",
                    description="Not with this model.",
                )
            case "Configure":
                await self._say(
                    type="ConfigureSuccess",
                    request_id=self._request_id,
                    thresholds=message.get("thresholds") or {},
                    keyterms=message.get("keyterms") or [],
                )
            case _:
                pass
        return True

    @property
    def _position(self) -> float:
        return len(self._received.audio) / self._rate

    def _plan(self, after: float) -> Iterator[Step]:
        """What to say, and when, of what is said later than a moment."""
        return (step for step in self._steps() if step[0] > after)

    def _steps(self) -> Iterator[Step]:
        speech = self._speech
        for spoken, following in pairwise((*speech, None)):
            assert spoken is not None
            for word in spoken.words():
                yield word["end"], self._word(word)
            pause = 99.0 if following is None else following.start - spoken.end
            if self._eager and pause > EAGER:
                yield spoken.end + EAGER, self._eager_end
            if pause > SILENCE:
                yield spoken.end + SILENCE, self._silence
            elif self._eager and pause > EAGER and following is not None:
                yield following.start, self._resumed

    def _word(self, word: dict[str, Any]) -> Callable[[float], Awaitable[None]]:
        async def heard(at: float) -> None:
            first = not self._words
            self._words.append(
                {"word": word["punctuated_word"], "confidence": 0.9, "start": word["start"], "end": word["end"]}
            )
            await self._info("StartOfTurn" if first else "Update", at)

        return heard

    async def _eager_end(self, at: float) -> None:
        if self._words:
            await self._info("EagerEndOfTurn", at)

    async def _resumed(self, at: float) -> None:
        if self._words:
            await self._info("TurnResumed", at)

    async def _silence(self, at: float) -> None:
        if self._words:
            await self._end(at, "model")

    async def _end(self, at: float, trigger: str) -> None:
        await self._info("EndOfTurn", at, trigger=trigger)
        self._words = []
        self._turn += 1

    async def _info(self, event: str, at: float, **more: Any) -> None:
        multi = self._received.options["model"] == "flux-general-multi"
        spoken = self._speech[0]
        await self._say(
            type="TurnInfo",
            request_id=self._request_id,
            event=event,
            turn_index=self._turn,
            audio_window_start=0.0,
            audio_window_end=at,
            transcript=" ".join(word["word"] for word in self._words),
            words=self._words,
            end_of_turn_confidence=0.8,
            **({"languages": [spoken.language]} if multi and spoken.language else {}),
            **more,
        )

    async def _say(self, **message: Any) -> None:
        message["sequence_id"] = self._sequence
        self._sequence += 1
        OUT[message["type"]].model_validate(message)
        await self._line.send(message)
