"""The failover matrix again, with vendors' SDKs against servers that speak their protocols (P13).

Each vendor's rig of the conformance kit brings on its faults; behind it in the adapter is a provider that works.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessionactors.interfaces.llm import ChatChunk
from sessionactors.interfaces.tts import SynthesizedAudio
from sessionactors.model.errors import APIError, ProviderReplaced
from sessionactors.providers.adapters import AvailabilityChangedEvent, llm, stt, tts
from sessionactors.testing.conformance import Fault, LLMRig, Rig, STTRig, TTSRig

from tests.conformance.fake_llm import FakeLLM, answer_to
from tests.conformance.fake_stt import FakeSTT
from tests.conformance.fake_tts import PER_CHARACTER, RATE, FakeTTS
from tests.conformance.our_rigs import MODULES, rigs_of

NOT_VENDORS = {"rigs_adapters", "rigs_offline", "rigs_scripted", "rigs_transports"}
BEFORE = (Fault.INVALID_KEY, Fault.SERVER_ERROR, Fault.UNREACHABLE, Fault.STORM, Fault.SILENCE, Fault.EMPTY)
MIDWAY = (Fault.BREAK, Fault.GARBAGE, Fault.HALF_OPEN)
ATTEMPT = 0.25
"""Attempt timeout: real seconds here."""
WITHIN = 2.0
"""Seconds in which an outcome must be there."""


def cases(kind: type[Rig[Any]], faults: tuple[Fault, ...]) -> list[Any]:
    rigs = [rig for name in MODULES if name not in NOT_VENDORS for rig in rigs_of(name) if isinstance(rig, kind)]
    return [
        pytest.param(rig, fault, id=f"{rig.name}-{fault.value.replace(' ', '_')}")
        for rig in rigs
        for fault in faults
        if fault in rig.faults
    ]


async def heard(rig: Rig[Any], adapter: Any) -> tuple[list[Any], Exception | None]:
    """What an adapter gives for the rig's request, and what it raises."""
    items: list[Any] = []
    try:
        async with asyncio.timeout(WITHIN):
            async for item in rig.ask(adapter):  # type: ignore[attr-defined]
                items.append(item)  # noqa: PERF401 - kept if it raises
    except APIError as error:
        return items, error
    return items, None


def words(items: list[Any]) -> str:
    return "".join(item.content for item in items if isinstance(item, ChatChunk))


def seconds(items: list[Any]) -> float:
    return sum(item.frame.duration for item in items if isinstance(item, SynthesizedAudio))


@pytest.mark.parametrize("rig, fault", cases(LLMRig, (*BEFORE, *MIDWAY)))
async def test_p13_a_vendors_model_that_fails_is_followed_by_another_or_ends_typed(rig: LLMRig, fault: Fault) -> None:
    async with rig.open(fault) as broken:
        good = FakeLLM()
        adapter = llm.FallbackAdapter([broken, good], attempt_timeout=ATTEMPT)
        items, error = await heard(rig, adapter)
        if error is None:
            assert words(items) == answer_to(rig.prompt)
        else:
            assert fault in MIDWAY
            assert not good.backend.connections
        await adapter.aclose()


@pytest.mark.parametrize("rig, fault", cases(TTSRig, (*BEFORE, *MIDWAY)))
async def test_p13_a_vendors_voice_that_fails_is_followed_by_another_or_ends_typed(rig: TTSRig, fault: Fault) -> None:
    async with rig.open(fault) as broken:
        good = FakeTTS()
        adapter = tts.FallbackAdapter([broken, good], attempt_timeout=ATTEMPT, max_retry_per_tts=0)
        items, error = await heard(rig, adapter)
        if error is None:
            expected = sum(map(len, rig.pieces)) * PER_CHARACTER / RATE
            assert seconds(items) == pytest.approx(expected, abs=0.05)
            assert good.backend.connections == 1
        else:
            assert fault in MIDWAY
            assert seconds(items) > 0
            assert not good.backend.connections
        await adapter.aclose()


@pytest.mark.parametrize(
    "rig, fault", cases(STTRig, (Fault.INVALID_KEY, Fault.UNREACHABLE, Fault.BREAK, Fault.GARBAGE))
)
async def test_p13_a_vendors_recogniser_that_fails_is_replaced(rig: STTRig, fault: Fault) -> None:
    told: list[AvailabilityChangedEvent[Any]] = []
    async with rig.open(fault) as broken:
        good = FakeSTT()
        adapter = stt.FallbackAdapter([broken, good], attempt_timeout=ATTEMPT, max_retry_per_stt=0)
        adapter.on("stt_availability_changed", told.append)
        _, error = await heard(rig, adapter)
        assert isinstance(error, ProviderReplaced)
        assert [(event.provider, event.available) for event in told] == [(broken, False)]
        await adapter.aclose()
