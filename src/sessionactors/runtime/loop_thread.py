"""The thread in which an actor system runs its own loop: its start, its end, and what they clean up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

RESOLVERS = 4
"""Threads for what asyncio itself hands to an executor: name look-ups of sockets on the actor loop."""


class LoopThread:
    """Runs a new loop (uvloop where present) until it is stopped.

    Args:
        begin: called with the loop, on the thread, before it runs; what it raises is raised by :meth:`start`.
        end: called on the thread when the loop is closed.
    """

    def __init__(self, begin: Callable[[asyncio.AbstractEventLoop], None], end: Callable[[], None]) -> None:
        self._begin = begin
        self._end = end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sessionactors loop", daemon=True)

    def start(self) -> None:
        """Start, and wait until the loop runs."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self, patience: float) -> bool:
        """Stop the loop and wait for the thread; False if it is blocked and has not ended in ``patience`` seconds."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it is closed already
                self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        loop = self._loop = new_loop()
        resolvers = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="sessionactors resolver")
        loop.set_default_executor(resolvers)
        asyncio.set_event_loop(loop)
        try:
            self._begin(loop)
            loop.call_soon(self._ready.set)
            loop.run_forever()
        except BaseException as error:
            self._failure = error
        finally:
            finish(loop)
            resolvers.shutdown(wait=False, cancel_futures=True)
            self._end()
            self._ready.set()


def new_loop() -> asyncio.AbstractEventLoop:
    """The fastest loop there is."""
    try:
        import uvloop  # noqa: PLC0415 - where it is installed
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def finish(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what still runs, for a second at most, and close the loop."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
