"""The commands of a program that has a worker, as they are typed. What a command does is imported when it runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sessionactors.model.errors import SessionActorsError

from .worker_commands import (
    ApiKey,
    ApiSecret,
    DrainTimeout,
    Identity,
    LogLevel,
    Reload,
    Room,
    Url,
    connect,
    reload_on_change,
    serve,
    this_command,
    with_server,
)

if TYPE_CHECKING:
    from sessionactors.service.worker.agent_server import AgentServer
    from sessionactors.service.worker.options import WorkerOptions
    from sessionactors.service.worker.user_functions import EntryPoint, SetupFunction


def server_of(program: WorkerOptions | AgentServer) -> AgentServer:
    """The server of a program."""
    from sessionactors.service.worker.agent_server import AgentServer

    return program if isinstance(program, AgentServer) else AgentServer.from_server_options(program)


def parts_of(program: WorkerOptions | AgentServer) -> tuple[EntryPoint, SetupFunction | None]:
    """What the console runs.

    Raises:
        SessionStateError: the server has no entry point.
    """
    from sessionactors.service.worker.options import WorkerOptions

    if isinstance(program, WorkerOptions):
        return program.entrypoint_fnc, program.prewarm_fnc
    return program.entrypoint_fnc, program.setup_fnc


def add_worker_commands(commands: typer.Typer, program: WorkerOptions | AgentServer) -> None:
    """Add ``start``, ``dev`` and ``connect``."""
    from .app import fail, run

    @commands.command()
    def start(
        url: Url = None,
        api_key: ApiKey = None,
        api_secret: ApiSecret = None,
        drain_timeout: DrainTimeout = None,
        log_level: LogLevel = None,
    ) -> None:
        """Serve rooms of a LiveKit server. SIGTERM: no new rooms, and an end when those that run are over."""
        try:
            server = with_server(
                server_of(program), url=url, api_key=api_key, api_secret=api_secret, drain_timeout=drain_timeout
            )
            _log(server, log_level, devmode=False)
        except SessionActorsError as error:
            fail(error)
        run(serve(server, devmode=False))

    @commands.command()
    def dev(
        url: Url = None,
        api_key: ApiKey = None,
        api_secret: ApiSecret = None,
        log_level: LogLevel = None,
        reload: Reload = True,  # noqa: FBT002
    ) -> None:
        """Serve rooms while you work on the program: it starts anew when a file changes."""
        try:
            server = with_server(server_of(program), url=url, api_key=api_key, api_secret=api_secret)
            _log(server, log_level, devmode=True)
            if reload:
                os.environ.update(_told(url, api_key, api_secret))
                reload_on_change(this_command("--no-reload"), Path.cwd())
                return
        except SessionActorsError as error:
            fail(error)
        run(serve(server, devmode=True))

    @commands.command(name="connect")
    def connect_to(
        room: Room,
        participant_identity: Identity = None,
        url: Url = None,
        api_key: ApiKey = None,
        api_secret: ApiSecret = None,
        log_level: LogLevel = None,
    ) -> None:
        """Serve one room, without being asked by the server."""
        try:
            server = with_server(server_of(program), url=url, api_key=api_key, api_secret=api_secret)
            _log(server, log_level, devmode=True)
        except SessionActorsError as error:
            fail(error)
        run(connect(server, room, participant_identity))


def _told(url: str | None, api_key: str | None, api_secret: str | None) -> dict[str, str]:
    given = {"LIVEKIT_URL": url, "LIVEKIT_API_KEY": api_key, "LIVEKIT_API_SECRET": api_secret}
    return {name: value for name, value in given.items() if value}


def _log(server: AgentServer, level: str | None, *, devmode: bool) -> None:
    from sessionactors.service.worker.options import ServerEnvOption

    from .log_lines import configure_worker

    if level is not None:
        server.update_options(log_level=level)
    configure_worker(ServerEnvOption.getvalue(server.settings.log_level, devmode))
