"""``BlockingRooms``: a supervisor for programs and threads without an event loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Self, TypeVar, cast, overload

from sessionactors.interfaces.transport import Transport
from sessionactors.model.errors import SessionStateError
from sessionactors.runtime import CloseReport
from sessionactors.session.room_options_legacy import RoomInputOptions, RoomOutputOptions

from .drain import DrainReport
from .room_handle import RoomHandle
from .room_opening import TransportFactory
from .room_supervisor import RoomSupervisor

T = TypeVar("T")


class BlockingRooms:
    """The calls of a :class:`RoomSupervisor`, for any thread but that of its loop: each waits for its result.

    Of a supervisor that runs, it is a face, and needs no ``with``. One that does not run is started by the ``with``, on
    a loop in a thread of its own, and closed by leaving it::

        with RoomSupervisor(session_for).blocking() as desk:
            handle = desk.spawn("room-42")
            desk.call(lambda: handle.session.say("Hello."))  # on the loop of the rooms; waits until it was heard

    What is only read (``rooms.get``, ``list``, ``inspect``, ``stats``) is read from the supervisor itself.

    Args:
        rooms: the supervisor.
    """

    def __init__(self, rooms: RoomSupervisor) -> None:
        self.rooms = rooms
        """The supervisor."""
        self._thread: threading.Thread | None = None
        self._started: Future[None] = Future()
        self._stopping: asyncio.Event
        self._calls: set[asyncio.Task[object]] = set()
        """Calls that are not over; kept on the loop."""

    def __enter__(self) -> Self:
        """Start the supervisor, unless it runs.

        Raises:
            SessionStateError: it was closed.
        """
        if not self.rooms.started:
            self._thread = threading.Thread(target=lambda: asyncio.run(self._host()), name="sessionactors rooms")
            self._thread.start()
            try:
                self._started.result()
            except BaseException:
                self._thread.join()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self.rooms.loop.call_soon_threadsafe(self._stopping.set)
            thread.join()

    async def _host(self) -> None:
        self._stopping = asyncio.Event()
        try:
            await self.rooms.start()
        except BaseException as error:  # noqa: BLE001  it is the caller's, in the other thread
            self._started.set_exception(error)
            return
        self._started.set_result(None)
        try:
            await self._stopping.wait()
        finally:
            await self.rooms.aclose()
            for call in self._calls:
                call.cancel()
            if self._calls:
                await asyncio.wait(self._calls)

    def spawn(
        self,
        room: str,
        *,
        transport: Transport | TransportFactory | None = None,
        room_input_options: RoomInputOptions | None = None,
        room_output_options: RoomOutputOptions | None = None,
        timeout: float | None = None,
    ) -> RoomHandle:
        """As :meth:`RoomSupervisor.spawn`.

        Args:
            room: its name.
            transport: the way in and out.
            room_input_options: what to take from the room.
            room_output_options: what to give to the room.
            timeout: seconds; then the start is given up, and what was opened is closed.

        Raises:
            TimeoutError: it took longer.
            Exception: as that one.
        """
        return self.call(
            lambda: self.rooms.spawn(
                room,
                transport=transport,
                room_input_options=room_input_options,
                room_output_options=room_output_options,
            ),
            timeout=timeout,
        )

    def close(self, room: str, *, deadline: float | None = None) -> CloseReport:
        """As :meth:`RoomSupervisor.close`."""
        return self.call(lambda: self.rooms.close(room, deadline=deadline))

    def drain(self, deadline: float | None = None) -> DrainReport:
        """As :meth:`RoomSupervisor.drain`."""
        return self.call(lambda: self.rooms.drain(deadline))

    @overload
    def call(self, function: Callable[[], Awaitable[T]], *, timeout: float | None = None) -> T: ...
    @overload
    def call(self, function: Callable[[], T], *, timeout: float | None = None) -> T: ...
    def call(self, function: Callable[[], T | Awaitable[T]], *, timeout: float | None = None) -> T:
        """Call something on the loop of the rooms, where sessions may be told things, and wait for what it gives.

        Args:
            function: called there, without arguments; what it gives to await is awaited.
            timeout: seconds; then what is awaited is cancelled.

        Raises:
            SessionStateError: the supervisor does not run, ended meanwhile, or this is its loop's own thread, which
                would wait for itself.
            TimeoutError: it took longer.
            Exception: what it raised.
        """
        loop = self.rooms.loop
        if _running_loop() is loop:
            raise SessionStateError("BlockingRooms on the loop of its rooms would wait for itself: await instead")
        if loop.is_closed():
            raise SessionStateError("the loop of these rooms is closed: make a new RoomSupervisor")

        async def there() -> T:
            task = cast("asyncio.Task[object]", asyncio.current_task())
            self._calls.add(task)
            try:
                made = function()
                return cast("T", await made if inspect.isawaitable(made) else made)
            finally:
                self._calls.discard(task)

        future = asyncio.run_coroutine_threadsafe(there(), loop)
        try:
            return future.result(timeout)
        except TimeoutError:
            if not future.done():
                future.cancel()
            raise
        except CancelledError as error:
            raise SessionStateError("the supervisor ended before the call did") from error


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
