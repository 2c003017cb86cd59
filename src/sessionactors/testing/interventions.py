"""Interventions of a script at a message rather than at a time: whatever the schedule, they come at the same point."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sessionactors.runtime import ActorSystem, Delivery, Tap
from sessionactors.runtime.messages import Kill


@dataclass(frozen=True, slots=True)
class Moment:
    """Right behind the n-th message of some kind that some actor has handled."""

    actor: str
    """End of its path; ``supervisor``: the root of the session; ``*``: any actor."""
    kind: type
    number: int
    """From 1."""

    def concerns(self, delivery: Delivery) -> bool:
        """Whether a delivery is to that actor."""
        if self.actor == "*":
            return True
        if self.actor == "supervisor":
            return delivery.target == delivery.room
        return delivery.target.endswith(f"/{self.actor}")


class Intervention(Tap):
    """Watches for one moment, and acts then."""

    def __init__(self, system: ActorSystem, room: str, moment: Moment) -> None:
        super().__init__(system.taps, room, None, capacity=1)
        self.moment = moment
        self._system = system
        self._seen = 0
        system.taps.add(self)

    @property
    def done(self) -> bool:
        """Whether it came to that."""
        return self._seen >= self.moment.number

    def offer(self, delivery: Delivery) -> None:
        """On the actor loop, right behind a message."""
        if self.done or delivery.outcome != "handled" or not isinstance(delivery.message, self.moment.kind):
            return
        if self.moment.concerns(delivery):
            self._seen += 1
            if self._seen == self.moment.number:
                self.act(delivery)

    def act(self, delivery: Delivery) -> None:
        """What happens then."""


class Execution(Intervention):
    """Kills the actor, between that message and its next."""

    def __init__(self, system: ActorSystem, room: str, moment: Moment, error: BaseException) -> None:
        super().__init__(system, room, moment)
        self._error = error

    def act(self, delivery: Delivery) -> None:
        """As if a handler had failed, but no message is lost."""
        cell = self._system.tree(delivery.room).cells.get(delivery.target)
        if cell is not None:
            cell.deliver_system(Kill(self._error))


class Call(Intervention):
    """Calls something on the user's loop, as soon as it gets a turn."""

    def __init__(self, system: ActorSystem, room: str, moment: Moment, call: Callable[[], object]) -> None:
        super().__init__(system, room, moment)
        self._call = call
        self._loop = asyncio.get_running_loop()

    def act(self, delivery: Delivery) -> None:
        """Not at once: user code does not run inside of the actors."""
        self._loop.call_soon_threadsafe(self._call)
