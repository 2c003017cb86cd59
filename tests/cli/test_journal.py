"""Recording from the command line, and reading what was recorded."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from sessionactors.cli.app import app

ROOT = Path(__file__).parents[2]


def typed(*arguments: str, text: str = "") -> str:
    result = CliRunner().invoke(app, arguments, input=text, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def test_a_talk_in_the_terminal_is_recorded_and_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "call.journal"
    assert f"recorded in {file}" in typed("record", str(ROOT / "examples/voice_offline.py"), str(file), text="hello\n")
    people = typed("journal", str(file))
    assert "TextReceived(" in people
    assert "'hello'" in people
    assert people.rstrip().endswith("records; the journal was closed")
    assert len(typed("journal", str(file), "--whole").splitlines()) > len(people.splitlines())
    records = [json.loads(line) for line in typed("journal", str(file), "--json").splitlines()]
    assert [record["record"] for record in (records[0], records[1], records[-1])] == ["Header", "Given", "Closed"]
    assert any(record.get("message", {}) and "hello" in str(record["message"]) for record in records)


def test_what_is_no_journal_is_said_in_a_line(tmp_path: Path) -> None:
    for name, what in (("pyproject.toml", "JournalDamaged: this is no journal"), ("gone", "cannot be read")):
        result = CliRunner().invoke(app, ["journal", str(ROOT / name)], env={"COLUMNS": "200"})
        assert (result.exit_code, what in result.output) == (1, True), result.output
