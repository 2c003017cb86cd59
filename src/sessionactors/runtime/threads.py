"""Threads for what blocks: the handlers of actors that ask for their own thread, and plain functions of users.

Threads are daemons with readable names, so that a hung one neither keeps the process alive nor hides.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from . import handling, lifecycle
from .errors import KernelError

if TYPE_CHECKING:
    from .cell import Cell
    from .envelope import Envelope

R = TypeVar("R")

MAX_THREADS = 256
"""Blocking functions that may run at once in one actor system."""

_local = threading.local()


class TooManyThreads(KernelError, RuntimeError):
    """Raised when more blocking functions run at once than the actor system allows."""


class Threads:
    """The threads of one actor system."""

    def __init__(self, limit: int = MAX_THREADS) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._handlers: dict[str, queue.SimpleQueue[Callable[[], None] | None]] = {}
        self._running: dict[int, str] = {}

    # -- handlers on their own thread --------------------------------------------------------------------------------

    def submit_handler(self, cell: Cell, envelope: Envelope) -> None:
        """Run one handler on the thread of its actor; the cell hears of it on the loop."""
        work = self._handlers.get(cell.path)
        if work is None:
            work = self._handlers[cell.path] = queue.SimpleQueue()
            lifecycle.when_stopped(cell, lambda: self._retire(cell.path))
            threading.Thread(target=self._serve, args=(work,), name=f"actor {cell.path}", daemon=True).start()
        state = cell.state
        origin = envelope.origin
        chain = (*(origin.ask_chain if origin is not None else ()), cell.path)

        def handle() -> None:
            _local.ask_chain = chain
            new_state: object = None
            error: BaseException | None = None
            try:
                new_state = cell.actor.receive(state, envelope.message, cell.outbox)
            except BaseException as raised:
                error = raised
            finally:
                _local.ask_chain = ()
            cell.system.call(lambda: handling.handled_on_thread(cell, envelope, new_state, error))

        work.put(handle)

    @staticmethod
    def _serve(work: queue.SimpleQueue[Callable[[], None] | None]) -> None:
        while (call := work.get()) is not None:
            call()

    def _retire(self, path: str) -> None:
        work = self._handlers.pop(path, None)
        if work is not None:
            work.put(None)

    @staticmethod
    def ask_chain() -> tuple[str, ...]:
        """Paths of the actors that wait, through asks, for the handler running on this thread."""
        chain: tuple[str, ...] = getattr(_local, "ask_chain", ())
        return chain

    # -- blocking functions ------------------------------------------------------------------------------------------

    async def run(self, name: str, function: Callable[[], R]) -> R:
        """Run a blocking function in a thread of its own, in a copy of the caller's context variables.

        A cancelled caller stops waiting; the thread runs on until the function returns, and :meth:`running` names it.

        Raises:
            TooManyThreads: the limit is reached; nothing was started.
        """
        with self._lock:
            if len(self._running) >= self._limit:
                raise TooManyThreads(f"{self._limit} blocking functions run already; {name} was not started")
        loop = asyncio.get_running_loop()
        result: asyncio.Future[R] = loop.create_future()
        context = contextvars.copy_context()

        def settle(value: R | None, error: BaseException | None) -> None:
            if result.done():
                return
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(value)  # type: ignore[arg-type]

        def work() -> None:
            value: R | None = None
            error: BaseException | None = None
            try:
                value = context.run(function)
            except StopIteration as raised:  # a future cannot carry it
                error = RuntimeError(f"{name} raised StopIteration")
                error.__cause__ = raised
            except BaseException as raised:
                error = raised
            with self._lock:
                del self._running[threading.get_ident()]
            try:
                loop.call_soon_threadsafe(settle, value, error)
            except RuntimeError:  # the caller's loop has closed: nobody waits any more
                return

        def enter() -> None:
            with self._lock:
                self._running[threading.get_ident()] = name
            work()

        threading.Thread(target=enter, name=name, daemon=True).start()
        return await result

    def running(self, prefix: str = "") -> list[str]:
        """Names of the blocking functions that run now."""
        with self._lock:
            return [name for name in self._running.values() if name.startswith(prefix)]

    def close(self) -> None:
        """Let the handler threads end."""
        for path in list(self._handlers):
            self._retire(path)
