"""A signal wakes the loop of the main thread, so that its handler runs now and not with the next event.

The interpreter runs a handler between two instructions of the main thread. A signal that comes in the last moment
before an idle loop falls asleep is therefore answered when something else wakes it, which in a silent program is never:
Ctrl-C seems to be ignored. For this the interpreter can write to a socket at once; asyncio asks it to only for handlers
of ``add_signal_handler``, not for the one of ``asyncio.run``, nor for those of ``signal.signal``.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_CHUNK: Final = 4096


@contextmanager
def woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While it lasts, each signal wakes the loop.

    Does nothing where something else does so already, outside of the main thread, and on Windows, whose loop does.

    Args:
        loop: the one that runs, or will run, in this thread.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    hears, tells = socket.socketpair()
    with hears, tells:
        hears.setblocking(False)
        tells.setblocking(False)
        before = signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
        if before != -1:
            signal.set_wakeup_fd(before)
            yield
            return
        loop.add_reader(hears, _emptied, hears)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            if not loop.is_closed():
                loop.remove_reader(hears)


def _emptied(hears: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        hears.recv(_CHUNK)
