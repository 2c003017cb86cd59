"""What a session knows of who looks on and keeps account: ``sessionactors.telemetry`` has the real one.

An observer is told of the beginning, when the session has an actor system and a name, and opens taps of its own then.
Public events it hears as anybody does, by ``session.on_any``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import structlog

from sessionactors.runtime import ActorSystem

if TYPE_CHECKING:
    from .agent_session import AgentSession

log = structlog.get_logger("sessionactors.session")


class SessionTelemetry(Protocol):
    """Observes sessions: what ``AgentSession(telemetry=...)`` takes."""

    def observe(self, session: AgentSession[object]) -> None:
        """A session was made; it is not started."""


class SessionObserver(Protocol):
    """Looks on while a session runs. Called on the loop of the session's user; what it raises is logged."""

    def begins(self, system: ActorSystem, room: str) -> None:
        """A session is about to start: no message has been sent yet. Again with each start.

        Args:
            system: in which it runs.
            room: the name of its root.
        """

    def ended(self) -> None:
        """All of it is over, also when the start failed. Its ``close`` event was told before, if it had started."""


def told(call: Callable[[], object], room: str) -> None:
    """Tell an observer; looking on must not hurt a call."""
    try:
        call()
    except Exception as error:
        log.exception("observer_failed", room=room, actor="", message_id=0, error=repr(error))
