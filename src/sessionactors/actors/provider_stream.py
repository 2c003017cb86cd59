"""Reading a provider's stream in an effect: each event becomes a message, and the stream is closed whatever happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from sessionactors.runtime import EffectPort

E = TypeVar("E")
M = TypeVar("M")


async def relay(events: AsyncIterator[E], into: Callable[[E], M], port: EffectPort[M]) -> None:
    """Send ``into(event)`` for each event, until the stream ends.

    The stream is closed here and not left to the garbage collector: a cancelled effect may be waiting in ``port.send``,
    outside of the provider's generator, which would then keep its connection.
    """
    try:
        async for event in events:
            await port.send(into(event))
    finally:
        aclose = getattr(events, "aclose", None)
        if aclose is not None:
            await aclose()
