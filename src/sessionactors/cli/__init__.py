"""Commands: ``sessionactors ...``, and ``cli.run_app(...)`` at the end of a program of one's own.

Imports nothing but the standard library before a command is known, so that ``--help`` is there at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionactors.service.worker.agent_server import AgentServer
    from sessionactors.service.worker.options import WorkerOptions

__all__ = ["main", "run_app"]


def main() -> None:
    """The command ``sessionactors``."""
    from .app import app

    app(prog_name="sessionactors")


def run_app(options: WorkerOptions | AgentServer) -> None:
    """The command line of a program that serves rooms.

    ``python agent.py console`` talks to it in the terminal; ``start``, ``dev`` and ``connect`` serve rooms of a LiveKit
    server (extra ``livekit-worker``).
    """
    from .app import app_for

    app_for(options)()
