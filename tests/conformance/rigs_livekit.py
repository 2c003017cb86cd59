"""Rooms of LiveKit: the transport in a loopback room, which is the SDK's as far as the transport sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from livekit import rtc

from sessionactors.interfaces.transport import Transport
from sessionactors.model.audio import AudioFrame
from sessionactors.testing import VirtualLoop
from sessionactors.testing.conformance import Fault, TransportRig
from sessionactors.transports.livekit import LiveKitTransport

from tests.transports.livekit.loopback import Loopback, Mic, built
from tests.transports.livekit.loopback_text import Typed, type_into

CALLERS: dict[int, tuple[Loopback, Mic, set[asyncio.Task[None]]]] = {}
FRAME = AudioFrame(bytes(2 * 1200), 24000)
"""50 ms, as the SDK's streams give them."""


def opener(*, joined: bool) -> Callable[[Fault | None], AbstractAsyncContextManager[Transport]]:
    @asynccontextmanager
    async def opened(fault: Fault | None) -> AsyncIterator[Transport]:
        """The fault is a server that lets nobody in; a room of the user's own is connected, or it is not one."""
        with pytest.MonkeyPatch.context() as patches:
            house, mic = built(patches), Mic("TR_1")
            house.come("caller", mic)
            if fault is Fault.UNREACHABLE:
                house.refusals += [rtc.ConnectError("no route to the server")] * 100
            if joined:
                transport = LiveKitTransport(url="ws://server", token="t")
            else:
                room = rtc.Room()
                await room.connect("ws://server", "t")
                transport = LiveKitTransport(room)
            tasks: set[asyncio.Task[None]] = set()
            CALLERS[id(transport)] = house, mic, tasks
            yield transport
            del CALLERS[id(transport)]
            for task in tasks:
                await task

    return opened


def speaks(transport: Transport) -> None:
    _, mic, tasks = CALLERS[id(transport)]
    tasks.add(asyncio.create_task(_say(mic)))


async def _say(mic: Mic) -> None:
    for _ in range(20):
        mic.say(FRAME)
        await asyncio.sleep(FRAME.duration)


def types(transport: Transport, text: str) -> None:
    house, _, _ = CALLERS[id(transport)]
    type_into(house.room, Typed(text), "caller")


RIGS = (
    TransportRig(
        name="LiveKitTransport(url=, token=)",
        open=opener(joined=True),
        faults=frozenset({Fault.UNREACHABLE}),
        speak=speaks,
        type=types,
        loop_factory=VirtualLoop,
    ),
    TransportRig(
        name="LiveKitTransport(room)", open=opener(joined=False), speak=speaks, type=types, loop_factory=VirtualLoop
    ),
)
