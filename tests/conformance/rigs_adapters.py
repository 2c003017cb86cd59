"""The adapters: with one provider behind them they have to be as good as it is, whatever is in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tts import TTS
from sessionactors.model.errors import APIConnectionError
from sessionactors.providers.adapters import llm, realtime, stt, tts
from sessionactors.testing import ScriptedLLM, ScriptedReply, ScriptedTTS
from sessionactors.testing.conformance import Fault
from sessionactors.testing.scripted_tts import ScriptedVoice

from tests.conformance.fake_llm import FakeLLM, fake_llm_rig
from tests.conformance.fake_realtime import FakeRealtime, fake_realtime_rig
from tests.conformance.fake_stt import FakeSTT, fake_stt_rig
from tests.conformance.fake_tts import RATE, FakeTTS, fake_tts_rig
from tests.conformance.fake_vad import FakeVAD

DEAD = APIConnectionError("dead")


@asynccontextmanager
async def llm_fallback(fault: Fault | None) -> AsyncIterator[LLM]:
    yield llm.FallbackAdapter([ScriptedLLM(otherwise=ScriptedReply(error=DEAD)), FakeLLM(fault)])


@asynccontextmanager
async def tts_fallback(fault: Fault | None) -> AsyncIterator[TTS]:
    dead = ScriptedTTS(script=[ScriptedVoice(0.0, DEAD)] * 99, sample_rate=RATE)
    yield tts.FallbackAdapter([dead, FakeTTS(fault)], max_retry_per_tts=0)


@asynccontextmanager
async def stt_fallback(fault: Fault | None) -> AsyncIterator[STT]:
    yield stt.FallbackAdapter([FakeSTT(fault), FakeSTT(fault)])


@asynccontextmanager
async def realtime_fallback(fault: Fault | None) -> AsyncIterator[RealtimeModel]:
    yield realtime.FallbackAdapter([FakeRealtime(fault, ""), FakeRealtime(fault, "")])


@asynccontextmanager
async def tts_stream(fault: Fault | None) -> AsyncIterator[TTS]:
    yield tts.StreamAdapter(tts=FakeTTS(fault))


@asynccontextmanager
async def stt_stream(fault: Fault | None) -> AsyncIterator[STT]:
    yield stt.StreamAdapter(stt=FakeSTT(fault), vad=FakeVAD())


OTHERS = "the adapter asks others after such an error; what is left is that none could answer"
FINAL = {
    "rate_limit_is_retryable": OTHERS,
    "server_error_is_retryable": OTHERS,
    "unreachable_is_a_connection_error": OTHERS,
    "reconnects_have_a_ceiling": OTHERS,
}

RIGS = (
    replace(fake_llm_rig(), name="llm.FallbackAdapter", open=llm_fallback, connections=None, waived=FINAL),
    replace(fake_tts_rig(), name="tts.FallbackAdapter", open=tts_fallback, connections=None, waived=FINAL),
    replace(fake_tts_rig(), name="tts.StreamAdapter", open=tts_stream, connections=None),
    replace(
        fake_stt_rig(),
        name="stt.FallbackAdapter",
        open=stt_fallback,
        connections=None,
        waived={"refused_key_is_final": "the next stream is another recogniser's, with another key"},
    ),
    replace(
        fake_realtime_rig(),
        name="realtime.FallbackAdapter",
        open=realtime_fallback,
        connections=None,
        waived={
            "refused_key_is_final": "the next session is another model's, with another key",
            "rate_limit_is_retryable": "the next session is another model's, at once",
            "unreachable_is_a_connection_error": "the next session is another model's, at once",
        },
    ),
    replace(
        fake_stt_rig(),
        name="stt.StreamAdapter",
        open=stt_stream,
        connections=None,
        faults=frozenset(Fault) - {Fault.HALF_OPEN, Fault.DRIP, Fault.EMPTY},
    ),
)
