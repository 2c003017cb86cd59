"""What a session knows of monitors: something that looks on. ``sessionactors.monitors`` has the real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from sessionactors.actors.wiring import Wiring
from sessionactors.model.events import ErrorEvent
from sessionactors.runtime import ActorSystem, InternalError
from sessionactors.runtime.witness import Witness, Witnesses

from .journaling import SessionJournal, witness_of


class SessionMonitors(Protocol):
    """Looks after each message whether promises hold: what ``AgentSession(monitors=...)`` takes."""

    def begin(self, room: str, report: Callable[[InternalError, str], object]) -> Witness:
        """A session is about to start: what is told of it.

        Args:
            room: its name.
            report: is told what is wrong, and the path of the actor in which it showed; on the actor loop.
        """


@runtime_checkable
class Box(Protocol):
    """A witness that keeps the last seconds of a session, to write them when something is wrong."""

    def keep(self, why: str) -> object:
        """Write them; on the actor loop, so without waiting."""


def watching(
    journal: SessionJournal | Sequence[SessionJournal] | None,
    monitors: SessionMonitors | None,
    system: ActorSystem,
    room: str,
    wiring: Wiring,
    emit: Callable[[ErrorEvent], object],
) -> Witness | None:
    """Who is told everything of a session that starts; None: nobody.

    A violation is an event, and is written to the black boxes among the journals.
    """
    recorder = witness_of(journal, system, room, wiring)
    if monitors is None:
        return recorder
    recorders = recorder.each if isinstance(recorder, Witnesses) else () if recorder is None else (recorder,)

    def report(error: InternalError, actor: str) -> None:
        emit(ErrorEvent(error, actor, recoverable=True, created_at=system.clock.wall()))
        for each in recorders:
            if isinstance(each, Box):
                each.keep(str(error).splitlines()[0])

    return Witnesses(*recorders, monitors.begin(room, report))
