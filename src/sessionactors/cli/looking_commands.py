"""``ps``, ``tree``, ``inspect``, ``why``, ``diagram`` and ``tail``: a running service, looked into. Right: look."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from .service_options import (
    EXIT_CODES,
    PANEL,
    URL,
    Json,
    Room,
    SomeActor,
    SomeRoom,
    Token,
    Url,
    asking,
    printable,
    show,
)

Messages = Annotated[bool, typer.Option("--messages", help="Each message of an actor as it ends, instead of events.")]
Types = Annotated[list[str] | None, typer.Option("--type", help="Only messages of this type; may be given again.")]


looking = typer.Typer()


@looking.command(rich_help_panel=PANEL, epilog=f"Example: sessionactors ps --json | jq '.rooms[].room'. {EXIT_CODES}")
def ps(url: Url = URL, token: Token = None, as_json: Json = False) -> None:  # noqa: FBT002
    """List the rooms of a service, and what it has taken in and refused."""
    from .service_views import rooms

    with asking(url, token) as service:
        answer = service.look("/rooms")
        show(answer.body, as_json=as_json, drawn=rooms, note=answer.note)


@looking.command(rich_help_panel=PANEL, epilog=f"Example: sessionactors tree lobby. {EXIT_CODES}")
def tree(room: SomeRoom = None, url: Url = URL, token: Token = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Show the actors of a room, one in a line: status, how many messages wait, what it is at."""
    from .service_client import NoSuchThing, room_path
    from .service_views import tree as drawn

    with asking(url, token) as service:
        if room is not None:
            answer = service.look(room_path(room, "snapshot"))
            show(answer.body, as_json=as_json, drawn=drawn, note=answer.note)
            return
        listed = service.look("/rooms")
        names = [one["room"] for one in listed.body["rooms"]] if isinstance(listed.body, dict) else []
        for name in names:
            try:
                answer = service.look(room_path(name, "snapshot"))
            except NoSuchThing:  # over since it was listed
                continue
            show(answer.body, as_json=as_json, drawn=drawn, note=answer.note)
        if not names:
            typer.echo("there is no room now", err=True)


@looking.command(rich_help_panel=PANEL, epilog=f"Example: sessionactors inspect lobby llm. {EXIT_CODES}")
def inspect(
    room: Room,
    actor: SomeActor = None,
    url: Url = URL,
    token: Token = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show all that is known of a room's actors: message in hand, both lanes, timers, effects, what is owed."""
    from . import service_views
    from .service_client import actor_path, room_path

    with asking(url, token) as service:
        if actor is None:
            answer = service.look(room_path(room, "snapshot"))
            show(answer.body, as_json=as_json, drawn=service_views.snapshot, note=answer.note)
        else:
            answer = service.look(actor_path(room, "snapshot", actor))
            show(answer.body, as_json=as_json, drawn=service_views.actor, note=answer.note)


@looking.command(rich_help_panel=PANEL, epilog=f"Example: sessionactors why lobby. {EXIT_CODES}")
def why(room: Room, url: Url = URL, token: Token = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Say what blocks a room: which actor, at which message, for how long. Also while its loop is blocked."""
    from .service_client import room_path

    with asking(url, token) as service:
        answer = service.look(room_path(room, "why"))
        show(answer.body, as_json=as_json, drawn=_text, note=answer.note)


@looking.command(rich_help_panel=PANEL, epilog=f"Example: sessionactors diagram lobby > turn.mmd. {EXIT_CODES}")
def diagram(
    room: Room,
    whole: Annotated[bool, typer.Option("--whole", help="All that is kept, not only the last turn.")] = False,  # noqa: FBT002
    url: Url = URL,
    token: Token = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Draw the messages of the last turn as a Mermaid sequence diagram."""
    from .service_client import room_path

    with asking(url, token) as service:
        path = room_path(room, "diagram") + ("?whole=true" if whole else "")
        show(service.look(path, elsewhere=False).body, as_json=as_json, drawn=_text)


@looking.command(rich_help_panel=PANEL, epilog=f"Example: sessionactors tail lobby --type TextDelta. {EXIT_CODES}")
def tail(
    room: Room,
    messages: Messages = False,  # noqa: FBT002
    types: Types = None,
    url: Url = URL,
    token: Token = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Follow a room until it is over: its events as they happen, or the messages of its actors."""
    import asyncio
    from urllib.parse import quote

    from sessionactors.service.signal_wakeup import woken_by_signals

    from .service_client import room_path
    from .service_stream import follow
    from .service_views import event

    def line(told: str) -> None:
        typer.echo(told if as_json else printable(event(json.loads(told))))

    with asking(url, token) as service:
        path = room_path(room, "tap" if messages or types else "events")
        if types:
            path += "?types=" + quote(",".join(types), safe=",")
        with asyncio.Runner() as runner, woken_by_signals(runner.get_loop()):
            runner.run(follow(service, path, line))


def _text(body: dict[str, object]) -> str:
    return str(body["text"])
