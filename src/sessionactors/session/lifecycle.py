"""The end of a session, whatever its actors do: exactly one ``close`` event, within the deadline.

Called from the actor loop. The supervisor ends gently and then asks to finish; if it cannot, the kernel ends the tree
when the deadline passes; if the tree ends by itself (its root failed), that is the end too.
"""

from __future__ import annotations

from collections.abc import Callable

from sessionactors.model.events import CloseEvent, CloseReason
from sessionactors.runtime import ActorSystem, CloseReport, KernelFuture
from sessionactors.runtime.cell import Cell
from sessionactors.runtime.clock import nanoseconds
from sessionactors.runtime.ticker import Alarm


class SessionLifecycle:
    """Ends one session's tree and reports it once."""

    def __init__(
        self, system: ActorSystem, room: str, report: Callable[[CloseEvent, CloseReport | None], None]
    ) -> None:
        self._system = system
        self._room = room
        self._report = report
        self._reason = CloseReason.ERROR
        self._error: BaseException | None = None
        self._asked = False
        self._reported = False
        self._root: Cell | None = None
        self._alarms: list[Alarm] = []

    def watch(self, root: Cell) -> None:
        """Report the end of the tree also if nobody asked for it."""
        self._root = root
        self._system.when_tree_ended(self._room, self._tree_ended)

    def finish(self, reason: CloseReason, error: BaseException | None, seconds: float) -> None:
        """End the tree within so many seconds. The first reason counts; from the actor loop."""
        if not self._asked:
            self._asked = True
            self._reason, self._error = reason, error
        # Not at once: the root's handler may be committing right now.
        self._system.dispatcher.post(lambda: self._stop(seconds))

    def finish_by(self, reason: CloseReason, seconds: float) -> None:
        """Whatever the supervisor does, the tree has ended after so many seconds. From any thread."""

        def arm() -> None:
            if not self._reported:
                due = self._system.clock.now() + nanoseconds(seconds)
                self._alarms.append(self._system.ticker.at(due, lambda: self._overdue(reason)))

        self._system.call(arm)

    def _overdue(self, reason: CloseReason) -> None:
        if self._room in self._system.trees and not self._reported:
            self.finish(reason, None, 0.0)

    def _stop(self, seconds: float) -> None:
        if self._room not in self._system.trees:  # it ended by itself since this was asked for
            self._close(None)
            return
        future = self._system.stop_tree(self._room, seconds)
        future.when_done(lambda: self._ended(future))

    def _ended(self, future: KernelFuture) -> None:
        report = future.get()
        self._close(report if isinstance(report, CloseReport) else None)

    def _tree_ended(self) -> None:
        if not self._asked:
            self._close(None)

    def _close(self, report: CloseReport | None) -> None:
        if self._reported:
            return
        self._reported = True
        for alarm in self._alarms:  # each holds all actors of the session until it is due
            alarm.cancel()
        failed = None if self._root is None else self._root.end_error
        if failed is not None and self._error is None:
            self._reason, self._error = CloseReason.ERROR, failed
        self._report(CloseEvent(self._reason, self._system.clock.wall(), self._error), report)
