"""Who runs next: the contract of a dispatcher, and the one that serves all actors on one event loop.

Two ready queues for the whole process: every actor with waiting control comes before any actor with waiting data, of
whatever room. An actor serves the data it has in a row, up to a moment's time and until control is ready. After a slice
of work the loop gets its turn, so that sockets and timers are never starved.

The seam for other orders is :meth:`LoopDispatcher.next_control` and :meth:`LoopDispatcher.next_data`; nothing else
decides order.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import structlog

from . import handling, lifecycle
from .containment import escapes
from .errors import SystemClosed
from .policy import CONTROL, DATA

if TYPE_CHECKING:
    from .cell import Cell
    from .future import KernelFuture

log = structlog.get_logger("sessionactors.runtime")

PATIENCE = 500_000
"""Nanoseconds after which an actor that has more messages lets the next one handle some: several frames of audio."""
CLOSED_LOOP = "the loop of the actors is closed"

SLICE = 256
"""Messages before the event loop gets its turn."""


class Dispatcher(Protocol):
    """Runs actors. All methods but :meth:`post` are called on the actor loop."""

    def ready_control(self, cell: Cell) -> None:
        """The cell has system or control messages and is not queued for control yet."""

    def ready_data(self, cell: Cell) -> None:
        """The cell has data messages and is not queued for data yet."""

    def post(self, call: Callable[[], None]) -> None:
        """From any thread: run ``call`` on the actor loop before the next message."""

    def drive(self, future: KernelFuture) -> None:
        """A task on the actor loop is about to wait for ``future``: actors may be run now rather than after it."""

    def idle(self) -> bool:
        """Whether nothing is ready."""

    def waiting_since(self) -> int | None:
        """When the data next in line was told: nanoseconds of the kernel clock, or None. From any thread."""

    def close(self) -> None:
        """Run nothing more."""


class LoopDispatcher:
    """Runs all actors on one asyncio loop, one message at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._control: deque[Cell] = deque()
        self._data: deque[Cell] = deque()
        self._posted: deque[Callable[[], None]] = deque()
        self._context = contextvars.copy_context()
        """Of the system's start: no actor runs in the context of whoever happened to wake the loop."""
        self._left = SLICE
        self._scheduled = False
        self._serving = False
        self._signalled = False
        self._closed = False
        self.ready_data: Callable[[Cell], None] = self._queue_data
        """Queue a cell for data. While actors are served, and so nothing is to be scheduled, a step in C."""
        # Both are looked up here, once: a step in C for the order of this class, a call only where it is another.
        own = type(self)
        self._take_control = self.next_control
        self._take_data = self.next_data
        if own.next_control is LoopDispatcher.next_control:
            self._take_control = self._control.popleft
        if own.next_data is LoopDispatcher.next_data:
            self._take_data = self._data.popleft

    def ready_control(self, cell: Cell) -> None:
        """Queue a cell for control."""
        self._control.append(cell)
        if not self._scheduled:
            self._schedule()

    def _queue_data(self, cell: Cell) -> None:
        self._data.append(cell)
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        try:
            self._loop.call_soon(self._turn, context=self._context)
        except RuntimeError as error:
            self._forget_ready()
            self._scheduled = False
            raise SystemClosed(CLOSED_LOOP) from error

    def _forget_ready(self) -> None:
        for cell in self._control:
            cell.ready_control = False
        for cell in self._data:
            cell.ready_data = False
        self._control.clear()
        self._data.clear()

    def post(self, call: Callable[[], None]) -> None:
        """From any thread. Calls of one thread run in order; a burst wakes the loop once."""
        self._posted.append(call)
        if self._closed:  # looked at after the append: either close() ran the call, or its caller hears of it
            raise SystemClosed(CLOSED_LOOP)
        if not self._signalled:
            self._signalled = True
            try:
                self._loop.call_soon_threadsafe(self._woken, context=self._context)
            except RuntimeError as error:
                self._signalled = False
                with suppress(ValueError):
                    self._posted.remove(call)
                raise SystemClosed(CLOSED_LOOP) from error

    def _woken(self) -> None:
        """By another thread: what it posted, and at once the actors that it has made ready."""
        already, self._scheduled = self._scheduled, True
        try:
            self._run_posted()
        finally:
            if not already:
                self._turn()

    def _run_posted(self) -> None:
        self._signalled = False
        posted = self._posted
        while posted:
            try:
                posted.popleft()()
            except BaseException as error:
                log.exception("posted_call_failed", room="", actor="", message_id=0)
                if escapes(error):
                    raise

    def next_control(self) -> Cell:
        """The cell whose control message is handled next."""
        return self._control.popleft()

    def next_data(self) -> Cell:
        """The cell whose data messages are handled next."""
        return self._data.popleft()

    def patience(self) -> int:
        """Nanoseconds after which an actor that has more data messages must wait for its next turn."""
        return PATIENCE

    def slice(self) -> int:
        """How many messages may be handled before the event loop gets its turn."""
        return SLICE

    def idle(self) -> bool:
        """Whether nothing is ready."""
        return not self._control and not self._data and not self._posted

    def waiting_since(self) -> int | None:
        """Of the cell that is first in line: lines are served in order, so nothing waits much longer."""
        try:
            lane = self._data[0].mailbox.data
            return lane[0].at if lane else None
        except IndexError:  # nothing waits, or it was taken meanwhile
            return None

    def close(self) -> None:
        """Run no more actors; what was posted still happens, so that nobody waits for it in vain."""
        self._closed = True
        self._control.clear()
        self._data.clear()
        self._run_posted()

    def drive(self, future: KernelFuture) -> None:
        """Serve actors until ``future`` is resolved, a slice of messages at most between two turns of the loop."""
        if not self._serving:
            self._context.run(self._serve, future)

    def _turn(self) -> None:
        self._left = self.slice()
        try:
            self._serve(None)
        finally:
            self._scheduled = False
            if (self._control or self._data) and not self._closed:
                self._schedule()

    def _serve(self, until: KernelFuture | None) -> None:
        control, data, posted, left = self._control, self._data, self._posted, self._left
        patience, again = self.patience(), data.append
        self._serving = True
        self.ready_data = again
        try:
            while left > 0 and not self._closed and (until is None or not until._done):
                if posted:
                    self._run_posted()
                if control:
                    self._serve_control(self._take_control())
                    left -= 1
                elif data:
                    left = handling.serve(data, self._take_data, DATA, left, patience, again, control, posted, until)
                else:
                    break
        finally:
            self._serving = False
            self.ready_data = self._queue_data
            self._left = left
            if data and not self._scheduled and not self._closed:
                self._schedule()

    def _serve_control(self, cell: Cell) -> None:
        cell.ready_control = False
        mailbox = cell.mailbox
        try:
            if mailbox.system:
                lifecycle.serve_system(cell)
            else:
                one = [cell]
                handling.serve(one, one.pop, CONTROL, 1)
        finally:
            if not cell.ready_control and (mailbox.system or (mailbox.control and not cell.held)):
                cell.ready_control = True
                self._control.append(cell)
