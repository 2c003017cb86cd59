"""The scripted providers of the test tools: what scenarios rely on has to behave as the real ones do.

``ScriptedSTT`` and ``ScriptedVAD`` are not here: they follow one timeline over all of their streams, on purpose.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.interfaces.tts import TTS
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError
from sessionactors.testing import (
    ScriptedLLM,
    ScriptedRealtime,
    ScriptedReply,
    ScriptedResponse,
    ScriptedTTS,
    VirtualLoop,
)
from sessionactors.testing.conformance import Fault, LLMRig, RealtimeRig, TTSRig
from sessionactors.testing.scripted_tts import ScriptedVoice

WORDS = "I count one two three four five six seven."

ERRORS: Mapping[Fault, APIError] = {
    Fault.INVALID_KEY: APIStatusError("no", status_code=401),
    Fault.RATE_LIMIT: APIStatusError("later", status_code=429),
    Fault.SERVER_ERROR: APIStatusError("no", status_code=500),
    Fault.UNREACHABLE: APIConnectionError("nobody is there"),
    Fault.BREAK: APIConnectionError("gone"),
    Fault.GARBAGE: APIError("cannot be read"),
}
MIDWAY = (Fault.BREAK, Fault.GARBAGE, Fault.HALF_OPEN)
FAULTS = frozenset({*ERRORS, Fault.SILENCE, Fault.HALF_OPEN, Fault.EMPTY})


def _reply(fault: Fault | None) -> ScriptedReply:
    return ScriptedReply(
        "" if fault is Fault.EMPTY else WORDS,
        duration=1.0,
        error=None if fault is None else ERRORS.get(fault),
        hang=fault in (Fault.SILENCE, Fault.HALF_OPEN),
        after=3 if fault in MIDWAY else 0,
    )


@asynccontextmanager
async def scripted_llm(fault: Fault | None) -> AsyncIterator[LLM]:
    yield ScriptedLLM(otherwise=_reply(fault))


@asynccontextmanager
async def scripted_tts(fault: Fault | None) -> AsyncIterator[TTS]:
    error = None if fault is None else ERRORS.get(fault)
    after = None if fault in (None, Fault.DRIP) else 0.4 if fault in MIDWAY else 0.0
    voice = ScriptedVoice(after, error, hang=fault in (Fault.SILENCE, Fault.HALF_OPEN))
    yield ScriptedTTS(speed=2.0, script=[voice] * 40)


@asynccontextmanager
async def scripted_realtime(fault: Fault | None) -> AsyncIterator[RealtimeModel]:
    yield ScriptedRealtime(otherwise=ScriptedResponse(WORDS))


RIGS = (
    LLMRig(
        name="scripted.LLM",
        open=scripted_llm,
        faults=FAULTS | {Fault.DRIP},
        answer=lambda _: WORDS,
        waived={"calls_a_tool": "it calls what the script says"},
        loop_factory=VirtualLoop,
    ),
    TTSRig(
        name="scripted.TTS",
        open=scripted_tts,
        faults=FAULTS | {Fault.DRIP},
        patience=10.0,
        loop_factory=VirtualLoop,
    ),
    RealtimeRig(
        name="scripted.Realtime",
        open=scripted_realtime,
        patience=10.0,
        waived={"calls_a_tool": "it calls what the script says"},
        loop_factory=VirtualLoop,
    ),
)
