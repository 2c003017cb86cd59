"""Each fault of P13, brought on by servers that speak the vendors' protocols, ends in its typed outcome in time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from docs.failover_table import wire_table
from sessionactors.model.errors import ProviderReplaced
from sessionactors.providers.adapters import AvailabilityChangedEvent
from sessionactors.testing.conformance import Fault, LLMRig, RealtimeRig, STTRig, TTSRig

from tests.conformance.our_rigs import AnyRig, vendors
from tests.failover.wire import (
    BROKE_OFF,
    ERROR,
    NEXT,
    ON_THE_WIRE,
    behind,
    expected,
    faults_of,
    name_of,
    outcome,
)

PAGE = Path(__file__).parents[2] / "docs" / "failover.md"
KINDS = (LLMRig, RealtimeRig, STTRig, TTSRig)
RIGS = [rig for kind in KINDS for rig in vendors(kind)]
HANGING = frozenset({Fault.SILENCE, Fault.STALL, Fault.HALF_OPEN})
"""Faults of which only time tells. The others show themselves, and get time, for busy machines."""
ATTEMPT, BRIEF, LONG = 0.25, 0.06, 2.0
"""Attempt timeouts, in real seconds: behind what hangs somebody works; nobody works; nothing hangs."""
WITHIN = 8
"""Attempt timeouts in which two providers have answered or failed: signs of life are enough for three of each."""
LATE = 3.0
"""Seconds by which a busy machine may be late."""


def attempt_of(rig: AnyRig, fault: Fault, *, both: bool) -> float:
    deaf = rig.kind == "stt" and fault is Fault.EMPTY
    if fault not in HANGING and not deaf:
        return LONG
    return BRIEF if both or rig.kind == "stt" else ATTEMPT  # a recogniser's successor has a stream of its own


def same(kind: str, name: str) -> bool:
    """Whether the second provider is never asked, so that it does not matter."""
    return expected(kind, name, both=False) == expected(kind, name, both=True)


@pytest.mark.parametrize(
    "rig, fault",
    [pytest.param(rig, fault, id=f"{rig}-{fault.value}") for rig in RIGS for fault in faults_of(rig)],
)
async def test_p13_a_vendors_provider_that_fails_is_followed_by_another_or_ends_typed(
    rig: AnyRig, fault: Fault
) -> None:
    told: list[AvailabilityChangedEvent[Any]] = []
    attempt = attempt_of(rig, fault, both=False)
    async with behind(rig, fault, attempt, both=False) as adapter:
        adapter.on(f"{rig.kind}_availability_changed", told.append)
        ended = await outcome(rig, adapter)
    assert ended.came in expected(rig.kind, name_of(fault), both=False)
    assert ended.seconds <= WITHIN * attempt + LATE
    if ended.came in (NEXT, BROKE_OFF):
        assert [event.available for event in told] == [False]
        assert told[0].provider is adapter._members.all[0]
    assert rig.secret not in f"{ended.error!r} {told}"


@pytest.mark.parametrize("rig", RIGS, ids=str)
async def test_p13_two_providers_that_fail_alike_end_typed(rig: AnyRig) -> None:
    """All its faults at once: each is only waited for."""
    firsts = {next((fault for fault in faults if fault in rig.faults), None) for faults in ON_THE_WIRE.values()}
    faults = [fault for fault in faults_of(rig) if fault in firsts | {Fault.INVALID_KEY, Fault.HALF_OPEN}]
    faults = [fault for fault in faults if not same(rig.kind, name_of(fault))]
    async with AsyncExitStack() as stack:
        pairs = [behind(rig, fault, attempt_of(rig, fault, both=True), both=True) for fault in faults]
        adapters = [await stack.enter_async_context(pair) for pair in pairs]
        ended = await asyncio.gather(*(outcome(rig, adapter) for adapter in adapters))
    for fault, came in zip(faults, ended, strict=True):
        assert came.came in expected(rig.kind, name_of(fault), both=True), fault
        assert came.seconds <= WITHIN * attempt_of(rig, fault, both=True) + LATE, fault
        assert not isinstance(came.error, ProviderReplaced), fault
        if came.came == ERROR and rig.kind != "realtime":
            assert came.error is not None
            assert "all 2 providers failed" in str(came.error), fault
            assert not came.error.retryable, fault  # the budget is one: the session does not ask again
        assert rig.secret not in repr(came.error)


def test_the_page_has_the_matrix_of_the_wire() -> None:
    assert wire_table() in PAGE.read_text(), "run: python docs/failover_table.py --write"
