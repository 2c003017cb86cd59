"""What ``serve`` runs: a supervisor, its router in a FastAPI application, uvicorn, and an orderly end."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.service.http.options import HttpOptions
from sessionactors.service.mailbox_dump import dumping_at_signal
from sessionactors.service.room_supervisor import RoomSupervisor
from sessionactors.service.session_spec import SessionFactory, SessionSpec
from sessionactors.service.signals import DrainOnSignals
from sessionactors.telemetry import Telemetry

from .entry_points import session_factory

if TYPE_CHECKING:
    from sessionactors.service.drain import DrainReport

MOST: Final = 2048
"""Connections that may wait to be accepted."""
HANGING_UP: Final = 2
"""Seconds for requests that are under way when all rooms are over."""


@dataclass(frozen=True, slots=True)
class Serving:
    """Where a service listens."""

    url: str
    """Of its rooms."""
    docs: str
    """Of the page that shows its API."""
    inspection: str | None
    pid: int


def tokens_in(file: Path) -> dict[str, tuple[str, ...]]:
    """The tokens of a file and their rights.

    Raises:
        OptionError: it cannot be read, others may read it, or it is no such JSON. Names no token.
    """
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="utf-8")
    except OSError as error:
        raise OptionError(f"{file} cannot be read: {error.strerror or error}") from None
    if os.name == "posix" and mode & 0o077:
        raise OptionError(f"{file} holds tokens, and others may read it: chmod 600 {file}")
    try:
        held = json.loads(text)
    except ValueError:
        raise OptionError(f"{file} is no JSON") from None
    if not isinstance(held, dict) or not all(
        isinstance(rights, list) and all(isinstance(right, str) for right in rights) for rights in held.values()
    ):
        raise OptionError(f'{file} must hold {{"token": ["look", "talk", "intervene"], ...}}')
    return {token: tuple(rights) for token, rights in held.items()}


def rooms_of(
    module: str,
    *,
    tokens: Mapping[str, tuple[str, ...]],
    max_sessions: int,
    remote: bool,
    inspection_port: int,
    black_boxes: Path | None,
    drain_within: float,
    metrics: bool,
    note: Callable[[str], object],
) -> RoomSupervisor:
    """A supervisor of the sessions of a module.

    Raises:
        OptionError: the module offers no sessions, an option is out of range, or the extra is not installed.
    """
    factory = session_factory(module, note=note)
    http = HttpOptions(tokens=tokens, remote=remote, inspection_port=inspection_port, metrics=metrics)
    rooms = RoomSupervisor(
        factory if black_boxes is None else _boxed(factory, black_boxes),
        max_sessions=max_sessions,
        http=http,
        drain_deadline=drain_within,
        telemetry=Telemetry() if metrics else None,
    )
    _ = rooms.router  # imported before a loop runs: it takes a second
    return rooms


def _boxed(factory: SessionFactory, directory: Path) -> SessionFactory:
    """The same sessions, each with a black box, unless it brings journals of its own."""
    from sessionactors.journal.black_box import BlackBox

    box = BlackBox(directory)

    async def session_for(room: str) -> SessionSpec:
        made = factory(room)
        spec = await made if isawaitable(made) else made
        return spec if spec.journal is not None else replace(spec, journal=box)

    return session_for


async def serve_until_signalled(
    rooms: RoomSupervisor, host: str, port: int, prefix: str, listens: Callable[[Serving], None]
) -> DrainReport:
    """Serve rooms until SIGTERM or SIGINT, and until they are over; a second signal closes them.

    While rooms drain the service answers: who asks for a room is refused with a reason, and calls go on. A server that
    is told of the signal itself would hang up on them first.

    Returns:
        What came of the drain.

    Raises:
        OptionError: the address cannot be used.
        SessionStateError: the server failed.
    """
    import uvicorn
    from fastapi import FastAPI

    from sessionactors.service.http.impatient import ImpatientProtocol

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    try:
        listener = socket.create_server((host, port), backlog=MOST)
    except OSError as error:
        raise OptionError(f"cannot listen at {host}:{port}: {error.strerror or error}; --port gives another") from None
    app = FastAPI(title="sessionactors")
    app.include_router(rooms.router, prefix=prefix)
    server = Server(
        uvicorn.Config(
            app,
            http=ImpatientProtocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=HANGING_UP,
        )
    )
    at = f"http://{host}:{listener.getsockname()[1]}"
    async with rooms.lifespan(app):
        with DrainOnSignals(rooms) as draining, dumping_at_signal(rooms):
            serving = asyncio.create_task(server.serve([listener]), name="uvicorn")
            drained = asyncio.create_task(draining.wait())
            listens(Serving(at + prefix, f"{at}/docs", rooms.inspection, os.getpid()))
            await asyncio.wait((serving, drained), return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            await serving
            if not drained.done():
                drained.cancel()
                raise SessionStateError("the server has ended without being told to: the log says more")
            return drained.result()
