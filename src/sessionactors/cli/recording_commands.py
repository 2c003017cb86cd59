"""``record``: a conversation in the terminal, into a journal; or what a running service has seen of a room last."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from .service_options import EXIT_CODES, URL, Json, Token, Url, asking, names_of_rooms, show

DEFAULT_FILE: Final = Path("call.journal")

recording = typer.Typer()
Sound = Annotated[bool, typer.Option("--sound/--no-sound", help="Of a module: keep what was heard and said as sound.")]
Texts = Annotated[bool, typer.Option("--texts/--no-texts", help="Of a module: keep what was said and typed as words.")]

ModuleOrRoom = Annotated[
    str,
    typer.Argument(
        metavar="MODULE|ROOM",
        help="A module with an agent (a path, or a dotted name that is found here), or a room of a running service.",
        autocompletion=names_of_rooms,
    ),
]
File = Annotated[
    Path | None,
    typer.Argument(help="Of a module: the journal, call.journal if not given; one of that name gives way."),
]
IsRoom = Annotated[
    bool | None, typer.Option("--room/--module", help="Which it is, where it could be either.", show_default=False)
]


@recording.command(
    epilog="Examples: `sessionactors record agent.py call.journal` talks, and records; `sessionactors record lobby` "
    f"has the service write the last seconds of that room. {EXIT_CODES}"
)
def record(
    target: ModuleOrRoom,
    file: File = None,
    is_room: IsRoom = None,
    audio: Annotated[bool, typer.Option("--audio", help="Of a module: use microphone and speakers.")] = False,  # noqa: FBT002
    actor: Annotated[list[str] | None, typer.Option("--actor", help="Of a module: drop-in actor.")] = None,
    sound: Sound = True,  # noqa: FBT002
    texts: Texts = True,  # noqa: FBT002
    reason: Annotated[str, typer.Option(help="Of a room: is written into the file.")] = "asked for by record",
    url: Url = URL,
    token: Token = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Record so that it can be looked at message by message: a conversation in the terminal, or a running room.

    Of a running room the black box is written (`SessionSpec(journal=BlackBox(directory))`, `serve --black-boxes`):
    its last seconds, on the machine of the service. A journal from the first message on is the session's own choice.
    """
    if is_room if is_room is not None else not _is_module(target):
        if file is not None:
            raise typer.BadParameter("the file of a running room is named by its black box, and lies where that says")
        _record_room(target, reason, url, token, as_json=as_json)
        return
    from .app import note, talk_in_terminal

    journal = DEFAULT_FILE if file is None else file
    talk_in_terminal(target, audio=audio, actor=actor, json_lines=False, journal=journal, sound=sound, texts=texts)
    note(f"recorded in {journal}: read it with `sessionactors journal {journal}`")


def _is_module(name: str) -> bool:
    """Whether it is the path of a file, or a module that is found from here. Those of Python itself are none."""
    import importlib.util
    import sys

    if name.endswith(".py") or "/" in name or "\\" in name:
        return True
    if name.partition(".")[0] in sys.stdlib_module_names:
        return False
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _record_room(room: str, reason: str, url: str, token: str | None, *, as_json: bool) -> None:
    from .service_client import room_path

    def drawn(body: dict[str, object]) -> str:
        files = body["files"]
        return "\n".join(map(str, files)) if isinstance(files, list) else ""

    with asking(url, token) as service:
        answer = service.order("POST", room_path(room, "record"), {"reason": reason})
        show(answer, as_json=as_json, drawn=drawn)
