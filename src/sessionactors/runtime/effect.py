"""Effects: asynchronous work that an actor starts outside its handler.

An effect is a coroutine on its home loop. It reaches its owner only by messages, at most ``window`` of them unhandled
at a time; it has a deadline, and it dies with its owner. What it still says after it was cancelled is discarded if it
is fenced and handled if it accounts.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from . import outside
from .containment import escapes
from .errors import EffectCancelled, SystemClosed
from .policy import Overflow

if TYPE_CHECKING:
    from .cell import Cell
    from .ticker import Alarm

M = TypeVar("M")
ItemT = TypeVar("ItemT")

_END = object()


class InletFull(RuntimeError):
    """Raised inside an effect whose owner fed it more than its inlet may hold (overflow ``REFUSE``)."""


class Inlet(AsyncIterator[ItemT]):
    """What the owner feeds to a running effect: a bounded queue, iterated on the effect's home loop."""

    def __init__(self, bound: int, overflow: Overflow) -> None:
        self._items: deque[object] = deque()
        self._bound = bound
        self._overflow = overflow
        self._waiter: asyncio.Future[None] | None = None
        self._broken: InletFull | None = None
        self.dropped = 0
        """Items that gave way because the effect was too slow."""

    def depth(self) -> int:
        """Items that wait."""
        return len(self._items)

    def waiting(self) -> tuple[object, ...]:
        """Items that wait, in order. From any thread."""
        return tuple(self._items)

    def put(self, item: object) -> None:
        """On the home loop: add an item."""
        if len(self._items) >= self._bound and item is not _END:
            if self._overflow is Overflow.DROP_OLDEST:
                self._items.popleft()
                self.dropped += 1
            else:
                self._broken = InletFull(f"{self._bound} items wait already")
        self._items.append(item)
        self._wake()

    def end(self) -> None:
        """On the home loop: no more items."""
        self.put(_END)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def __anext__(self) -> ItemT:
        while not self._items:
            if self._broken is not None:
                raise self._broken
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._broken is not None:
            raise self._broken
        item = self._items.popleft()
        if item is _END:
            self._items.append(_END)  # an ended inlet stays ended for a second reader
            raise StopAsyncIteration
        return item  # type: ignore[return-value]


class EffectPort(Generic[M]):
    """What the coroutine of an effect may use."""

    def __init__(self, effect: Effect, inlet: Inlet[object]) -> None:
        self._effect = effect
        self.inlet = inlet
        """What the owner feeds by ``out.feed``."""

    async def send(self, message: M) -> None:
        """Tell the owner; waits while ``window`` messages of this effect are still unhandled."""
        await self._effect.send(message)

    def now(self) -> int:
        """The kernel clock in nanoseconds."""
        return self._effect.owner.system.clock.now()


Run = Callable[[EffectPort[M]], Awaitable[object]]


class Effect:
    """One running effect, as its owner's cell sees it."""

    __slots__ = (
        "_task",
        "_waiters",
        "abandoned",
        "alarm",
        "cancelled",
        "cause",
        "context",
        "deadline",
        "done",
        "failed",
        "home",
        "in_flight",
        "inlet",
        "key",
        "over",
        "owner",
        "report",
        "run",
        "started_at",
        "turn",
        "window",
    )

    def __init__(
        self,
        owner: Cell,
        key: str,
        run: Run[object],
        *,
        done: Callable[[object], object] | None,
        failed: Callable[[BaseException], object],
        deadline: int | None,
        window: int,
        home: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
        inlet: Inlet[object],
        cause: int,
        turn: str,
    ) -> None:
        self.owner = owner
        self.key = key
        self.run = run
        self.done = done
        self.failed = failed
        self.deadline = deadline
        self.window = window
        self.home = home
        self.context = context
        self.inlet = inlet
        self.cause = cause
        self.turn = turn
        self.started_at = owner.system.clock.now()
        self.alarm: Alarm | None = None
        self.cancelled = False
        self.report = False
        self.over = False
        self.abandoned = False
        self.in_flight = 0
        self._task: asyncio.Task[tuple[object, BaseException | None]] | None = None
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def name(self) -> str:
        """Owner's path and key."""
        return f"{self.owner.path}#{self.key}"

    # -- life, called on the actor loop ------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin on the home loop."""
        if self.deadline is not None:
            self.alarm = self.owner.system.ticker.at(self.deadline, lambda: outside.effect_expired(self.owner, self))
        self._on_home(self._begin)

    def cancel(self, *, report: bool = False) -> None:
        """Stop the coroutine; with ``report`` the owner still gets exactly one done or failed message."""
        if not self.cancelled:
            self.cancelled = True
            self.report = report
            if self.alarm is not None:
                self.alarm.cancel()
            self._on_home(self._cancel_task)

    def lose(self) -> None:
        """As if an SDK or the user's code had cancelled the coroutine: its owner hears of a failure. For tests."""
        self._on_home(self._cancel_task)

    def feed(self, item: object) -> None:
        """Hand an item to the coroutine."""
        if self.owner.system.on_loop(self.home):
            self.inlet.put(item)
        else:
            self._on_home(lambda: self.inlet.put(item))

    def end_inlet(self) -> None:
        """No more items will be fed."""
        self._on_home(self.inlet.end)

    def acknowledge(self) -> None:
        """One message of this effect has left the owner's mailbox."""
        self._on_home(self._release)

    def _on_home(self, call: Callable[[], None]) -> None:
        system = self.owner.system
        if system.on_loop(self.home):
            call()
            return
        try:
            self.home.call_soon_threadsafe(call)
        except RuntimeError:
            error = SystemClosed(f"the loop on which {self.name} must run is closed")
            system.call(lambda: outside.effect_ended(self.owner, self, None, error))

    # -- on the home loop --------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self.cancelled:
            self._ended(None, asyncio.CancelledError())
            return
        self._task = self.home.create_task(self._guarded(), name=self.name, context=self.context)
        self._task.add_done_callback(self._task_done)

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _guarded(self) -> tuple[object, BaseException | None]:
        # A task that ends with SystemExit would stop the whole loop, and with it every room.
        port: EffectPort[object] = EffectPort(self, self.inlet)
        try:
            return await self.run(port), None
        except BaseException as error:
            if escapes(error):
                raise
            return None, error

    def _task_done(self, task: asyncio.Task[tuple[object, BaseException | None]]) -> None:
        if task.cancelled():  # cancelled before its first step
            self._ended(None, asyncio.CancelledError())
            return
        error = task.exception()
        if error is not None:
            self._ended(None, error)
            return
        self._ended(*task.result())

    def _ended(self, value: object, error: BaseException | None) -> None:
        if isinstance(error, asyncio.CancelledError) and self.cancelled:
            error = EffectCancelled(f"{self.name} was cancelled")
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.cancel()
        with suppress(SystemClosed):  # abandoned by a system that has closed since: nobody waits for it
            self.owner.system.call(lambda: outside.effect_ended(self.owner, self, value, error))

    async def send(self, message: object) -> None:
        """On the home loop: pass a message to the owner within the window."""
        while self.in_flight >= self.window:
            waiter = self.home.create_future()
            self._waiters.append(waiter)
            await waiter
        if self.cancelled:
            raise asyncio.CancelledError
        self.in_flight += 1
        system = self.owner.system
        if system.on_loop(system.loop):
            outside.effect_says(self.owner, self, message)
        else:
            system.call(lambda: outside.effect_says(self.owner, self, message))

    def _release(self) -> None:
        self.in_flight -= 1
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
