"""The program that is run for a room: what it is given, and how it is named to the command line.

A job is found by its room: :meth:`AgentSession.start` looks whether the room it is given is a job's. So programs
written for LiveKit run as they are, and programs that embed sessions need none of this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from sessionactors.interfaces.transport import Transport
from sessionactors.model.errors import OptionError

from .drop_in import AnyDropIn

if TYPE_CHECKING:
    from .agent_session import AgentSession


class JobContext:
    """Given to an entry point: the room it is called for.

    Args:
        room: the way into it; give it to ``session.start(room=...)``.
        actors: drop-in actors for the session that starts in it, besides its own.
        on_session: called with each session that starts in the room, before its actors do.
    """

    def __init__(
        self,
        room: Transport,
        *,
        actors: Sequence[AnyDropIn] = (),
        on_session: Callable[[AgentSession[object]], object] | None = None,
    ) -> None:
        self._room = room
        self._actors = tuple(actors)
        self._on_session = on_session
        self._sessions: list[AgentSession[object]] = []
        _jobs[room] = self

    @property
    def room(self) -> Transport:
        """The way into the room."""
        return self._room

    @property
    def sessions(self) -> tuple[AgentSession[object], ...]:
        """The sessions started in the room."""
        return tuple(self._sessions)

    async def connect(self) -> None:
        """Join the room: nothing to wait for, the session that is started in it links it."""

    def session_starts(self, session: AgentSession[object]) -> tuple[AnyDropIn, ...]:
        """Called by the session; returns the drop-ins that the job adds."""
        self._sessions.append(session)
        if self._on_session is not None:
            self._on_session(session)
        return self._actors


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What ``cli.run_app`` runs.

    Raises:
        OptionError: the entry point cannot be called.
    """

    entrypoint_fnc: Callable[[JobContext], Awaitable[None]]
    """Called once for each room."""

    def __post_init__(self) -> None:
        if not callable(self.entrypoint_fnc):
            raise OptionError(f"entrypoint_fnc must be an async function of a JobContext, got {self.entrypoint_fnc!r}")


_jobs: WeakKeyDictionary[Transport, JobContext] = WeakKeyDictionary()


def session_starts(room: Transport | None, session: AgentSession[object]) -> tuple[AnyDropIn, ...]:
    """Tell the room's job, if it has one; returns the drop-ins that the job adds."""
    job = None if room is None else _jobs.get(room)
    return () if job is None else job.session_starts(session)
