"""The failover matrix on the wire: each fault of P13, brought on by servers that speak the vendors' protocols.

A vendor's provider, with its own SDK, is behind the adapter, with the faults of its rig of the conformance kit. Behind
it is one that works, or the same vendor with the same fault once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.realtime import RealtimeEvent, RealtimeModel, ResponseAudio, ResponseDone, ResponseText
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tts import TTS
from sessionactors.model.errors import APIError, ProviderReplaced
from sessionactors.model.sentinel import FLUSH
from sessionactors.providers.adapters import llm, realtime, stt, tts
from sessionactors.testing.conformance import Fault, RealtimeRig, STTRig
from sessionactors.testing.conformance.spoken import heard

from tests.conformance.fake_llm import FakeLLM, fake_llm_rig
from tests.conformance.fake_realtime import FakeRealtime, fake_realtime_rig
from tests.conformance.fake_stt import FakeSTT, fake_stt_rig
from tests.conformance.fake_tts import FakeTTS, fake_tts_rig
from tests.conformance.fake_vad import FakeVAD
from tests.conformance.our_rigs import AnyRig

ON_THE_WIRE: Final[Mapping[str, Sequence[Fault]]] = {
    "dead": (Fault.UNREACHABLE, Fault.SERVER_ERROR, Fault.RATE_LIMIT, Fault.INVALID_KEY),
    "hung": (Fault.SILENCE,),
    "empty success": (Fault.EMPTY,),
    "slow drip": (Fault.STALL,),
    "reconnect storm": (Fault.STORM,),
    "garbage": (Fault.GARBAGE,),
    "error mid-stream": (Fault.BREAK, Fault.HALF_OPEN),
}
"""What the faults of P13 are on the wire."""
UTTERANCES: Final = 3
"""That a recogniser is given: so many it may miss before it counts as deaf."""
ATTEMPTS: Final = 4
"""Requests of the one who asks, at most: as a session asks again where another provider takes the place."""
REPLIES: Final = 4
"""That are asked of a realtime model, at most, when they are empty."""


def faults_of(rig: AnyRig) -> list[Fault]:
    """What its server can bring on, of what P13 names."""
    return [fault for faults in ON_THE_WIRE.values() for fault in faults if fault in rig.faults]


def name_of(fault: Fault) -> str:
    """In P13's words."""
    return next(name for name, faults in ON_THE_WIRE.items() if fault in faults)


NEXT, ITSELF, NOTHING = "the next one answers", "it answers", "an empty answer, which the session calls an error"
ERROR, BROKE_OFF = "`APIError`", "`APIError` behind what was given out"


@dataclass(frozen=True)
class Outcome:
    """What came of a request."""

    came: str
    """One of those above."""
    seconds: float
    error: APIError | None = None


def expected(kind: str, name: str, *, both: bool) -> frozenset[str]:
    """What may come of a fault in P13's words."""
    if kind == "realtime" and name == "garbage":
        return frozenset({ITSELF})  # garbage costs one message
    if kind in ("llm", "tts") and name == "error mid-stream":
        return frozenset({BROKE_OFF})  # nobody else may begin anew
    if not both:
        return frozenset({NEXT, BROKE_OFF} if kind in ("llm", "tts") and name == "garbage" else {NEXT})
    if kind in ("llm", "realtime") and name == "empty success":
        return frozenset({NOTHING})
    return frozenset({ERROR, BROKE_OFF} if name in ("garbage", "error mid-stream", "slow drip") else {ERROR})


@asynccontextmanager
async def behind(rig: AnyRig, fault: Fault, attempt: float, *, both: bool) -> AsyncIterator[Any]:
    """An adapter of two, with the fault in the first or in both."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(rig.open(fault))
        second = await stack.enter_async_context(rig.open(fault)) if both else WORKING[rig.kind][0]()
        adapter = _adapter(rig.kind, [first, second], attempt)
        try:
            yield adapter
        finally:
            await adapter.aclose()


def _adapter(kind: str, members: list[Any], attempt: float) -> Any:
    match kind:
        case "llm":
            return llm.FallbackAdapter(members, attempt_timeout=attempt)
        case "tts":
            return tts.FallbackAdapter(members, attempt_timeout=attempt, max_retry_per_tts=0)
        case "stt":
            return stt.FallbackAdapter(members, vad=FakeVAD(), attempt_timeout=attempt, max_retry_per_stt=0)
        case _:
            return realtime.FallbackAdapter(members, attempt_timeout=attempt)


WORKING: Final[Mapping[str, tuple[type[LLM | RealtimeModel | STT | TTS], AnyRig]]] = {
    "llm": (FakeLLM, fake_llm_rig()),
    "realtime": (FakeRealtime, fake_realtime_rig()),
    "stt": (FakeSTT, replace(fake_stt_rig(), speed=None)),
    "tts": (FakeTTS, fake_tts_rig()),
}
"""Providers that work, and what is asked of them."""


async def outcome(rig: AnyRig, adapter: Any) -> Outcome:
    """What comes of a request, asked as a session asks: again where another provider takes the place."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    asked, replaced = rig, False
    items: list[object] = []
    for _ in range(ATTEMPTS):
        try:
            async for item in _request(asked, adapter):
                items.append(item)  # noqa: PERF401 - kept if it raises
        except ProviderReplaced:
            replaced = True
            asked = WORKING[rig.kind][1] if _works(adapter) else rig
            items.clear()
        except APIError as error:
            words = any(rig.is_answer(item) for item in items)
            return Outcome(BROKE_OFF if words else ERROR, loop.time() - began, error)
        else:
            if any(asked.is_answer(item) for item in items) or rig.kind != "stt":
                break
    if not any(asked.is_answer(item) for item in items):
        return Outcome(NOTHING, loop.time() - began)
    other = _works(adapter) and not WORKING[rig.kind][1].is_whole(items)
    return Outcome(NEXT if replaced or other else ITSELF, loop.time() - began)


def _works(adapter: Any) -> bool:
    """Whether the second one is the one that works."""
    return isinstance(adapter._members.all[1], FakeLLM | FakeRealtime | FakeSTT | FakeTTS)


async def _request(rig: AnyRig, adapter: Any) -> AsyncIterator[object]:
    """A request of a rig's; a recogniser is given several utterances."""
    if isinstance(rig, RealtimeRig):
        async for reply in _replies(adapter):
            yield reply
        return
    if not isinstance(rig, STTRig) or rig is WORKING["stt"][1]:
        async for item in rig.ask(adapter):
            yield item
        return
    said = [part for _ in range(UTTERANCES) for part in (rig.utterances[0], FLUSH)]
    async for event in rig.listen(adapter, heard(said, rig.speed, stays_open=True)):
        yield event


async def _replies(adapter: RealtimeModel) -> AsyncIterator[RealtimeEvent]:
    """A session in which a reply is asked for, again if it was empty, as a session does."""
    session = adapter.session()
    spoken, numbers = False, iter(range(1, REPLIES))
    session.generate_reply(request_id="request-0")
    try:
        async for event in session.events():
            yield event
            spoken = spoken or isinstance(event, ResponseText | ResponseAudio)
            if isinstance(event, ResponseDone):
                number = next(numbers, None)
                if spoken or number is None:
                    return
                session.generate_reply(request_id=f"request-{number}")
    finally:
        await session.aclose()
