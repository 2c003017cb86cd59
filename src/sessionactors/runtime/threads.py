"""Threads for what blocks: the handlers of actors that ask for their own thread, and plain functions of users.

Threads are daemons with readable names, so that a hung one neither keeps the process alive nor hides.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from . import handling, lifecycle
from .errors import KernelError, SystemClosed

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
        self._running: dict[queue.SimpleQueue[Callable[[], None] | None], str] = {}
        self._functions: dict[object, str] = {}

    # -- handlers on their own thread --------------------------------------------------------------------------------

    def submit_handler(self, cell: Cell, envelope: Envelope) -> None:
        """Run one handler on the thread of its actor; the cell hears of it on the loop."""
        work = self._handlers.get(cell.path)
        if work is None:
            work = self._handlers[cell.path] = queue.SimpleQueue()
            lifecycle.when_stopped(cell, lambda: self.retire_handler(cell))
            threading.Thread(target=self._serve, args=(work,), name=f"actor {cell.path}", daemon=True).start()
        actor, state, out = cell.actor, cell.state, cell.outbox  # of this incarnation, whatever becomes of the cell
        chain = (*(envelope.reply_to.ask_chain if envelope.reply_to is not None else ()), cell.path)

        def handle() -> None:
            _local.ask_chain = chain
            new_state: object = None
            error: BaseException | None = None
            with self._lock:
                self._running[work] = cell.path
            try:
                new_state = actor.receive(state, envelope.message, out)
            except BaseException as raised:
                error = raised
            with self._lock:
                del self._running[work]
            _local.ask_chain = ()
            with suppress(SystemClosed):  # abandoned by a system that has closed since: nobody waits for it
                cell.system.call(lambda: handling.handled_on_thread(cell, envelope, new_state, error))

        work.put(handle)

    def retire_handler(self, cell: Cell) -> None:
        """The actor needs its thread no more; a handler that is stuck in it may end when it likes."""
        work = self._handlers.pop(cell.path, None)
        if work is not None:
            work.put(None)

    @staticmethod
    def _serve(work: queue.SimpleQueue[Callable[[], None] | None]) -> None:
        while (call := work.get()) is not None:
            call()

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
        loop = asyncio.get_running_loop()
        result: asyncio.Future[R] = loop.create_future()
        context = contextvars.copy_context()
        place = object()
        with self._lock:  # counted before the thread starts, so that a burst cannot pass the limit
            if len(self._functions) >= self._limit:
                raise TooManyThreads(f"{self._limit} blocking functions run already; {name} was not started")
            self._functions[place] = name

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
                del self._functions[place]
            try:
                loop.call_soon_threadsafe(settle, value, error)
            except RuntimeError:  # the caller's loop has closed: nobody waits any more
                return

        try:
            threading.Thread(target=work, name=name, daemon=True).start()
        except RuntimeError:
            with self._lock:
                del self._functions[place]
            raise
        return await result

    def running(self, prefix: str = "") -> list[str]:
        """Names of the blocking functions, and paths of the actors with a handler on their own thread, that run now."""
        with self._lock:
            return [name for name in (*self._functions.values(), *self._running.values()) if name.startswith(prefix)]

    def close(self) -> None:
        """Let the handler threads end."""
        for path in list(self._handlers):
            self._handlers.pop(path).put(None)
