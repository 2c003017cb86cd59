"""The load run in small: misbehaviour and its accounting are tested here, not the speed of the machine."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from examples import many_rooms

PROGRAM = Path(__file__).parents[2] / "examples" / "many_rooms.py"
OPTIONS = argparse.Namespace(rooms=7, seconds=0.8, detector="energy", json=True)


@pytest.mark.may_block("rooms block their loops on purpose")
async def test_rooms_misbehave_and_no_other_room_loses_anything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(many_rooms, "WARM_UP", 0.5)
    monkeypatch.setattr(many_rooms, "TOOL_BLOCKS", 0.2)
    monkeypatch.setattr(many_rooms, "LOOP_BLOCKS", 0.7)
    monkeypatch.setattr(many_rooms, "ANSWERED_WITHIN", 3.0)
    monkeypatch.setattr(many_rooms, "QUESTIONS", ("where are you",))
    run = await many_rooms.run(OPTIONS)
    assert [harm for harm in run.harm if "lateness" not in harm] == []
    assert run.killed == "error"
    assert run.blockers == ["room-4/rogue at BlockNow"]
    assert {stall.split()[0] for stall in run.stalls} == {"user", "actor"}
    assert all(phase.torn == 0 for phase in run.phases)
    assert all(len(phase.lateness) > 0 for phase in run.phases)

    figures = many_rooms.as_json(run, OPTIONS)
    assert json.loads(json.dumps(figures))["rooms"] == 7
    many_rooms.show(run, OPTIONS)
    assert "energy (loudness only)" in capsys.readouterr().out


def test_too_few_rooms_are_refused() -> None:
    run = subprocess.run([sys.executable, PROGRAM, "--rooms", "3"], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "--rooms must be at least 6" in run.stderr
