"""SIGTERM and SIGINT drain a program's rooms: for those who ask for it, and only as long as they do.

The handler itself does little: it turns new rooms away, which needs no loop, and asks the loop for the drain. So new
calls are refused at once also while a callback blocks the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import FrameType, TracebackType
from typing import Final, Self

import structlog

from sessionactors.model.errors import OptionError, SessionStateError

from .drain import DrainReport, together
from .room_supervisor import RoomSupervisor
from .signal_wakeup import woken_by_signals

log = structlog.get_logger("sessionactors.service")

DRAINING_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
"""What a service manager and a terminal send."""


class DrainOnSignals:
    """While the ``with`` lasts, a signal drains supervisors: new rooms are refused, the others finish or are told.

    A second signal closes all rooms now. Afterwards the handlers are those of before. For asyncio and plain programs::

        async with RoomSupervisor(session_for) as rooms:
            with DrainOnSignals(rooms) as draining:
                report = await draining.wait()  # until a signal has come and all rooms are over
        sys.exit(report.exit_code)

    In a program without a loop: ``report = draining.join()``. Beside a server that has handlers of its own, such as
    uvicorn, enter it behind them, in the application's ``lifespan``: the server goes on, and says that it drains, until
    ``then`` or ``pass_on`` ends it.

    Args:
        rooms: the supervisors, running; all are drained at once.
        deadline: seconds for the drain; ``drain_deadline`` of each if not given.
        signals: which.
        then: called with the report when all rooms are over, on their loop.
        pass_on: whether the handler that was there before is called with the first signal then.

    Raises:
        OptionError: no supervisor, or a negative deadline.
    """

    def __init__(
        self,
        *rooms: RoomSupervisor,
        deadline: float | None = None,
        signals: Sequence[signal.Signals] = DRAINING_SIGNALS,
        then: Callable[[DrainReport], object] | None = None,
        pass_on: bool = False,
    ) -> None:
        if not rooms:
            raise OptionError("DrainOnSignals needs at least one RoomSupervisor")
        if deadline is not None and not deadline >= 0:
            raise OptionError(f"the deadline of a drain must be >= 0 seconds, got {deadline!r}")
        self._rooms = rooms
        self._deadline = deadline
        self._signals = tuple(signals)
        self._then = then
        self._pass_on = pass_on
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}
        self._came: list[int] = []
        self._reports: dict[RoomSupervisor, DrainReport] = {}
        self._drains: set[asyncio.Task[None]] = set()
        self._wakeup = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._report: Future[DrainReport] = Future()

    def __enter__(self) -> Self:
        """Install the handlers.

        Raises:
            SessionStateError: not in the main thread, where alone Python handles signals; or one does not run.
        """
        if threading.current_thread() is not threading.main_thread():
            raise SessionStateError("DrainOnSignals: signals are handled in the main thread; enter it there")
        for rooms in self._rooms:
            _ = rooms.loop
        with contextlib.suppress(RuntimeError):  # a program without a loop of its own
            self._wakeup.enter_context(woken_by_signals(asyncio.get_running_loop()))
        for number in self._signals:
            self._before[number] = signal.getsignal(number)
            signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)
        self._wakeup.close()

    @property
    def signalled(self) -> bool:
        """Whether a signal has come."""
        return bool(self._came)

    async def wait(self) -> DrainReport:
        """Wait until a signal has come and all rooms are over. On any loop."""
        return await asyncio.shield(asyncio.wrap_future(self._report))

    def join(self, timeout: float | None = None) -> DrainReport:
        """The same for a thread without a loop.

        Args:
            timeout: seconds; None: as long as it takes.

        Raises:
            TimeoutError: it took longer.
        """
        return self._report.result(timeout)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """In the main thread, between two steps of whatever runs there: no lock is taken and nothing is logged."""
        hurried = bool(self._came)
        self._came.append(number)
        for rooms in self._rooms:
            rooms.refuse_new_rooms()
        for rooms in self._rooms:
            if not rooms.loop.is_closed():
                rooms.loop.call_soon_threadsafe(self._begin, rooms, hurried)

    def _begin(self, rooms: RoomSupervisor, hurried: bool) -> None:
        name = signal.Signals(self._came[-1]).name
        log.warning("signal_drains", room="", actor="", message_id=0, signal=name, rooms=rooms.stats.taken, now=hurried)
        drain = asyncio.get_running_loop().create_task(self._drained(rooms, hurried), name=f"drain on {name}")
        self._drains.add(drain)
        drain.add_done_callback(self._drains.discard)

    async def _drained(self, rooms: RoomSupervisor, hurried: bool) -> None:
        report = await rooms.drain(0.0 if hurried else self._deadline)
        if hurried:
            return  # the first drain tells of it
        with self._lock:
            self._reports[rooms] = report
            if len(self._reports) < len(self._rooms):
                return
        whole = together(tuple(self._reports.values()))
        self._report.set_result(whole)
        try:
            if self._then is not None:
                self._then(whole)
            before = self._before.get(signal.Signals(self._came[0]))
            if self._pass_on and callable(before):
                before(self._came[0], None)
        except Exception as error:
            log.exception("callback_failed", callback="DrainOnSignals", error=repr(error))
