"""Deepgram's ``listen`` (v1) on this machine, as its public documentation and the SDK's types describe it.

::

    async with DeepgramServer([Call([Spoken("hello there", 0.2, 0.8)])]) as server:
        stt = deepgram.STT(api_key=server.key, base_url=server.listen_url)

It "understands" by position: what a script says is spoken from second 0.2 to 0.8 is understood when so much audio has
come. It is strict: an unknown parameter, a wrong key or a malformed message has the answer that Deepgram gives. What it
sends is checked against the SDK's types.
"""

from __future__ import annotations

import asyncio
import io
import re
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pydantic
from aiohttp import web
from deepgram.listen.v1.types.listen_v1close_stream import ListenV1CloseStream
from deepgram.listen.v1.types.listen_v1configure import ListenV1Configure
from deepgram.listen.v1.types.listen_v1configure_failure import ListenV1ConfigureFailure
from deepgram.listen.v1.types.listen_v1configure_success import ListenV1ConfigureSuccess
from deepgram.listen.v1.types.listen_v1error import ListenV1Error
from deepgram.listen.v1.types.listen_v1finalize import ListenV1Finalize
from deepgram.listen.v1.types.listen_v1keep_alive import ListenV1KeepAlive
from deepgram.listen.v1.types.listen_v1metadata import ListenV1Metadata
from deepgram.listen.v1.types.listen_v1results import ListenV1Results
from deepgram.listen.v1.types.listen_v1speech_started import ListenV1SpeechStarted
from deepgram.listen.v1.types.listen_v1utterance_end import ListenV1UtteranceEnd
from deepgram.types.listen_v1response import ListenV1Response

from tests.wire.vendor_server import Fault, HungUp, Line, Received, VendorServer


@dataclass(frozen=True)
class Spoken:
    """What is in the audio."""

    text: str
    start: float
    """Seconds of the connection's audio."""
    end: float
    speaker: int | None = None
    language: str | None = None

    def words(self) -> list[dict[str, Any]]:
        texts = self.text.split()
        step = (self.end - self.start) / len(texts)
        return [
            {
                "word": re.sub(r"\W", "", text).lower(),
                "punctuated_word": text,
                "start": round(self.start + step * index, 6),
                "end": round(self.start + step * (index + 1), 6),
                "confidence": 0.9,
                **({} if self.speaker is None else {"speaker": self.speaker}),
                **({} if self.language is None else {"language": self.language}),
            }
            for index, text in enumerate(texts)
        ]


@dataclass(frozen=True)
class Call:
    """How one connection is answered."""

    speech: Sequence[Spoken] = ()
    vocabulary: Mapping[int, tuple[str, float]] = field(default_factory=dict)
    """Understands by ear too: samples of this value mean these words, which take so many seconds."""
    fault: Fault | None = None
    patience: float = 10.0
    """Seconds without audio or KeepAlive; then the connection is closed."""


OUT: Mapping[str, type[pydantic.BaseModel]] = {
    "Results": ListenV1Results,
    "Metadata": ListenV1Metadata,
    "SpeechStarted": ListenV1SpeechStarted,
    "UtteranceEnd": ListenV1UtteranceEnd,
    "ConfigureSuccess": ListenV1ConfigureSuccess,
    "ConfigureFailure": ListenV1ConfigureFailure,
    "Error": ListenV1Error,
}
IN: Mapping[str, type[pydantic.BaseModel]] = {
    "KeepAlive": ListenV1KeepAlive,
    "Finalize": ListenV1Finalize,
    "CloseStream": ListenV1CloseStream,
    "Configure": ListenV1Configure,
}

Check = Callable[[str], bool]


def one_of(*values: str) -> Check:
    return lambda value: value in values


def number(least: int, most: int) -> Check:
    return lambda value: value.isdigit() and least <= int(value) <= most


FLAG = one_of("true", "false")
ANY: Check = bool
LISTEN: Mapping[str, Check] = {
    **dict.fromkeys(("model", "language", "keyterm", "tag", "redact", "search", "version"), ANY),
    **dict.fromkeys(
        (
            *("punctuate", "smart_format", "interim_results", "no_delay", "filler_words", "profanity_filter"),
            *("numerals", "mip_opt_out", "vad_events", "diarize", "dictation"),
        ),
        FLAG,
    ),
    "encoding": one_of("linear16", "opus", "mulaw"),
    "sample_rate": number(8000, 48000),
    "channels": number(1, 8),
    "endpointing": lambda value: value == "false" or value.isdigit(),
    "utterance_end_ms": number(1000, 5000),
    "keywords": lambda value: re.fullmatch(r"[^:]+(:-?[\d.]+)?", value) is not None,
    "replace": lambda value: ":" in value,
}


def refusal(status: int, code: str, message: str, number: int) -> web.Response:
    """As Deepgram says no."""
    body = {"err_code": code, "err_msg": message, "request_id": f"dg-{number}"}
    return web.json_response(body, status=status, headers={"dg-request-id": f"dg-{number}", "dg-error": message})


def objection(received: Received, key: str, known: Mapping[str, Check]) -> tuple[int, str, str] | None:
    """What is wrong with a request: status, code, message."""
    if received.headers.get("authorization") != f"Token {key}":
        return 401, "INVALID_AUTH", "Invalid credentials."
    for name, value in received.query:
        if name not in known:
            return 400, "INVALID_QUERY_PARAMETER", f"Failed to deserialize query parameters: unknown field `{name}`"
        if not known[name](value):
            return 400, "INVALID_QUERY_PARAMETER", f"Failed to deserialize query parameters: {name} cannot be {value}"
    if "model" in known and not received.all("model"):
        return 400, "INVALID_QUERY_PARAMETER", "missing field `model`"
    return None


def objection_to_listening(received: Received, key: str) -> tuple[int, str, str] | None:
    if wrong := objection(received, key, LISTEN):
        return wrong
    options = received.options
    if received.all("keywords") and options["model"].startswith("nova-3"):
        return 400, "Bad Request", "Keywords are not supported for nova-3; use keyterm."
    if received.all("keyterm") and not options["model"].startswith("nova-3"):
        return 400, "Bad Request", "Keyterm is supported for nova-3 only."
    if "utterance_end_ms" in options and options.get("interim_results") != "true":
        return 400, "Bad Request", "utterance_end_ms needs interim_results."
    return None


class Ear:
    """Finds what is spoken in audio whose samples say which words they are.

    Args:
        vocabulary: the words of each value, and their seconds.
        rate: bytes of audio in a second.
    """

    def __init__(self, vocabulary: Mapping[int, tuple[str, float]], rate: int) -> None:
        self._vocabulary = vocabulary
        self._rate = rate
        self._step = rate // 200 * 2
        self._sounding = 0
        self._heard = 0

    def new(self, audio: bytearray) -> Iterator[Spoken]:
        """What begins in the audio that was not there before."""
        if not self._vocabulary:
            return
        for at in range(self._heard, len(audio) - 1, self._step):
            value = int.from_bytes(audio[at : at + 2], "little")
            if value != self._sounding and value in self._vocabulary:
                text, seconds = self._vocabulary[value]
                yield Spoken(text, at / self._rate, at / self._rate + seconds)
            self._sounding = value
            self._heard = at + self._step


class DeepgramServer(VendorServer[Call]):
    """Listens."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/v1/listen", self._listen), web.post("/v1/listen", self._recorded)]

    @property
    def listen_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/listen"

    async def _recorded(self, request: web.Request) -> web.StreamResponse:
        received, call = self.begin(request)
        name, fault = len(self.received), call.fault
        try:
            with wave.open(io.BytesIO(await request.read())) as file:
                received.audio += file.readframes(file.getnframes())
            if fault is not None and fault.status is not None:
                response = refusal(fault.status, "FAULT", str((fault.body or {}).get("err_msg")), name)
                response.headers.update(fault.headers)
                return response
            if wrong := objection(received, self.key, RECORDED):
                return refusal(*wrong, number=name)
            headers = {"dg-request-id": f"dg-{name}"}
            if fault is not None and fault.cut:
                assert request.transport is not None
                request.transport.abort()
            if fault is not None and fault.silent:
                await asyncio.get_running_loop().create_future()
            if fault is not None and fault.garbage is not None:
                return web.Response(body=fault.garbage, content_type="application/json", headers=headers)
            return web.json_response(transcript_of(received, call, f"dg-{name}"), headers=headers)
        finally:
            received.gone.set()

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        received, call = self.begin(request)
        name = len(self.received)
        if call.fault is not None and call.fault.status is not None:
            received.gone.set()
            body = {"err_code": "FAULT", "err_msg": "not now", "request_id": f"dg-{name}", **(call.fault.body or {})}
            headers = {"dg-request-id": f"dg-{name}", **call.fault.headers}
            return web.json_response(body, status=call.fault.status, headers=headers)
        if wrong := objection_to_listening(received, self.key):
            received.gone.set()
            return refusal(*wrong, number=name)
        line = Line(request, received, call.fault)
        try:
            await line.open({"dg-request-id": f"dg-{name}"})
            await Listening(line, call, received, f"dg-{name}").run()
        except (HungUp, ConnectionError):
            pass
        finally:
            received.gone.set()
        return line.socket


Step: TypeAlias = "tuple[float, Callable[..., Any], Spoken | None]"


RECORDED: Mapping[str, Check] = {
    **{name: check for name, check in LISTEN.items() if name not in ("interim_results", "vad_events", "no_delay")},
    "detect_language": FLAG,
}


def transcript_of(received: Received, call: Call, request_id: str) -> dict[str, Any]:
    """The answer to a whole utterance."""
    words = [word for spoken in call.speech for word in spoken.words()]
    if received.options.get("diarize") != "true":
        words = [{k: v for k, v in word.items() if k != "speaker"} for word in words]
    found = {
        "transcript": " ".join(word["punctuated_word"] for word in words),
        "confidence": 0.95 if words else 0.0,
        "words": words,
    }
    channel: dict[str, Any] = {"alternatives": [found]}
    if received.options.get("detect_language") == "true" and call.speech:
        channel["detected_language"] = call.speech[0].language
    answer = {
        "metadata": {
            "request_id": request_id,
            "sha256": "0" * 64,
            "created": "2026-01-01T00:00:00.000Z",
            "duration": len(received.audio) / 32000,
            "channels": 1,
            "models": ["1"],
            "model_info": {"1": {"name": received.options["model"], "version": "1", "arch": "nova"}},
        },
        "results": {"channels": [channel]},
    }
    ListenV1Response.model_validate(answer)
    return answer


class Listening:
    """One connection."""

    def __init__(self, line: Line, call: Call, received: Received, request_id: str) -> None:
        self._line = line
        self._call = call
        self._received = received
        self._options = received.options
        self._request_id = request_id
        self._rate = int(self._options["sample_rate"]) * 2 * int(self._options.get("channels", "1"))
        self._interim = self._options.get("interim_results") == "true"
        self._finalized = 0.0
        """Up to here words are final."""
        self._speech: list[Spoken] = []
        self._ear = Ear(call.vocabulary, self._rate)
        self._agenda: list[Step] = [(float(second), self._nothing_new, None) for second in range(1, 60)]
        for spoken in call.speech:
            self._plan(spoken)

    async def run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._call.patience):
                    message = await self._line.receive()
            except TimeoutError:
                await self._line.close(1011, "NET-0001: did not receive audio data or a text message in time")
                return
            match message:
                case None:
                    return
                case bytes():
                    await self._hear(message)
                case str():
                    await self._complain(message)
                case _:
                    if await self._do(message):
                        return

    async def _do(self, message: dict[str, Any]) -> bool:
        """Whether that was the end."""
        kind = IN.get(str(message.get("type")))
        if kind is None or set(message) - set(kind.model_fields):
            await self._complain(str(message))
            return False
        kind.model_validate(message)
        self._received.messages.append(message)
        match message["type"]:
            case "Finalize":
                await self._finalize(self._position)
            case "CloseStream":
                await self._finalize(self._position, from_finalize=False)
                await self._say(
                    type="Metadata",
                    transaction_key="deprecated",
                    request_id=self._request_id,
                    sha256="0" * 64,
                    created="2026-01-01T00:00:00.000Z",
                    duration=self._position,
                    channels=1,
                )
                await self._line.close()
                return True
            case "Configure" if not self._options["model"].startswith("nova-3"):
                code = "CONFIGURE_KEYTERMS_NOT_SUPPORTED"
                await self._say(type="ConfigureFailure", request_id=self._request_id, code=code, description="no")
            case "Configure":
                terms = message.get("keyterms")
                await self._say(type="ConfigureSuccess", request_id=self._request_id, keyterms=terms)
            case _:  # KeepAlive
                pass
        return False

    @property
    def _position(self) -> float:
        return len(self._received.audio) / self._rate

    async def _hear(self, pcm: bytes) -> None:
        if len(pcm) % 2:
            await self._line.close(1008, "DATA-0000: the payload cannot be decoded as audio")
            raise HungUp
        self._received.audio += pcm
        for new in self._ear.new(self._received.audio):
            self._plan(new)
        while self._agenda and self._agenda[0][0] <= self._position + 1e-9:
            at, what, spoken = self._agenda.pop(0)
            await what(at, spoken)

    def _plan(self, spoken: Spoken) -> None:
        """What to say of it, and when."""
        self._speech.append(spoken)
        self._agenda += self._steps(spoken)
        self._agenda.sort(key=lambda step: step[0])

    def _steps(self, spoken: Spoken) -> Iterator[Step]:
        endpointing = self._options.get("endpointing", "10")
        if self._options.get("vad_events") == "true":
            yield spoken.start, self._speech_started, spoken
        for word in spoken.words():
            if self._interim:
                yield word["end"], self._words_so_far, spoken
        if endpointing != "false":
            yield spoken.end + int(endpointing) / 1000, self._end_of_speech, spoken
        if "utterance_end_ms" in self._options:
            yield spoken.end + int(self._options["utterance_end_ms"]) / 1000, self._utterance_end, spoken

    async def _speech_started(self, at: float, spoken: Spoken) -> None:
        await self._say(type="SpeechStarted", channel=[0, 1], timestamp=at)

    async def _words_so_far(self, at: float, spoken: Spoken) -> None:
        words = [word for word in spoken.words() if self._finalized < word["end"] <= at + 1e-9]
        await self._results(words, at)

    async def _end_of_speech(self, at: float, spoken: Spoken) -> None:
        words = [word for word in spoken.words() if word["end"] > self._finalized]
        self._finalized = at
        await self._results(words, at, is_final=True, speech_final=True)

    async def _utterance_end(self, at: float, spoken: Spoken) -> None:
        await self._say(type="UtteranceEnd", channel=[0, 1], last_word_end=spoken.end)

    async def _nothing_new(self, at: float, _: None) -> None:
        await self._results([], at)

    async def _finalize(self, at: float, *, from_finalize: bool = True) -> None:
        words = [
            word for spoken in self._speech for word in spoken.words() if self._finalized < word["end"] <= at + 1e-9
        ]
        if words or (from_finalize and at > self._finalized):
            await self._results(words, at, is_final=True, from_finalize=from_finalize)
        self._finalized = max(self._finalized, at)

    async def _results(self, words: Sequence[dict[str, Any]], at: float, **flags: bool) -> None:
        punctuated = self._options.get("punctuate") == "true" or self._options.get("smart_format") == "true"
        shown = [word if punctuated else {k: v for k, v in word.items() if k != "punctuated_word"} for word in words]
        if self._options.get("diarize") != "true":
            shown = [{k: v for k, v in word.items() if k != "speaker"} for word in shown]
        languages = [word["language"] for word in words if "language" in word]
        start = words[0]["start"] if words else self._finalized
        await self._say(
            type="Results",
            channel_index=[0, 1],
            duration=max(0.0, at - start),
            start=start,
            channel={
                "alternatives": [
                    {
                        "transcript": " ".join(word["punctuated_word" if punctuated else "word"] for word in words),
                        "confidence": 0.95 if words else 0.0,
                        "words": shown,
                        **({"languages": languages[:1]} if languages else {}),
                    }
                ]
            },
            metadata={
                "request_id": self._request_id,
                "model_info": {"name": self._options["model"], "version": "1", "arch": "nova"},
                "model_uuid": "1",
            },
            **{"is_final": False, "speech_final": False, "from_finalize": False, **flags},
        )

    async def _complain(self, message: str) -> None:
        self._received.complaints.append(message)
        await self._say(
            type="Error", variant="SchemaError", description="Could not deserialize last text message", message=message
        )

    async def _say(self, **message: Any) -> None:
        OUT[message["type"]].model_validate(message)
        await self._line.send(message)
