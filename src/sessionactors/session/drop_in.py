"""Drop-in actors: users' own actors inside a session, with a mailbox like any other.

A drop-in names what it wants to see: message types in ``subscribes`` (it is told a :class:`Delivery` of each such
message that another actor of the session has handled) and public events in ``events`` (each comes as
:class:`EventRaised`). It may define messages of its own, set timers and run effects. It cannot slow or fail the
session: its mailbox is bounded, and when it fails it is gone, which the session reports as an ``error`` event.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from sessionactors.runtime import Actor, Outbox

S = TypeVar("S")
M = TypeVar("M")


class AnyDropIn:
    """A drop-in of whatever state and messages: what ``AgentSession(actors=[...])`` takes. Subclass :class:`DropIn`."""

    name: ClassVar[str] = "drop-in"
    """Its place in the session: ``room/name``."""
    subscribes: ClassVar[tuple[type, ...]] = ()
    """Message types it wants to see. Those to rely on are in ``sessionactors.messages``."""
    events: ClassVar[tuple[type, ...]] = ()
    """Public events it wants to be told of, in their order. With ``CloseEvent`` among them the session ends only when
    the drop-in has handled it: all that it was told before is then handled too."""


class DropIn(AnyDropIn, Actor[S, M]):
    """Base of drop-in actors. Include :class:`Delivery` and :class:`EventRaised` in ``M`` if they are asked for."""

    def started(self, state: S, out: Outbox[M]) -> S:
        """Subscribe. Overriding it: call ``super().started(state, out)``."""
        if self.subscribes:
            out.subscribe(self.subscribes)
        return state
