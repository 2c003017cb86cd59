"""One provider object for many rooms: requests of all of them, every second one given up in the middle."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Final

from sessionactors.testing.conformance.reading import Reading

from tests.conformance.our_rigs import AnyRig

LINES: Final = frozenset({"deepgram.TTS", "elevenlabs.TTS"})
"""Who keeps sockets open, on which a text can be stopped."""
PATIENCE: Final = 30.0
"""Seconds for a request: machines are busy."""


@dataclass(frozen=True)
class Shared:
    """What came of the requests."""

    answered: int
    given_up: int
    connections: int
    """That were made beyond those that were open before."""


async def warm(rig: AnyRig, provider: Any, *, rooms: int) -> None:
    """Two requests of each room: pools, threads, imports and connections have come by then."""
    await share(rig, provider, rooms=rooms, each=2)


async def share(rig: AnyRig, provider: Any, *, rooms: int, each: int) -> Shared:
    """Ask ``rooms`` times ``each`` requests, the rooms side by side.

    Args:
        rig: how it is asked, and how its connections are counted.
        provider: is asked.
        rooms: at once.
        each: requests of a room, one after the other; even.
    """
    assert rig.connections is not None
    seen = rig.connections()
    patient = replace(rig, patience=PATIENCE)
    heard = sum(await asyncio.gather(*(_room(patient, provider, each) for _ in range(rooms))))
    return Shared(heard, rooms * each - heard, rig.connections() - seen)


def most_connections(rig: AnyRig, shared: Shared, rooms: int) -> int:
    """How many new ones the protocol needs."""
    if rig.kind in ("stt", "realtime"):
        return shared.answered + shared.given_up  # a stream is a connection
    if rig.name in LINES:
        return rooms
    return shared.given_up + rooms  # HTTP/1.1 can only close a connection to stop an answer


async def _room(rig: AnyRig, provider: Any, requests: int) -> int:
    """How many of a room's requests were answered to their end."""
    heard = 0
    for number in range(requests):
        reading = Reading(rig, provider)
        if number % 2:
            await reading.first()
            if not reading.task.done():
                await reading.cancel()
            continue
        error = await reading.over()
        assert error is None, repr(error)
        assert not (wrong := rig.is_whole(reading.items)), wrong
        heard += 1
    return heard
