"""``start``, ``dev`` and ``connect``: a program's worker, until somebody ends it.

The first SIGINT or SIGTERM ends it in order: ``start`` drains first. The second ends the process at once.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sessionactors.model.errors import OptionError

if TYPE_CHECKING:
    from sessionactors.service.worker.agent_server import AgentServer

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
RELOAD_WITHIN: Final = 5
"""Seconds for the program before a change to end; then it is killed."""

Url = Annotated[str | None, typer.Option("--url", envvar="LIVEKIT_URL", help="URL of the LiveKit server.")]
ApiKey = Annotated[str | None, typer.Option("--api-key", envvar="LIVEKIT_API_KEY", help="Key for the server.")]
ApiSecret = Annotated[str | None, typer.Option("--api-secret", envvar="LIVEKIT_API_SECRET", help="Secret of the key.")]
LogLevel = Annotated[str | None, typer.Option("--log-level", envvar="LIVEKIT_LOG_LEVEL", help="Least level to show.")]
DrainTimeout = Annotated[int | None, typer.Option("--drain-timeout", help="Seconds for running jobs to end.")]
Reload = Annotated[bool, typer.Option("--reload/--no-reload", help="Start anew when a Python file changes.")]
Room = Annotated[str, typer.Option("--room", help="The room to serve.")]
Identity = Annotated[str | None, typer.Option("--participant-identity", help="The agent's identity in the room.")]


def with_server(
    server: AgentServer,
    *,
    url: str | None,
    api_key: str | None,
    api_secret: str | None,
    drain_timeout: int | None = None,
) -> AgentServer:
    """The server, told what the command line says."""
    if url:
        server.update_options(ws_url=url)
    if api_key:
        server.update_options(api_key=api_key)
    if api_secret:
        server.update_options(api_secret=api_secret)
    if drain_timeout is not None:
        server.update_options(drain_timeout=drain_timeout)
    return server


async def serve(server: AgentServer, *, devmode: bool) -> None:
    """Run a worker until a signal, or until it fails.

    Raises:
        SessionActorsError: what :meth:`AgentServer.run` raised.
    """
    with _signals() as asked:
        running = asyncio.create_task(server.run(devmode=devmode), name="worker")
        waiting = asyncio.create_task(asked.wait())
        await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not running.done():
            await _end(server, drains=not devmode)
        await running


async def connect(server: AgentServer, room: str, identity: str | None) -> None:
    """Run one job for a room, which is made if it is not there; over when the job is, or at a signal."""
    from sessionactors.service.worker.endpoint import Endpoint
    from sessionactors.service.worker.world import make_room

    room_info = await make_room(Endpoint.of(server.settings), room)
    with _signals() as asked:
        started = asyncio.Event()
        server.once("worker_started", started.set)
        running = asyncio.create_task(server.run(devmode=True, unregistered=True), name="worker")
        begun = asyncio.create_task(started.wait())
        await asyncio.wait((running, begun), return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await server.simulate_job(room, agent_identity=identity or f"agent-{room}", room_info=room_info)
            over = asyncio.create_task(server.drain(timeout=None))
            waiting = asyncio.create_task(asked.wait())
            await asyncio.wait((running, over, waiting), return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            await server.aclose()
            await over
        begun.cancel()
        await running


async def _end(server: AgentServer, *, drains: bool) -> None:
    if drains:
        try:
            await server.drain()
        except TimeoutError:
            jobs = len(server.active_jobs)
            typer.echo(f"{jobs} jobs have not ended within {server.settings.drain_timeout:g} s: ending them", err=True)
    await server.aclose()


@contextmanager
def _signals() -> Iterator[asyncio.Event]:
    """The first sets the event; the second ends the process, whatever its loops do."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    told = False

    def on_signal(number: int, _: FrameType | None) -> None:
        nonlocal told
        if told:
            os._exit(128 + number)
        told = True
        loop.call_soon_threadsafe(asked.set)

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def reload_on_change(command: list[str], directory: Path) -> None:
    """Run a command, and again whenever a Python file below the directory changes. Returns at SIGINT or SIGTERM.

    Raises:
        OptionError: ``watchfiles`` is not installed.
    """
    try:
        from watchfiles import Change, PythonFilter, run_process
    except ImportError as missing:
        raise OptionError(
            "dev needs watchfiles to see that a file has changed: pip install 'sessionactors[livekit-worker]', or "
            "dev --no-reload"
        ) from missing

    def changed(changes: set[tuple[Change, str]]) -> None:
        names = ", ".join(sorted({Path(path).name for _, path in changes}))
        typer.echo(f"{names} changed: starting anew", err=True)

    run_process(
        directory,
        target=shlex.join(command),
        target_type="command",
        watch_filter=PythonFilter(),
        callback=changed,
        sigint_timeout=RELOAD_WITHIN,
    )


def this_command(*more: str) -> list[str]:
    """What this process was started with, and more options."""
    return [sys.executable, *sys.orig_argv[1:], *more]
