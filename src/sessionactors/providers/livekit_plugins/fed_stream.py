"""A plugin's stream while it is fed: what it says, and its end in every case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class PluginStream(Protocol[T_co]):
    """What streams of livekit.agents have in common."""

    def __aiter__(self) -> AsyncIterator[T_co]: ...

    async def aclose(self) -> None: ...


async def fed(
    stream: PluginStream[T], feeding: Coroutine[object, object, None], context: Context
) -> AsyncGenerator[T, None]:
    """All that the stream says; nothing of it is left when this ends, or is closed.

    Args:
        stream: of a plugin; closed here.
        feeding: gives it its input, and ends it.
        context: where that runs.

    Raises:
        Exception: what the stream raised, or else what feeding it raised.
    """
    feeder = asyncio.create_task(feeding, context=context)
    try:
        async for said in stream:
            yield said
        if feeder.done():
            feeder.result()
    finally:
        feeder.cancel()
        with suppress(asyncio.CancelledError, Exception):  # told above, where it counts
            await feeder
        await stream.aclose()
