"""OpenAI's realtime model, against a server on this machine that speaks its protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.model.audio import AudioFrame
from sessionactors.providers import openai
from sessionactors.testing.conformance import Fault, RealtimeRig, Utterance

from tests.wire import vendor_server
from tests.wire.openai_realtime import Call, OpenAIRealtimeServer, Reply, Said

KEY = "sk-conformance-key"
MIDWAY = 9
"""Messages by which a reply has begun to be heard."""
ON_THE_WIRE: Mapping[Fault, vendor_server.Fault] = {
    Fault.RATE_LIMIT: vendor_server.Fault(status=429, body={"error": {"code": "rate_limit_exceeded"}}),
    Fault.SERVER_ERROR: vendor_server.Fault(status=503),
    Fault.STORM: vendor_server.Fault(after=0, close=(1011, "internal")),
    Fault.SILENCE: vendor_server.Fault(after=1, silent=True),
    Fault.HALF_OPEN: vendor_server.Fault(after=MIDWAY, half_open=True),
    Fault.BREAK: vendor_server.Fault(after=MIDWAY, cut=True),
    Fault.GARBAGE: vendor_server.Fault(after=MIDWAY, garbage="{no json"),
    Fault.STALL: vendor_server.Fault(
        after=2, chatter={"type": "rate_limits.updated", "event_id": "e", "rate_limits": []}
    ),
}
NUMBERS = "One two three four five six seven eight nine ten."

servers: list[OpenAIRealtimeServer] = []


def replies(fault: Fault | None, asked: dict[str, Any]) -> Reply:
    if fault is Fault.EMPTY:
        return Reply()
    if asked.get("tool_choice") == "required":
        return Reply(calls=[("get_weather", '{"city": "Oslo"}')])
    return Reply(NUMBERS, 1.0, pace=0.02 if fault is Fault.DRIP else 0.002)


@asynccontextmanager
async def opened(fault: Fault | None) -> AsyncIterator[RealtimeModel]:
    call = Call(None if fault is None else ON_THE_WIRE.get(fault))
    server = OpenAIRealtimeServer(lambda asked: replies(fault, asked), [Said("Good morning.")], [call], key=KEY)
    servers.append(server)
    async with server:
        if fault is Fault.UNREACHABLE:
            await server.__aexit__()
        key = "sk-another-key" if fault is Fault.INVALID_KEY else KEY
        yield openai.realtime.RealtimeModel(api_key=key, base_url=server.url)


RIGS = (
    RealtimeRig(
        name="openai.RealtimeModel",
        open=opened,
        faults=frozenset({*ON_THE_WIRE, Fault.INVALID_KEY, Fault.UNREACHABLE, Fault.EMPTY, Fault.DRIP}),
        secret=KEY,
        connections=lambda: len(servers[-1].connections),
        most_connections=1,
        utterance=Utterance(AudioFrame(bytes(2 * 24000 // 4), 24000), "Good morning."),
        waived={"garbage_is_a_typed_error": "garbage costs one message, not the session: test_realtime_faults.py"},
    ),
)
