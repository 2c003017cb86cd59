"""What ``serve`` makes of its options."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sessionactors import Agent, BlackBox, OptionError, RoomSupervisor, SessionSpec
from sessionactors.cli.rooms_server import _boxed, rooms_of

TOKENS = {"everything-0123456789": ("look", "metrics")}
MODULE = "examples/fastapi_service.py"


def made(module: str = MODULE, **options: Any) -> RoomSupervisor:
    given = {"tokens": TOKENS, "max_sessions": 3, "remote": False, "inspection_port": 0, "black_boxes": None}
    return rooms_of(module, **{**given, "drain_within": 1.0, "metrics": False, "note": lambda _: None, **options})


def paths(rooms: RoomSupervisor) -> set[str]:
    from fastapi import FastAPI

    app = FastAPI()
    app.include_router(rooms.router)
    return set(app.openapi()["paths"])


def test_metrics_are_served_where_they_are_asked_for() -> None:
    assert "/metrics" not in paths(made())
    assert "/metrics" in paths(made(metrics=True))


def test_each_room_has_a_black_box_unless_it_brings_a_journal_of_its_own(tmp_path: Path) -> None:
    own = BlackBox(tmp_path / "own")

    def session_for(room: str) -> SessionSpec:
        return SessionSpec(agent=Agent(instructions="Be brief."), journal=own if room == "own" else None)

    boxed: Any = _boxed(session_for, tmp_path)
    assert asyncio.run(boxed("own")).journal is own
    box = asyncio.run(boxed("other")).journal
    assert isinstance(box, BlackBox)
    assert box.directory == tmp_path


def test_an_agent_that_cannot_be_made_is_said_before_anybody_calls(tmp_path: Path) -> None:
    module = tmp_path / "needy.py"
    module.write_text("from sessionactors import Agent\nclass Needy(Agent):\n    def __init__(self, name): ...\n")
    with pytest.raises(OptionError, match="Needy cannot be made without arguments"):
        made(str(module))
