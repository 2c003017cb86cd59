"""What a session knows of journals: something that is told all of it. ``sessionactors.journal`` has the real one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sessionactors.actors.wiring import Wiring
from sessionactors.runtime import ActorSystem
from sessionactors.runtime.witness import Witness, Witnesses


class SessionJournal(Protocol):
    """Records one session: what ``AgentSession(journal=...)`` takes."""

    def begin(self, system: ActorSystem, room: str, wiring: Wiring) -> Witness:
        """A session is about to start: what is told of it.

        Args:
            system: in which it runs.
            room: the name of its root.
            wiring: what the root is made with.

        Raises:
            SessionStateError: it records another session; this one does not start then.
        """


def witness_of(
    journal: SessionJournal | Sequence[SessionJournal] | None, system: ActorSystem, room: str, wiring: Wiring
) -> Witness | None:
    """Who is told everything of a session that starts."""
    if isinstance(journal, Sequence):
        return Witnesses(*(each.begin(system, room, wiring) for each in journal))
    return None if journal is None else journal.begin(system, room, wiring)
