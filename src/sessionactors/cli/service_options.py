"""What all commands for a running service have: where it is, what lets one in, names completed from it, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sessionactors.model.errors import SessionActorsError

if TYPE_CHECKING:
    from .service_client import Service

PANEL: Final = "A running service"
"""The heading of these commands in ``sessionactors --help``."""
EXIT_CODES: Final = (
    "Exit codes: 0 done; 1 the service refused; 2 the command was not understood; 3 no service there; "
    "4 no token, a wrong one, or one without the right; 5 no such room or actor; 130 Ctrl-C."
)
COMPLETED_WITHIN: Final = 0.5
"""Seconds for names while somebody types."""


def names_of_rooms(ctx: typer.Context, incomplete: str) -> list[str]:
    """The rooms that begin so, for the shell; nothing when the service cannot be asked."""
    from .service_client import ServiceError

    try:
        body = _service_of(ctx).look("/rooms").body
    except ServiceError:
        return []
    listed = body.get("rooms", []) if isinstance(body, dict) else []
    return [room["room"] for room in listed if room["room"].startswith(incomplete)]


def names_of_actors(ctx: typer.Context, incomplete: str) -> list[str]:
    """The actors of the room that was typed, by their paths below it, for the shell."""
    from .service_client import ServiceError, room_path

    room = str(ctx.params.get("room") or "")
    try:
        body = _service_of(ctx).look(room_path(room, "snapshot")).body
    except ServiceError:
        return []
    actors = body.get("actors", {}) if isinstance(body, dict) else {}
    below = [path.removeprefix(f"{room}/") for path in actors]
    return [name for name in below if name.startswith(incomplete)]


def _service_of(ctx: typer.Context) -> Service:
    """The service that the unfinished line, or the environment, names."""
    import os

    from .service_client import DEFAULT_URL, Service

    url = ctx.params.get("url") or os.environ.get("SESSIONACTORS_URL") or DEFAULT_URL
    token = ctx.params.get("token") or os.environ.get("SESSIONACTORS_TOKEN")
    return Service(str(url), token, COMPLETED_WITHIN)


Url = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="SESSIONACTORS_URL",
        help="Where the rooms of the service are, with the prefix of its router.",
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="SESSIONACTORS_TOKEN",
        help="Lets you in. Better in the environment: other users see the options of a process.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print what the service answers as JSON, for programs.")]
Room = Annotated[str, typer.Argument(help="The room, as `ps` lists it.", autocompletion=names_of_rooms)]
SomeRoom = Annotated[
    str | None, typer.Argument(help="The room, as `ps` lists it; all if not given.", autocompletion=names_of_rooms)
]
ActorOf = Annotated[
    str,
    typer.Argument(help="The actor, by its path or the end of it, as `tree` lists it.", autocompletion=names_of_actors),
]
SomeActor = Annotated[
    str | None,
    typer.Argument(help="The actor, by its path or the end of it; all if not given.", autocompletion=names_of_actors),
]
URL: Final = "http://127.0.0.1:8000/sessions"


@contextmanager
def asking(url: str, token: str | None) -> Iterator[Service]:
    """A service to ask; what goes wrong is one line, and an exit code."""
    try:
        from .service_client import Service, ServiceError
    except ModuleNotFoundError as missing:
        typer.echo(
            f"OptionError: asking a service needs {missing.name}: pip install 'sessionactors[service]'", err=True
        )
        raise typer.Exit(1) from missing
    try:
        yield Service(url, token)
    except ServiceError as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    except SessionActorsError as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        raise typer.Exit(1) from error


def show(body: object, *, as_json: bool, drawn: Callable[[dict[str, object]], str], note: str | None = None) -> None:
    """Print an answer: as it came, or drawn for people; a note goes to standard error."""
    if note is not None:
        typer.echo(note, err=True)
    if as_json or not isinstance(body, dict):
        typer.echo(json.dumps(body, ensure_ascii=False))
    else:
        typer.echo(printable(drawn(body)))


def printable(text: str) -> str:
    """A text that does nothing to a terminal: what people and models say may hold its control characters."""
    return "".join(mark if mark == "\n" or mark.isprintable() else f"\\x{ord(mark):02x}" for mark in text)
