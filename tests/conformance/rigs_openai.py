"""OpenAI's models, recognisers and voice against servers on this machine that speak its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar
from unittest import mock

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tts import TTS
from sessionactors.model.audio import AudioFrame
from sessionactors.providers import openai, recognition_socket, vendor_socket
from sessionactors.testing.conformance import Fault, LLMRig, Rig, STTRig, TTSRig, Utterance

from tests.wire.openai_audio import Heard, Speech, Spoken, Transcribed, Transcriptions
from tests.wire.openai_responses import Responses
from tests.wire.openai_server import Call, Completion, OpenAIServer
from tests.wire.openai_transcription import Session, TranscriptionServer, key_of, silence, speech
from tests.wire.vendor_server import Fault as WireFault

KEY = "secret-of-the-rig"
P = TypeVar("P")
FAULTS = frozenset(Fault)

_made: list[Callable[[], int]] = []
"""How many connections the server of the check that runs has seen."""


def connections() -> int:
    return _made[-1]()


@asynccontextmanager
async def storm() -> AsyncIterator[str]:
    """The address of a server that ends each connection at once."""
    made = 0

    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal made
        made += 1
        writer.close()

    server = await asyncio.start_server(end, "127.0.0.1", 0)
    _made[:] = [lambda: made]
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


@asynccontextmanager
async def address(server: OpenAIServer, fault: Fault | None) -> AsyncIterator[str]:
    if fault is Fault.STORM:
        async with storm() as url:
            yield url
        return
    _made[:] = [lambda: len(server.connections)]
    async with server:
        if fault is not Fault.UNREACHABLE:
            yield server.base_url
            return
    yield server.base_url


# -- models ----------------------------------------------------------------------------------------------------------

COMPLETIONS: Mapping[Fault, Completion] = {
    Fault.RATE_LIMIT: Completion(status=429, error={"message": "slow down"}),
    Fault.SERVER_ERROR: Completion(status=500, error={"message": "broken"}),
    Fault.SILENCE: Completion(delay=60.0),
    Fault.HALF_OPEN: Completion("one two three", hang_after=6),
    Fault.BREAK: Completion("one two three", break_after=6),
    Fault.GARBAGE: Completion("one two three", garbage_after=5),
    Fault.DRIP: Completion("one two three four five six seven eight nine", drip=0.015),
    Fault.EMPTY: Completion(),
    Fault.STALL: Completion(chatters=True),
}


def said(prompt: str) -> str:
    """What is answered, in a few words."""
    return f"You said: {prompt} "


def chat_answer(body: Mapping[str, Any]) -> Completion:
    if body.get("tool_choice") == "required":
        return Completion(calls=[Call("get_weather", '{"city": "Oslo"}')])
    return Completion(said(body["messages"][-1]["content"]).removesuffix(" "))


def responses_answer(body: Mapping[str, Any]) -> Completion:
    if body.get("tool_choice") == "required":
        return Completion(calls=[Call("get_weather", '{"city": "Oslo"}')])
    return Completion(said(body["input"][-1]["content"] if body["input"] else "nothing"))


def key_for(fault: Fault | None) -> str:
    """That the server takes."""
    return "another" if fault is Fault.INVALID_KEY else KEY


@asynccontextmanager
async def chat(fault: Fault | None) -> AsyncIterator[LLM]:
    answer = chat_answer if fault is None else COMPLETIONS.get(fault, chat_answer)
    if fault in (Fault.HALF_OPEN, Fault.BREAK, Fault.GARBAGE) and isinstance(answer, Completion):
        answer = earlier(answer)
    async with address(OpenAIServer(otherwise=answer, key=key_for(fault)), fault) as url:
        yield openai.LLM(base_url=url, api_key=KEY)


def earlier(answer: Completion) -> Completion:
    """Chat Completions says less before the first word."""

    def before(place: int | None) -> int | None:
        return None if place is None else place - 4

    return replace(
        answer,
        hang_after=before(answer.hang_after),
        break_after=before(answer.break_after),
        garbage_after=before(answer.garbage_after),
    )


@asynccontextmanager
async def respond(fault: Fault | None) -> AsyncIterator[LLM]:
    answer = responses_answer if fault is None else COMPLETIONS.get(fault, responses_answer)
    server = OpenAIServer(parts=[Responses(otherwise=answer)], key=key_for(fault))
    async with address(server, fault) as url:
        yield openai.responses.LLM(base_url=url, api_key=KEY)


# -- a voice ---------------------------------------------------------------------------------------------------------

SPOKEN: Mapping[Fault, Spoken] = {
    Fault.RATE_LIMIT: Spoken(status=429),
    Fault.SERVER_ERROR: Spoken(status=500),
    Fault.SILENCE: Spoken(delay=60.0),
    Fault.HALF_OPEN: Spoken(hang_after=2),
    Fault.BREAK: Spoken(break_after=2),
    Fault.GARBAGE: Spoken(content_type="text/html"),
    Fault.DRIP: Spoken(drip=0.011),
    Fault.EMPTY: Spoken(empty=True),
}


@asynccontextmanager
async def speak(fault: Fault | None) -> AsyncIterator[TTS]:
    spoken = Spoken() if fault is None else SPOKEN.get(fault, Spoken())
    async with address(OpenAIServer(parts=[Speech(otherwise=spoken)], key=key_for(fault)), fault) as url:
        yield openai.TTS(base_url=url, api_key=KEY)


# -- recognisers -----------------------------------------------------------------------------------------------------

WORD = {
    "type": "conversation.item.input_audio_transcription.delta",
    "event_id": "event_3",
    "item_id": "item_1",
    "content_index": 0,
    "delta": "well ",
}
HEARD: Mapping[Fault, WireFault] = {
    Fault.RATE_LIMIT: WireFault(status=429),
    Fault.SERVER_ERROR: WireFault(status=500),
    Fault.SILENCE: WireFault(silent=True, after=1),
    Fault.HALF_OPEN: WireFault(half_open=True, after=6),
    Fault.BREAK: WireFault(cut=True, after=6),
    Fault.GARBAGE: WireFault(garbage="{no json", after=6),
    Fault.STALL: WireFault(chatter=WORD, after=2),
}
TEXTS = {1: "hello there everybody", 2: "how are you"}


def listening(**options: Any) -> Callable[[Fault | None], AbstractAsyncContextManager[STT]]:
    @asynccontextmanager
    async def opened(fault: Fault | None) -> AsyncIterator[STT]:
        if fault is Fault.STORM:
            async with storm() as url:
                yield openai.STT(base_url=url, api_key=KEY, use_realtime=True, **options)
            return
        texts = dict.fromkeys(TEXTS, "") if fault is Fault.EMPTY else TEXTS
        session = Session(texts, None if fault is None else HEARD.get(fault))
        server = TranscriptionServer([session], key=key_for(fault))
        _made[:] = [lambda: len(server.connections)]
        with (
            mock.patch.object(vendor_socket, "CLOSE_WITHIN", 0.05),
            mock.patch.object(recognition_socket, "END_WITHIN", 0.5),
        ):
            async with server:
                if fault is not Fault.UNREACHABLE:
                    yield openai.STT(base_url=server.base_url, api_key=KEY, use_realtime=True, **options)
                    return
            yield openai.STT(base_url=server.base_url, api_key=KEY, use_realtime=True, **options)

    return opened


WHOLE: Mapping[Fault, Transcribed] = {
    Fault.RATE_LIMIT: Transcribed(status=429),
    Fault.SERVER_ERROR: Transcribed(status=500),
    Fault.SILENCE: Transcribed(delay=60.0),
    Fault.BREAK: Transcribed(break_off=True),
    Fault.GARBAGE: Transcribed(garbage=True),
    Fault.EMPTY: Transcribed(""),
}


def understood(heard: Heard) -> Transcribed:
    key = key_of(heard.pcm)
    return Transcribed(TEXTS[key] if key else "")


@asynccontextmanager
async def whole(fault: Fault | None) -> AsyncIterator[STT]:
    part = Transcriptions(otherwise=understood if fault is None else WHOLE.get(fault, understood))
    async with address(OpenAIServer(parts=[part], key=key_for(fault)), fault) as url:
        yield openai.STT(base_url=url, api_key=KEY)


def utterances(rate: int) -> tuple[Utterance, ...]:
    before, behind = silence(0.2).data, silence(0.5).data
    return tuple(Utterance(AudioFrame(before + speech(key, 0.4).data + behind, rate), TEXTS[key]) for key in TEXTS)


def ear(name: str, **options: Any) -> STTRig:
    return STTRig(
        name=name,
        open=listening(**options),
        faults=FAULTS - {Fault.DRIP},
        utterances=utterances(24000),
        usage=True,
        secret=KEY,
        connections=connections,
    )


RIGS: tuple[Rig[Any], ...] = (
    LLMRig(name="openai.LLM", open=chat, faults=FAULTS, answer=said, secret=KEY, connections=connections),
    LLMRig(name="openai.responses.LLM", open=respond, faults=FAULTS, answer=said, secret=KEY, connections=connections),
    TTSRig(name="openai.TTS", open=speak, faults=FAULTS - {Fault.STALL}, secret=KEY, connections=connections),
    ear("openai.STT"),
    ear("openai.STT (own vad)", turn_detection=None),
    STTRig(
        name="openai.STT (utterances)",
        open=whole,
        faults=FAULTS - {Fault.DRIP, Fault.HALF_OPEN, Fault.STALL},
        utterances=utterances(16000),
        waived={"leaves_nothing_behind": "its answer is one piece, with which a request is over: nothing to cancel"},
        usage=True,
        secret=KEY,
        connections=connections,
    ),
)
LONG = frozenset({"openai.STT (own vad)", "openai.STT (utterances)"})
"""So like the others that ``make conformance`` is often enough."""
