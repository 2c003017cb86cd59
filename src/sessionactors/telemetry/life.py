"""One life of an observed session, from its start to its end: what is read of it, and by whom.

Read on the user's loop as events come, and by whoever scrapes or asks for a report, from any thread: under one lock.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from sessionactors.model.events import (
    CloseEvent,
    ErrorEvent,
    PublicEvent,
    SessionUsageUpdatedEvent,
)
from sessionactors.model.interruption_events import AgentFalseInterruptionEvent
from sessionactors.model.usage import AgentSessionUsage
from sessionactors.runtime import NS, ActorSystem, Lane

from .account import Account
from .kept import WATCHED, Kept
from .records import News
from .roles import role_of
from .sums import kind_of, source_of

if TYPE_CHECKING:
    from sessionactors.runtime.tree import Tree

CAPACITY: Final = 4096
"""Deliveries that may wait to be read: many seconds of a lively session, between two of whose events they are read."""
ERRORS: Final = 200
"""Errors of a session that are remembered one by one."""
ERROR_TEXT: Final = 300
"""Characters of an error's text."""


class Reader(Protocol):
    """Is told what is new in a session, in its order: for traces."""

    def tell(self, news: News) -> None:
        """Something is new."""

    def close(self, event: CloseEvent | None, at: int) -> None:
        """The session is over."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that the session told of."""

    at: float
    """Seconds since the epoch."""
    source: str
    kind: str
    message: str
    """Its text, if texts were asked for: vendors quote what they were given."""
    recoverable: bool


@dataclass(slots=True)
class Waiting:
    """What waits in mailboxes of one role."""

    actors: int = 0
    control: int = 0
    data: int = 0
    oldest: float = 0.0
    """Age in seconds of the oldest message."""


class Life:
    """What is known of it.

    Args:
        system: in which it runs.
        room: the name of its root.
        texts: keep what was said, too.
        heed: is told all that is new: the sums of all sessions.
        reader: the same, for its trace.
    """

    def __init__(
        self, system: ActorSystem, room: str, *, texts: bool, heed: Callable[[News], None], reader: Reader | None
    ) -> None:
        self.system = system
        self.room = room
        self.account = Account(texts=texts)
        self.errors: deque[Failure] = deque(maxlen=ERRORS)
        self.error_count = 0
        self.false_interruptions = 0
        self.close: CloseEvent | None = None
        self.usage = AgentSessionUsage()
        self.began_at = system.clock.now()
        self.ended_at: int | None = None
        """When it was over; None: it runs."""
        self.lock = threading.RLock()
        self._heed = heed
        self._texts = texts
        self._reader = reader
        self._tap = system.tap(room, WATCHED, CAPACITY, keep=Kept())
        self._before = system.trees.get(room)
        self._tree: Tree | None = None

    @property
    def tree(self) -> Tree | None:
        """Its actors, or what is left of them; None: it has not got that far."""
        if self._tree is None and self.ended_at is None:
            now = self.system.trees.get(self.room)
            self._tree = None if now is self._before else now  # a name that is taken is another session's
        return self._tree

    @property
    def unread(self) -> int:
        """Deliveries that came faster than they were read, and are lost to the account."""
        return self._tap.dropped

    def read(self) -> None:
        """Read on. From any thread."""
        with self.lock:
            _ = self.tree  # for when it is gone
            self._tell(self.account.take(self._tap.drain()))

    def note(self, event: PublicEvent) -> None:
        """A public event came; on the user's loop."""
        with self.lock:
            self.read()
            match event:
                case ErrorEvent():
                    self.error_count += 1
                    text = str(event.error)[:ERROR_TEXT] if self._texts else ""
                    self.errors.append(
                        Failure(event.created_at, source_of(event), kind_of(event.error), text, event.recoverable)
                    )
                case AgentFalseInterruptionEvent():
                    self.false_interruptions += 1
                case SessionUsageUpdatedEvent(usage):
                    self.usage = usage
                case CloseEvent():
                    self.close = event
                case _:
                    pass

    def end(self) -> None:
        """It is over."""
        with self.lock:
            if self.ended_at is not None:
                return
            self.read()
            self.ended_at = self.system.clock.now()
            self._tap.close()
            self._tell(self.account.close(self.ended_at))
            if self._reader is not None:
                self._reader.close(self.close, self.ended_at)

    def _tell(self, news: Iterable[News]) -> None:
        for each in news:
            self._heed(each)
            if self._reader is not None:
                self._reader.tell(each)

    # -- what can be read of its actors at once, from any thread -----------------------------------------------------

    def restarts(self) -> Counter[str]:
        """Restarts of its actors until now, by role."""
        found: Counter[str] = Counter()
        if self.tree is not None:
            for path, count in self.tree.restarts.copy().items():
                found[role_of(path)] += count
        return found

    @property
    def dead_letters(self) -> int:
        """Messages that nobody took."""
        return 0 if self.tree is None else self.tree.dead_letters

    def waiting(self, into: dict[str, Waiting]) -> None:
        """Add what waits in its mailboxes: a few machine words of each actor are read, and nothing is asked."""
        if self.tree is None or self.ended_at is not None:
            return
        now = self.system.clock.now()
        for cell in self.tree.cells.copy().values():
            mailbox = cell.mailbox
            role = into.setdefault(role_of(cell.path), Waiting())
            role.actors += 1
            role.control += mailbox.waiting(Lane.CONTROL)
            role.data += mailbox.waiting(Lane.DATA)
            for lane in (Lane.CONTROL, Lane.DATA):
                for envelope in mailbox.peek(lane, 1):
                    role.oldest = max(role.oldest, (now - envelope.at) / NS)
