"""A provider's stream read in an effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from sessionactors.actors.provider_stream import relay
from sessionactors.runtime import EffectPort


class Port:
    """Takes so many messages, then makes the stream wait for ever."""

    def __init__(self, window: int) -> None:
        self.sent: list[int] = []
        self._window = window

    async def send(self, message: int) -> None:
        if len(self.sent) >= self._window:
            await asyncio.get_running_loop().create_future()
        self.sent.append(message)


class Counting:
    """A stream of numbers that knows whether it was closed."""

    def __init__(self, upto: int) -> None:
        self.closed = False
        self._upto = upto

    async def events(self) -> AsyncIterator[int]:
        try:
            for number in range(self._upto):
                yield number
        finally:
            self.closed = True


class Bare(AsyncIterator[int]):
    """An iterator that cannot be closed."""

    async def __anext__(self) -> int:
        raise StopAsyncIteration


def as_port(port: Port) -> EffectPort[int]:
    return cast("EffectPort[int]", port)


async def test_each_event_becomes_a_message() -> None:
    port, stream = Port(10), Counting(3)
    await relay(stream.events(), lambda number: number + 100, as_port(port))
    assert (port.sent, stream.closed) == ([100, 101, 102], True)


async def test_a_stream_is_closed_when_its_effect_is_cancelled_while_the_owner_is_slow() -> None:
    port, stream = Port(1), Counting(3)
    events = stream.events()
    task = asyncio.create_task(relay(events, lambda number: number, as_port(port)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (port.sent, stream.closed) == ([0], True)


async def test_an_iterator_without_a_close_just_ends() -> None:
    port = Port(1)
    await relay(Bare(), lambda number: number, as_port(port))
    assert port.sent == []
