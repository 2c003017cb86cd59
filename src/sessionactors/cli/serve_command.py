"""``serve``: the rooms of an agent module over HTTP and WebSocket, on this machine."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated, Final

import typer

from sessionactors.model.errors import SessionActorsError

from .service_options import PANEL

PREFIX: Final = "/sessions"

serving = typer.Typer()

Host = Annotated[str, typer.Option(help="Where to listen. Requests of other machines are refused without --remote.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")]
InspectionPort = Annotated[
    int, typer.Option(min=0, max=65535, help="Of the endpoint that answers while a loop is blocked. 0: any free one.")
]
Tokens = Annotated[
    Path | None,
    typer.Option(help='A JSON file of tokens and their rights: {"...": ["look", "talk", "intervene", "metrics"]}.'),
]
ServeToken = Annotated[
    str | None,
    typer.Option(envvar="SESSIONACTORS_TOKEN", help="One token with all rights; without any, one is made and printed."),
]
MaxSessions = Annotated[int, typer.Option(min=1, help="Rooms at once.")]
Remote = Annotated[bool, typer.Option("--remote", help="Answer requests of other machines, such as through a proxy.")]
Metrics = Annotated[bool, typer.Option("--metrics", help="Serve Prometheus metrics at /metrics below the rooms' URL.")]
BlackBoxes = Annotated[
    Path | None, typer.Option(help="Keep the last seconds of each room, written here by `record ROOM` and at a crash.")
]
DrainWithin = Annotated[float, typer.Option(min=0, help="Seconds that rooms get to end by themselves at SIGTERM.")]
ServeJson = Annotated[bool, typer.Option("--json", help="Say where it listens as JSON, for programs.")]


@serving.command(
    rich_help_panel=PANEL,
    epilog="Example: sessionactors serve examples/fastapi_service.py, and in another terminal `sessionactors ps`. "
    "Exits with 0 when all rooms have ended in time, with 1 when some crashed or had to be given up.",
)
def serve(
    module: Annotated[str, typer.Argument(help="Path or dotted name of a module with a session_for, or an agent.")],
    host: Host = "127.0.0.1",
    port: Port = 8000,
    inspection_port: InspectionPort = 0,
    token: ServeToken = None,
    tokens: Tokens = None,
    max_sessions: MaxSessions = 200,
    remote: Remote = False,  # noqa: FBT002
    metrics: Metrics = False,  # noqa: FBT002
    black_boxes: BlackBoxes = None,
    drain_within: DrainWithin = 20.0,
    as_json: ServeJson = False,  # noqa: FBT002
) -> None:
    """Serve the rooms of an agent module over HTTP and WebSocket, on this machine.

    SIGTERM or Ctrl-C: no new rooms, and an end when those that talk are over; again: an end at once. SIGUSR1: every
    mailbox is logged.
    """
    from sessionactors.service.http.options import Right

    from .app import fail, note, run
    from .rooms_server import Serving, rooms_of, serve_until_signalled, tokens_in

    def listens(at: Serving) -> None:
        if as_json:
            typer.echo(json.dumps({"url": at.url, "inspection": at.inspection, "pid": at.pid}))
            return
        typer.echo(f"rooms at {at.url} (API: {at.docs}); inspection at {at.inspection}; process {at.pid}")
        if made is not None:
            typer.echo(f"export SESSIONACTORS_URL={at.url} SESSIONACTORS_TOKEN={made}")

    made = None
    if token is None and tokens is None:
        token = made = secrets.token_urlsafe()
    try:
        known = {} if tokens is None else tokens_in(tokens)
        if token is not None:
            known[token] = tuple(Right)
        rooms = rooms_of(
            module,
            tokens=known,
            max_sessions=max_sessions,
            remote=remote,
            inspection_port=inspection_port,
            black_boxes=black_boxes,
            drain_within=drain_within,
            metrics=metrics,
            note=note,
        )
    except SessionActorsError as error:
        fail(error)
    report = run(serve_until_signalled(rooms, host, port, PREFIX, listens))
    note(str(report))
    if report.exit_code:
        raise typer.Exit(report.exit_code)
