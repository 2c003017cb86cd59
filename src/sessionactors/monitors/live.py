"""``Monitors``: what users give to a session to have its promises looked at while it runs."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import structlog

from sessionactors.runtime import InternalError
from sessionactors.runtime.witness import Witness

from .kernel_watch import KernelWatch
from .session_watch import SessionWatch
from .violation import CauseLink, PromiseViolated, Violation, facts_of

if TYPE_CHECKING:
    from sessionactors.runtime.cell import Cell
    from sessionactors.runtime.envelope import Envelope
    from sessionactors.runtime.operation import Operation

REMEMBERED: Final = 1024
"""Messages whose causes can be walked."""
LONGEST_CHAIN: Final = 32
TOLD_OF_ONE: Final = 5
"""Violations of one promise by one actor that are told; more are counted."""
KEPT: Final = 100

log = structlog.get_logger("sessionactors.monitors")


class Monitors:
    """Looks after each message of a session whether its promises hold: ``AgentSession(monitors=Monitors())``.

    Looked at are fences (nothing of a speech that was cut off is handled or heard), the order of messages, sums of
    mailboxes, legal states, that the user wins, and that nothing is overdue or stalled without being named. A violation
    is an ``error`` event whose error is a :class:`PromiseViolated`, a line of the log with the messages that led to it,
    and, where the session has a journal that can, a black box. It changes nothing, and never ends a call.

    One object may be given to several sessions: it sums up what it saw.

    Args:
        on_violation: called on the actor loop with each :class:`Violation`; must be quick. What it raises is logged.
    """

    def __init__(self, on_violation: Callable[[Violation], object] | None = None) -> None:
        self._on_violation = on_violation
        self._kept: deque[Violation] = deque(maxlen=KEPT)
        self.counts: Counter[str] = Counter()
        """Violations by promise, those that were not told included."""
        self.looked_at = 0
        """Messages."""

    @property
    def violations(self) -> tuple[Violation, ...]:
        """The last ones that were told, oldest first."""
        return tuple(self._kept)

    def begin(self, room: str, report: Callable[[InternalError, str], object]) -> Witness:
        """For a session that starts.

        Args:
            room: its name.
            report: is told of each violation, as an error, and the path of the actor; on the actor loop.
        """
        return _Watching(self, room, report)  # type: ignore[abstract]  # of a witness's calls it needs but two

    def tell(self, violation: Violation, room: str, report: Callable[[InternalError, str], object]) -> None:
        """Tell everybody; whatever they raise hurts nobody."""
        self._kept.append(violation)
        log.error("promise_violated", room=room, **facts_of(violation))
        try:
            report(PromiseViolated(violation), violation.actor)
            if self._on_violation is not None:
                self._on_violation(violation)
        except Exception:
            log.exception("violation_not_told", room=room, actor=violation.actor, message_id=violation.message_id)


class _Watching(Witness):
    """Of one tree."""

    def __init__(self, monitors: Monitors, room: str, report: Callable[[InternalError, str], object]) -> None:
        self._monitors = monitors
        self._room = room
        self._report = report
        self._kernel = KernelWatch()
        self._session = SessionWatch()
        self._ring: dict[int, tuple[int, type, str, str, int]] = {}
        """By id: cause, type, sender, target, and when it was handled."""
        self._told: Counter[tuple[str, str]] = Counter()

    def handled(
        self, cell: Cell, envelope: Envelope, began: int, ended: int, state: object, ops: list[Operation]
    ) -> None:
        """Look at what a handler was given, and at what it wants."""
        self._monitors.looked_at += 1
        ring = self._ring
        ring[envelope.id] = envelope.cause, type(envelope.message), envelope.sender, cell.path, began
        if len(ring) > REMEMBERED:
            del ring[next(iter(ring))]
        self._found(self._kernel.before(cell, envelope), cell, envelope, ended)
        self._found(self._session.before(cell, envelope, state, ops), cell, envelope, ended)

    def committed(self, cell: Cell, envelope: Envelope, error: BaseException | None) -> None:
        """Look at what it has become."""
        now = cell.system.clock.now()
        self._found(self._kernel.after(cell, now), cell, envelope, now)

    def _found(self, found: Iterable[tuple[str, str]], cell: Cell, envelope: Envelope, at: int) -> None:
        for promise, what in found:
            self._monitors.counts[promise] += 1
            self._told[promise, cell.path] += 1
            if self._told[promise, cell.path] > TOLD_OF_ONE:
                continue
            kind = type(envelope.message).__name__
            violation = Violation(promise, what, cell.path, envelope.id, kind, at, self._chain(envelope.id))
            self._monitors.tell(violation, self._room, self._report)

    def _chain(self, message: int) -> tuple[CauseLink, ...]:
        chain: list[CauseLink] = []
        while message in self._ring and len(chain) < LONGEST_CHAIN:
            cause, kind, sender, target, at = self._ring[message]
            chain.append(CauseLink(message, kind.__name__, sender, target, at))
            message = cause
        return tuple(chain)
