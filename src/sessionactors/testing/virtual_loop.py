"""An event loop whose clock jumps: when nothing is ready it moves to the next timer at once.

Kernel, providers and user code share the loop, so a ten-minute call takes as long as its work. Time is counted in
integer nanoseconds. What would wait for the real world (a socket, a thread) has nothing to wait for here: a loop with
no timer and nothing ready raises :class:`Quiescent` instead of hanging.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine
from typing import TypeVar

from sessionactors.runtime.clock import NS, nanoseconds

T = TypeVar("T")

THREAD_PATIENCE = 5.0
"""Real seconds to wait for a helper thread (a plain ``def`` tool, DNS) when nothing else can happen."""


class Quiescent(RuntimeError):
    """Raised when nothing is ready, no timer is armed and no thread runs: what is awaited can never happen."""


class _JumpingSelector(selectors.BaseSelector):
    """Polls the real selector without waiting, and moves the clock by what the loop wanted to wait."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self._loop.executor_works():
            ready = self._real.select(0.25)  # ``to_thread`` works: give it real time before the clock jumps
            if ready:
                return ready
        if threading.active_count() > self._loop.threads_at_start:
            # A thread may call back: give it real time, in which the virtual clock stands still.
            ready = self._real.select(THREAD_PATIENCE if timeout is None else 0.002)
            if ready:
                return ready
        ready = self._real.select(0)  # a thread may have called back and ended since the first look
        if ready:
            return ready
        if timeout is None:
            raise Quiescent("nothing is ready and no timer is armed: what is awaited can never happen")
        self._loop.advance(timeout)
        return []

    def register(self, fileobj: int, events: int, data: object = None) -> selectors.SelectorKey:  # type: ignore[override]
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: int) -> selectors.SelectorKey:  # type: ignore[override]
        return self._real.unregister(fileobj)

    def modify(self, fileobj: int, events: int, data: object = None) -> selectors.SelectorKey:  # type: ignore[override]
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> object:  # type: ignore[override]
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector loop in virtual time, starting at 0 s; the wall clock starts at ``wall_origin``."""

    wall_origin = 1_700_000_000.0
    """Seconds since the epoch at virtual time 0, the same in every run."""

    def __init__(self) -> None:
        self._now_ns = 0
        self.threads_at_start = threading.active_count()
        super().__init__(_JumpingSelector(self))
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Virtual seconds."""
        return self._now_ns / NS

    def time_ns(self) -> int:
        """Virtual nanoseconds; the actor system takes its clock from here."""
        return self._now_ns

    def executor_works(self) -> bool:
        """Whether the loop's own thread pool has work that is not done."""
        pool: object = getattr(self, "_default_executor", None)
        idle: object = getattr(getattr(pool, "_idle_semaphore", None), "_value", None)
        threads: object = getattr(pool, "_threads", None)
        return isinstance(idle, int) and isinstance(threads, set) and idle < len(threads)

    def advance(self, seconds: float) -> None:
        """Move the clock. The loop calls it when all is quiet."""
        self._now_ns += max(1, nanoseconds(seconds))


def run(main: Callable[[], Coroutine[object, object, T]]) -> T:
    """Run a coroutine function in virtual time, as ``asyncio.run`` does in real time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
