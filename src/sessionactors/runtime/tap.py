"""Taps: watch deliveries as they end. A tap has its own bounded queue that drops the oldest, so it slows nobody."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import structlog

from .envelope import Envelope
from .policy import MessagePolicy, Overflow, policy_of

if TYPE_CHECKING:
    from .cell import Cell


log = structlog.get_logger("sessionactors.runtime")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery that ended. Times are kernel clock nanoseconds."""

    id: int
    cause: int
    room: str
    turn: str
    sender: str
    target: str
    message: object
    sent_at: int
    began_at: int
    ended_at: int
    outcome: str
    """``handled``, ``failed`` or ``fenced``."""
    asked: bool = False
    """Its sender waits for a reply."""

    __policy__: ClassVar[MessagePolicy] = MessagePolicy(overflow=Overflow.DROP_OLDEST)


class Tap(AsyncIterator[Delivery]):
    """An observer of deliveries: iterate it on any loop, or read :meth:`drain` from any thread. Close it after use."""

    def __init__(
        self,
        taps: Taps,
        room: str | None,
        types: Collection[type] | None,
        capacity: int,
        keep: Callable[[object], bool] | None = None,
    ) -> None:
        self._taps = taps
        self.room = room
        self.types = frozenset(types) if types is not None else None
        self.keep = keep
        self._queue: deque[Delivery] = deque(maxlen=capacity)
        self._capacity = capacity
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None
        self._lock = threading.Lock()
        self.dropped = 0
        """Deliveries this tap was too slow for."""
        self.closed = False

    def offer(self, delivery: Delivery) -> None:
        """On the actor loop: queue a delivery."""
        with self._lock:
            if len(self._queue) == self._capacity:
                self.dropped += 1
            self._queue.append(delivery)
            waiter = self._waiter
            self._waiter = None
        self._wake(waiter)

    @staticmethod
    def _wake(waiter: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None) -> None:
        if waiter is None:
            return
        loop, future = waiter

        def settle() -> None:
            if not future.done():
                future.set_result(None)

        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:  # the observer's loop is closed
            return

    def drain(self) -> list[Delivery]:
        """All that waits, oldest first."""
        with self._lock:
            waiting = list(self._queue)
            self._queue.clear()
        return waiting

    async def __anext__(self) -> Delivery:
        while True:
            with self._lock:
                if self._queue:
                    return self._queue.popleft()
                if self.closed:
                    raise StopAsyncIteration
                loop = asyncio.get_running_loop()
                future: asyncio.Future[None] = loop.create_future()
                self._waiter = (loop, future)
            await future

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Watch no more; iteration ends after what is queued."""
        with self._lock:
            self.closed = True
            waiter, self._waiter = self._waiter, None
        self._taps.remove(self)
        self._wake(waiter)


class Subscription(Tap):
    """A tap that ends in an actor's mailbox: it is told a :class:`Delivery` for each handled message of its room."""

    def __init__(self, taps: Taps, cell: Cell, types: Collection[type]) -> None:
        super().__init__(taps, cell.tree.name, types, capacity=1)
        self.cell = cell

    def offer(self, delivery: Delivery) -> None:
        """On the actor loop: put it into the mailbox, where the oldest gives way when the actor is too slow."""
        if delivery.outcome != "handled" or delivery.target == self.cell.path:
            return
        self.cell.enter(
            Envelope.of(
                delivery,
                None,
                delivery.target,
                self.cell.tree.next_message_id(),
                delivery.id,
                delivery.turn,
                delivery.ended_at,
                policy_of(Delivery),
                None,
            )
        )


class _AnyType(frozenset[type]):
    """What a tap of all messages watches."""

    def __contains__(self, kind: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True


_ANY_TYPE = _AnyType()


class Taps:
    """The taps of one actor system, by room: a message is compared with the taps of its own room only."""

    def __init__(self) -> None:
        self.active: tuple[Tap, ...] = ()
        self.watched: frozenset[type] = frozenset()
        """Types that some tap wants, read at every message: each session is traced, most of its audio is not."""
        self._of_room: dict[str | None, tuple[Tap, ...]] = {None: ()}
        """Key None: those that watch all rooms."""
        self._lock = threading.Lock()

    def open(
        self,
        room: str | None,
        types: Collection[type] | None,
        capacity: int,
        keep: Callable[[object], bool] | None = None,
    ) -> Tap:
        """Add a tap."""
        tap = Tap(self, room, types, capacity, keep)
        self.add(tap)
        return tap

    def subscribe(self, cell: Cell, types: Collection[type]) -> None:
        """Tell an actor of the messages of these types that others in its room have handled; replaces what it had."""
        self.unsubscribe(cell)
        self.add(Subscription(self, cell, types))

    def unsubscribe(self, cell: Cell) -> None:
        """An actor has ended."""
        for tap in self._of_room.get(cell.tree.name, ()):
            if isinstance(tap, Subscription) and tap.cell is cell:
                self.remove(tap)

    def add(self, tap: Tap) -> None:
        """Offer deliveries to a tap from now on."""
        with self._lock:
            self._of_room[tap.room] = (*self._of_room.get(tap.room, ()), tap)
            self._watch((*self.active, tap))

    def remove(self, tap: Tap) -> None:
        """Forget a tap."""
        with self._lock:
            left = tuple(other for other in self._of_room.get(tap.room, ()) if other is not tap)
            if left or tap.room is None:
                self._of_room[tap.room] = left
            else:
                self._of_room.pop(tap.room, None)
            self._watch(tuple(other for other in self.active if other is not tap))

    def _watch(self, taps: tuple[Tap, ...]) -> None:
        self.active = taps
        if any(tap.types is None for tap in taps):
            self.watched = _ANY_TYPE
        else:
            self.watched = frozenset[type]().union(*{tap.types for tap in taps if tap.types is not None})

    def publish(self, cell: Cell, envelope: Envelope, began: int, ended: int, outcome: str) -> None:
        """Offer a delivery to the taps that want it."""
        taps = self._of_room[None]
        if own := self._of_room.get(cell.tree.name):
            taps = (*own, *taps) if taps else own
        delivery: Delivery | None = None
        kind = type(envelope.message)
        for tap in taps:
            if tap.types is not None and kind not in tap.types:
                continue
            if tap.keep is not None and not _keeps(tap, tap.keep, envelope.message):
                continue
            if delivery is None:
                delivery = Delivery(
                    envelope.id,
                    envelope.cause,
                    cell.tree.name,
                    envelope.turn,
                    envelope.sender,
                    cell.path,
                    envelope.message,
                    envelope.at,
                    began,
                    ended,
                    outcome,
                    envelope.reply_to is not None,
                )
            tap.offer(delivery)

    def close_room(self, room: str) -> None:
        """End the taps of a room that has ended."""
        for tap in self._of_room.get(room, ()):
            tap.close()


def _keeps(tap: Tap, keep: Callable[[object], bool], message: object) -> bool:
    """What somebody's ``keep`` raises hurts no actor: the tap is told of the message, and decides nothing any more."""
    try:
        return keep(message)
    except Exception as error:
        log.warning("tap_cannot_decide", room=tap.room or "", actor="", message_id=0, error=repr(error))
        tap.keep = None
        return True
