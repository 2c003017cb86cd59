"""``sessionactors replay`` as it is typed: a recorded call from the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sessionactors import Journal, Replay
from sessionactors.actors.history import History
from sessionactors.cli.app import app
from sessionactors.runtime import Outbox

from tests.session.talks import typed


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("call") / "call.journal"
    recording = Journal(path)
    typed(None, "How are you?", journal=recording).play()
    assert recording.wait_closed()
    return path


def replayed(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["replay", *map(str, arguments)])
    return result.exit_code, result.output


def test_a_call_that_is_the_same_again_says_so(journal: Path) -> None:
    code, said = replayed(journal)
    assert code == 0
    assert "room scenario, recorded " in said
    assert "the same again" in said
    lines = [json.loads(line) for line in replayed(journal, "--json")[1].splitlines()]
    assert lines[-1]["messages"] == Replay(journal).messages


def test_every_actor_is_shown_at_a_message(journal: Path) -> None:
    code, said = replayed(journal, "--until", 10)
    assert code == 0
    assert "after message 10 " in said
    assert "history [idle]" in said
    (line,) = [json.loads(line) for line in replayed(journal, "--until", 10, "--json")[1].splitlines()]
    assert line["message"]["number"] == 10
    assert "scenario/floor" in line["inspect"]["actors"]


def test_steps_show_what_each_message_changed(journal: Path) -> None:
    code, said = replayed(journal, "--step", "--until", 30)
    assert code == 0
    assert len([line for line in said.splitlines() if not line.startswith(" ")]) == 30
    assert "scenario/history" in said
    assert "version: " in said


def test_two_messages_are_compared(journal: Path) -> None:
    code, said = replayed(journal, "--diff", 5, "--until", 40)
    assert code == 0
    assert "scenario/history\n" in said
    assert "items[0]: new: " in said


def test_the_first_message_after_which_something_holds_is_found(journal: Path) -> None:
    code, said = replayed(journal, "--first", "history.items=3")
    assert code == 0
    assert "scenario/history" in said.splitlines()[0]
    assert replayed(journal, "--first", "history.items=99")[1].strip() == "it never holds"


def test_what_is_wrong_is_one_line(journal: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.journal"
    other.write_bytes(b"RIFF")
    for arguments, told in (
        ((tmp_path / "gone.journal",), "OptionError: "),
        ((other,), "JournalDamaged: "),
        ((journal, "--until", 100_000), "OptionError: there is no message 100000"),
        ((journal, "--first", "history"), "OptionError: --first 'history': write ACTOR.FACT=VALUE"),
    ):
        code, said = replayed(*arguments)
        assert code == 1
        assert told in said


def test_it_exits_with_1_where_the_runs_part(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receive = History.receive

    def changed(self: History, state: object, message: object, out: Outbox[object]) -> object:
        out.log("changed")
        return receive(self, state, message, out)  # type: ignore[arg-type]

    monkeypatch.setattr(History, "receive", changed)
    code, said = replayed(journal)
    assert code == 1
    assert "the runs part at message " in said
