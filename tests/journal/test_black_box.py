"""The last seconds of a session: kept in memory, written when something is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sessionactors import AgentSession, OptionError
from sessionactors.journal.black_box import BlackBox
from sessionactors.journal.journal import Journal
from sessionactors.journal.reading import JournalReader
from sessionactors.journal.records import Checkpoint, Entered, Given, Handled, Header, Noted, Obeyed, Record
from sessionactors.testing import Scenario

from tests.session.talks import barge_in, played


def written(directory: Path) -> list[list[Record]]:
    until = time.monotonic() + 5.0
    found: list[list[Record]] = []
    while not found and time.monotonic() < until:
        time.sleep(0.01)  # a thread writes it
        found = [whole(path) for path in sorted(directory.glob("*.journal")) if path.stat().st_size]
    return found


def whole(path: Path) -> list[Record]:
    with JournalReader(path) as reader:
        return list(reader)


def talk(box: object, at: float, command: Callable[[AgentSession[object]], object] | None = None) -> Scenario:
    scenario = barge_in(journal=box, frame_ms=50)
    if command is not None:
        scenario.call(at, command)
    return scenario


def test_a_session_that_is_younger_than_the_ring_is_kept_whole(tmp_path: Path) -> None:
    paths: list[object] = []
    scenario = talk(BlackBox(tmp_path, seconds=60.0), 4.0, lambda session: paths.extend(session.keep_black_box("odd")))
    played(scenario)
    (records,) = written(tmp_path)
    assert isinstance(records[0], Header)
    assert isinstance(records[1], Given)
    assert not any(isinstance(record, Checkpoint) for record in records)
    assert isinstance(records[-1], Noted)
    assert records[-1].text == "odd"
    assert [Path(str(path)).parent for path in paths] == [tmp_path]


def test_of_an_older_session_the_last_seconds_are_kept_from_a_checkpoint_on(tmp_path: Path) -> None:
    box = BlackBox(tmp_path, seconds=3.0, notes={"call": "7"})
    played(talk(box, 8.0, lambda session: session.keep_black_box("odd")))
    (records,) = written(tmp_path)
    header, checkpoint, *rest = records
    assert isinstance(header, Header)
    assert header.notes == {"call": "7", "why": "odd"}
    assert isinstance(checkpoint, Checkpoint)
    assert {"scenario", "scenario/floor", "scenario/ear-caller/turn"} <= set(checkpoint.states)
    handled = [record.began for record in rest if isinstance(record, Handled)]
    assert 2.9 <= (handled[-1] - handled[0]) / 1e9 <= 4.5
    assert all(isinstance(record.message, object) for record in rest if isinstance(record, Entered))


def test_a_crash_of_an_actor_writes_one_file_however_often_it_fails(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "whole.journal")
    scenario = barge_in(frame_ms=50, journal=[BlackBox(tmp_path / "boxes"), journal])
    scenario.kill("llm", message=3)
    scenario.kill("tts", message=9)
    scenario.play()
    (records,) = written(tmp_path / "boxes")
    assert isinstance(records[-1], Noted)
    assert "scenario/llm was killed: RuntimeError('the script kills llm')" in records[-1].text
    assert journal.wait_closed()
    obeyed = [record for record in whole(tmp_path / "whole.journal") if isinstance(record, Obeyed)]
    assert [(record.target, record.message) for record in obeyed][:2] == [
        ("scenario/llm", "Kill"),
        ("scenario/tts", "Kill"),
    ]


def test_numbers_of_a_black_box_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"seconds=0"):
        BlackBox(tmp_path, seconds=0)
