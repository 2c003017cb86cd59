"""How the threads of offline engines get back to event loops, and how a loop waits for their end without blocking."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

import structlog

_POLL: Final = 0.005

log = structlog.get_logger(__name__)


def call_on_loop(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *args: object) -> None:
    """Have a call made on a loop, from any thread. A loop that was closed meanwhile has nobody left to tell."""
    try:
        loop.call_soon_threadsafe(call, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise
        log.debug("result of an offline engine for a closed loop", call=getattr(call, "__qualname__", repr(call)))


async def ended(thread: threading.Thread) -> None:
    """Wait for the end of a thread that was told to end. ``join`` would block the loop, and an end has no callback."""
    while thread.is_alive():  # noqa: ASYNC110
        await asyncio.sleep(_POLL)
