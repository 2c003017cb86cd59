"""Which exceptions leave the kernel: none but the one that belongs to the program.

Any ``BaseException`` (a ``CancelledError``, a ``SystemExit``) that left a handler, an effect or a callback would end
the loop, and with it every room.
"""

from __future__ import annotations

import threading


def escapes(error: BaseException) -> bool:
    """Whether an error must be raised on: only Ctrl-C, which Python raises in the main thread."""
    return isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread()
