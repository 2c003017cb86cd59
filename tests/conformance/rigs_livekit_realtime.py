"""The realtime model of livekit.plugins.openai, as a session takes it, against a server that speaks its protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from livekit.agents import APIConnectOptions
from livekit.plugins import openai

from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.providers.livekit_plugins import adopted
from sessionactors.testing.conformance import Fault

from tests.conformance.rigs_openai_realtime import KEY, ON_THE_WIRE, replies, servers
from tests.conformance.rigs_openai_realtime import RIGS as OURS
from tests.wire.openai_realtime import Call, OpenAIRealtimeServer, Said


@asynccontextmanager
async def opened(fault: Fault | None) -> AsyncIterator[RealtimeModel]:
    call = Call(None if fault is None else ON_THE_WIRE.get(fault))
    server = OpenAIRealtimeServer(lambda asked: replies(fault, asked), [Said("Good morning.")], [call], key=KEY)
    servers.append(server)
    async with server:
        if fault is Fault.UNREACHABLE:
            await server.__aexit__()
        key = "sk-another-key" if fault is Fault.INVALID_KEY else KEY
        plugin: Any = openai.realtime.RealtimeModel(
            api_key=key, base_url=server.url, conn_options=APIConnectOptions(max_retry=0)
        )
        model: Any = adopted(plugin)
        yield model


FAULTS = OURS[0].faults - {Fault.HALF_OPEN, Fault.DRIP}  # nothing of them is the adapter's

RIGS = (replace(OURS[0], name="livekit openai.RealtimeModel", open=opened, faults=FAULTS),)
