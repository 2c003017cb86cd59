"""An event loop whose clock jumps: when nothing is ready it moves to the next timer at once.

Kernel, providers and user code share the loop, so a ten-minute call takes as long as its work. Time is counted in
integer nanoseconds. What would wait for the real world (a socket, a thread) has nothing to wait for here: a loop with
no timer and nothing ready raises :class:`Quiescent` instead of hanging.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, TypeVar, TypeVarTuple, Unpack, cast

from sessionactors.runtime.clock import NS, nanoseconds

from .choices import Choices
from .escapes import refuse
from .ready_queue import ReadyQueue

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

POOL = "sessionactors virtual"
"""Begins the names of the loop's own helper threads, which stay when their work is done."""

WRITING = "sessionactors journals"
"""Name of the thread that writes journals: it calls nobody back."""

THREAD_PATIENCE = 5.0
"""Real seconds to wait for a helper thread (a plain ``def`` tool, DNS) when nothing else can happen."""
LENT_PATIENCE = 1.0
"""Real seconds for which each jump of the clock waits for work in the loop's own helper threads."""

MOST_ROUNDS = 200_000
"""Rounds of the loop at one instant: a thousand times what a call of minutes needs."""
POLL_EVERY = 64
"""Turns of a busy loop between two looks at the real world: each is a call of the system, and nearly always in vain."""


class Quiescent(RuntimeError):
    """Raised when nothing is ready, no timer is armed and no thread runs: what is awaited can never happen."""


class Livelock(RuntimeError):
    """Raised when the loop goes round and round at one instant: somebody waits for a time that is not later."""


class _JumpingSelector(selectors.BaseSelector):
    """Polls the real selector without waiting, and moves the clock by what the loop wanted to wait."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()
        self._unpolled = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:  # something is ready; before a jump all is looked at
            self._loop.count_round()
            self._unpolled += 1
            if self._unpolled < POLL_EVERY:
                return []
            self._unpolled = 0
            return self._real.select(0)
        ready = self._real.select(self._loop.patience(forever=timeout is None))
        if ready:
            self._loop.count_round()
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
        self._rounds = 0
        self._threads_before = set(threading.enumerate())
        self._lent: set[asyncio.Future[object]] = set()
        super().__init__(_JumpingSelector(self))
        self._clock_resolution = 1e-9
        self._pool: ThreadPoolExecutor | None = None
        self._ready: Iterable[asyncio.Handle]

    def time(self) -> float:
        """Virtual seconds."""
        return self._now_ns / NS

    def time_ns(self) -> int:
        """Virtual nanoseconds; the actor system takes its clock from here."""
        return self._now_ns

    def follow(self, choices: Choices) -> ReadyQueue:
        """From now on, let these choose which of what is ready runs next."""
        ready = ReadyQueue(self._ready, choices)
        self._ready = ready
        return ready

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As ever; the clock stands still until the result is there, or nobody waits for it any more."""
        if executor is None and self._pool is None:
            self._pool = ThreadPoolExecutor(thread_name_prefix=POOL)
            self.set_default_executor(self._pool)
        future = super().run_in_executor(executor, func, *args)
        lent = cast("asyncio.Future[object]", future)
        self._lent.add(lent)
        lent.add_done_callback(self._lent.discard)
        return future

    async def getaddrinfo(self, *args: Any, **options: Any) -> Any:
        """As ever; refused in a seeded run, whose context a helper thread would not have."""
        refuse("socket.getaddrinfo")
        return await super().getaddrinfo(*args, **options)

    def patience(self, *, forever: bool) -> float:
        """Real seconds in which the clock should stand still because a thread works and may call back.

        Args:
            forever: nothing else can happen.
        """
        if self._lent:  # less than for ever: the thread may be waiting for what the clock will bring
            return LENT_PATIENCE
        others = (thread for thread in threading.enumerate() if thread not in self._threads_before)
        if any(not thread.name.startswith((POOL, WRITING)) for thread in others):
            return THREAD_PATIENCE if forever else 0.002
        return 0.0

    def count_round(self) -> None:
        """The loop goes round without waiting.

        Raises:
            Livelock: it has done nothing else for long.
        """
        self._rounds += 1
        if self._rounds > MOST_ROUNDS:
            self._rounds = 0  # who catches it may go on
            raise Livelock(
                f"the clock stands at {self.time():.6f} s, and {MOST_ROUNDS} rounds of the loop changed nothing"
            )

    def advance(self, seconds: float) -> None:
        """Move the clock. The loop calls it when all is quiet."""
        self._rounds = 0
        self._now_ns += max(1, nanoseconds(seconds))


def run(main: Callable[[], Coroutine[object, object, T]]) -> T:
    """Run a coroutine function in virtual time, as ``asyncio.run`` does in real time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
