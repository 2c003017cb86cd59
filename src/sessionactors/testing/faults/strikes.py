"""What faults do to actors and to the machine's clock, at the message at which they strike."""

from __future__ import annotations

import time
from collections.abc import Callable
from unittest import mock

from sessionactors.runtime import ActorSystem, Delivery, MailboxBounds
from sessionactors.runtime.cell import Cell
from sessionactors.runtime.messages import Kill, Resume, Suspend
from sessionactors.testing.interventions import Intervention, Moment

from .fault import ActorFault, ClockStep


class Killed(RuntimeError):
    """What an actor fails with when a fault kills it."""


class Strike(Intervention):
    """Watches for the moment of one fault, and lets it strike."""

    def __init__(self, system: ActorSystem, room: str, fault: ActorFault | ClockStep) -> None:
        actor = fault.actor if isinstance(fault, ActorFault) else "*"
        super().__init__(system, room, Moment(actor, object, fault.number))
        self.fault = fault
        self._undo: list[Callable[[], object]] = []

    def act(self, delivery: Delivery) -> None:
        """On the actor loop, right behind the message."""
        fault = self.fault
        if isinstance(fault, ClockStep):
            self._step_clock(fault.seconds)
            return
        cell = self._system.tree(delivery.room).cells.get(delivery.target)
        if cell is None:
            return
        match fault.does:
            case "kill":
                cell.deliver_system(Kill(Killed(f"injected: {fault}")))
            case "cancel":
                for effect in list(cell.effects.values()):
                    effect.lose()
            case "fill":
                self._fill(cell, fault.seconds)
            case "block":
                cell.deliver_system(Suspend())
                if fault.seconds:
                    self._system.loop.call_later(fault.seconds, cell.deliver_system, Resume())

    def _fill(self, cell: Cell, seconds: float) -> None:
        mailbox = cell.mailbox
        bounds = mailbox.bounds
        mailbox.bounds = MailboxBounds(bounds.control, len(mailbox.data or ()))

        def empty() -> None:
            mailbox.bounds = bounds

        self._system.loop.call_later(seconds, empty)

    def _step_clock(self, seconds: float) -> None:
        real, real_ns = time.time, time.time_ns

        def stepped() -> float:
            return real() + seconds

        def stepped_ns() -> int:
            return real_ns() + int(seconds * 1e9)

        for name, clock in (("time", stepped), ("time_ns", stepped_ns)):
            step = mock.patch.object(time, name, clock)
            step.start()
            self._undo.append(step.stop)

    def undo(self) -> None:
        """The run is over: the machine's clock is right again."""
        while self._undo:
            self._undo.pop()()
