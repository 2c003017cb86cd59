"""``suspend``, ``step``, ``resume``, ``inject`` and ``kill``: a hand in a running service. Right: intervene.

To close a room needs the right to talk, as everywhere.
"""

from __future__ import annotations

import json
from typing import Annotated, Final

import typer

from .service_options import EXIT_CODES, PANEL, URL, ActorOf, Json, Room, SomeActor, Token, Url, asking, show

CLOSED_WITHIN: Final = 5.0
"""Seconds for a room to close, as :meth:`.RoomSupervisor.close`."""
MARGIN: Final = 5.0
"""Seconds more for the answer: a room whose loop is blocked is given up shortly after its deadline."""

intervening = typer.Typer()


def _ordered(room: str, actor: str, order: str, url: str, token: str | None, *, as_json: bool, done: str) -> None:
    from .service_client import actor_path

    def drawn(body: dict[str, object]) -> str:
        return (
            f"{body['actor']} {done}" if body["done"] else f"{body['actor']}: no message waits, or it is not suspended"
        )

    with asking(url, token) as service:
        show(service.order("POST", actor_path(room, "actors", actor, order)), as_json=as_json, drawn=drawn)


@intervening.command(rich_help_panel=PANEL, epilog=f"Example: sessionactors suspend lobby llm. {EXIT_CODES}")
def suspend(room: Room, actor: ActorOf, url: Url = URL, token: Token = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Hold all messages of an actor, until `resume`; `step` lets it handle one."""
    _ordered(room, actor, "suspend", url, token, as_json=as_json, done="is suspended")


@intervening.command(rich_help_panel=PANEL, epilog=f"Example: sessionactors step lobby llm. {EXIT_CODES}")
def step(room: Room, actor: ActorOf, url: Url = URL, token: Token = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Let a suspended actor handle one message."""
    _ordered(room, actor, "step", url, token, as_json=as_json, done="has handled one message")


@intervening.command(rich_help_panel=PANEL, epilog=f"Example: sessionactors resume lobby llm. {EXIT_CODES}")
def resume(room: Room, actor: ActorOf, url: Url = URL, token: Token = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Let a suspended actor go on."""
    _ordered(room, actor, "resume", url, token, as_json=as_json, done="goes on")


@intervening.command(
    rich_help_panel=PANEL,
    epilog=f"Example: sessionactors inject lobby session CloseRequested reason=user_initiated. {EXIT_CODES}",
)
def inject(
    room: Room,
    actor: ActorOf,
    message: Annotated[str, typer.Argument(help="The type of the message; a wrong one is answered by a list.")],
    fields: Annotated[
        list[str] | None, typer.Argument(help="Its fields as name=value; values are JSON, or else words.")
    ] = None,
    url: Url = URL,
    token: Token = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Put a message into the mailbox of an actor, if it takes such ones."""
    from .service_client import actor_path

    body = {"type": message, "fields": dict(_field(field) for field in fields or ())}
    with asking(url, token) as service:
        answer = service.order("POST", actor_path(room, "actors", actor, "inject"), body)
        show(answer, as_json=as_json, drawn=lambda done: f"{message} is in the mailbox of {done['actor']}")


def _field(given: str) -> tuple[str, object]:
    name, equals, value = given.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{given!r} is no field: write name=value, such as turn_id=turn-3")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


@intervening.command(rich_help_panel=PANEL, epilog=f"Example: sessionactors kill lobby --deadline 1. {EXIT_CODES}")
def kill(
    room: Room,
    actor: SomeActor = None,
    deadline: Annotated[float, typer.Option(min=0, max=600, help="Seconds for a room to end.")] = CLOSED_WITHIN,
    reason: Annotated[str, typer.Option(help="What a killed actor has failed with.")] = "killed from the command line",
    url: Url = URL,
    token: Token = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Close a room; or have one of its actors fail, as if it had a fault: what supervises it decides what follows."""
    from .service_client import actor_path, room_path

    with asking(url, token) as service:
        if actor is not None:
            answer = service.order("POST", actor_path(room, "actors", actor, "kill"), {"reason": reason})
            show(answer, as_json=as_json, drawn=lambda done: f"{done['actor']} was killed")
            return
        path = room_path(room) + f"?deadline={deadline:g}"
        show(service.order("DELETE", path, patience=deadline + MARGIN), as_json=as_json, drawn=_closed)


def _closed(body: dict[str, object]) -> str:
    clean, abandoned = body["clean"], body["abandoned"]
    actors = len(clean) if isinstance(clean, list) else 0
    told = f"{body['room']} is closed after {body['seconds']:.2f} s: {actors} actors ended as they should"
    left = abandoned.items() if isinstance(abandoned, dict) else ()
    return "\n".join([told, *(f"  given up: {path}, at {what}" for path, what in left)])
