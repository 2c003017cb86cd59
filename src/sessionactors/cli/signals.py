"""SIGINT and SIGTERM: the first asks a command to end in order, the second ends the process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Asked(asyncio.Event):
    """Set by the first signal."""

    number: int = 0
    """Which it was."""


@contextmanager
def signalled() -> Iterator[Asked]:
    """The first sets the event; the second ends the process, whatever its loops do."""
    loop, asked = asyncio.get_running_loop(), Asked()
    told = False

    def on_signal(number: int, _: FrameType | None) -> None:
        nonlocal told
        if told:
            os._exit(128 + number)
        told = True
        asked.number = number
        loop.call_soon_threadsafe(asked.set)

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
