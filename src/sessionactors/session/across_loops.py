"""An async iterator that runs on one loop, read on another: how user code asks a provider at its home."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def carried(loop: asyncio.AbstractEventLoop, make: Callable[[], AsyncIterator[T]]) -> AsyncGenerator[T, None]:
    """Iterate on ``loop`` over what ``make`` gives there, and yield it here, one item ahead at most.

    Closing it, or cancelling who reads it, cancels the iteration on its loop, which closes the iterator there.

    Args:
        loop: where the iterator lives; it may be this loop.
        make: gives the iterator; called on ``loop``.
    """
    here = asyncio.get_running_loop()
    if loop is here:
        iterator = make()
        try:
            async for item in iterator:
                yield item
        finally:
            await _close(iterator)
        return
    arrived: asyncio.Queue[tuple[T] | None] = asyncio.Queue()
    taken = asyncio.Semaphore(1)

    async def read() -> None:
        iterator = make()
        try:
            async for item in iterator:
                await taken.acquire()
                here.call_soon_threadsafe(arrived.put_nowait, (item,))
        finally:
            await _close(iterator)

    reading = asyncio.run_coroutine_threadsafe(read(), loop)
    reading.add_done_callback(lambda _: _told(here, arrived))
    try:
        while (box := await arrived.get()) is not None:
            yield box[0]
            loop.call_soon_threadsafe(taken.release)
        reading.result()
    finally:
        reading.cancel()


async def called(loop: asyncio.AbstractEventLoop, call: Callable[[], Awaitable[T]]) -> T:
    """Await on ``loop`` what ``call`` gives there.

    Args:
        loop: where the object lives that is called; it may be this loop.
        call: called on ``loop``. What it raises is raised here.
    """
    if loop is asyncio.get_running_loop():
        return await call()

    async def there() -> T:
        return await call()

    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there(), loop))


def _told(here: asyncio.AbstractEventLoop, arrived: asyncio.Queue[tuple[T] | None]) -> None:
    """Nothing more comes."""
    with suppress(RuntimeError):  # the reader's loop is closed: nobody waits
        here.call_soon_threadsafe(arrived.put_nowait, None)


async def _close(iterator: object) -> None:
    """An iterator that is no generator may have nothing to close."""
    aclose = getattr(iterator, "aclose", None)
    if aclose is not None:
        await aclose()
