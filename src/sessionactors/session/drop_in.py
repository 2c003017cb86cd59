"""Drop-in actors: users' own actors inside a session, with a mailbox like any other.

A drop-in names the messages it wants to see in ``subscribes``; it is told a :class:`Delivery` of each one that another
actor of the session has handled. It may define messages of its own, set timers and run effects. It cannot slow or fail
the session: its mailbox is bounded, and when it fails it is gone.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from sessionactors.runtime import Actor, Outbox

S = TypeVar("S")
M = TypeVar("M")


class DropIn(Actor[S, M]):
    """Base of drop-in actors. Include :class:`Delivery` in ``M``."""

    name: ClassVar[str] = "drop-in"
    """Its place in the session: ``room/name``."""
    subscribes: ClassVar[tuple[type, ...]] = ()
    """Message types it wants to see."""

    def started(self, state: S, out: Outbox[M]) -> S:
        """Subscribe. Overriding it: call ``super().started(state, out)``."""
        if self.subscribes:
            out.subscribe(self.subscribes)
        return state
