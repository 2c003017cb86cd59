"""``sessionactors eval``: what it prints for people, programs and build servers, and how it exits."""

from __future__ import annotations

import json
import pickle
import shlex
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from sessionactors.cli.app import app
from sessionactors.cli.entry_points import find_entry_point
from sessionactors.evals.suite import NothingToEvaluate, Wanted, result_of, trials, wanted_of
from sessionactors.evals.trial import How, Trial

from tests.evals.agents import written

STEPS = """
    - type: hello
      answers: Hello to you.
      expect: {text: Hello}
"""
FAILING = STEPS.replace("text: Hello", "text: Goodbye <script>")


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("sessionactors.cli.log_lines.silence", lambda: None)  # for this process: other tests read logs
    path = list(sys.path)
    yield
    sys.path[:] = path
    sys.modules.pop("desk_agent", None)


def evaluated(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["eval", *map(str, arguments)])
    return result.exit_code, result.output


def test_what_passes_is_one_line_and_the_exit_code_is_0(tmp_path: Path) -> None:
    code, output = evaluated(written(tmp_path, STEPS).path)
    assert code == 0
    assert output.splitlines()[0].startswith("pass  c  ")
    assert "1 of 1 conversations passed; 1 trials" in output


def test_what_fails_shows_the_transcript_the_difference_and_the_command_that_holds_it_again(tmp_path: Path) -> None:
    path = written(tmp_path, FAILING).path
    code, output = evaluated(path)
    assert code == 1
    lines = [line.strip() for line in output.splitlines()]
    assert lines[0].startswith("FAIL  c  ")
    assert f"{path}:3: c" in lines
    assert any(line.endswith("agent  Hello to you.") for line in lines)
    assert any(line.startswith(f"{path}:8: step 1, text, at ") for line in lines)
    assert "expected to contain 'Goodbye <script>'" in lines
    assert "came     'Hello to you.'" in lines
    again = next(line for line in lines if line.startswith("again: ")).removeprefix("again: sessionactors eval ")
    assert evaluated(*shlex.split(again))[0] == 1


def test_trials_are_repeated_with_seeds_and_the_pass_rate_is_told(tmp_path: Path) -> None:
    code, output = evaluated(written(tmp_path, FAILING).path, "--repeat", "2", "--seed", "2")
    assert code == 1
    assert "  0%  c  0/2  failed with seed 2, 3" in output
    assert "0 of 1 conversations passed in all of 2 trials" in output
    assert "--seed 2" in output


def test_programs_get_a_json_object_a_trial_and_build_servers_junit(tmp_path: Path) -> None:
    path, junit = written(tmp_path, FAILING).path, tmp_path / "out.xml"
    code, output = evaluated(path, "--json", "--junit", junit)
    assert code == 1
    (line,) = output.splitlines()
    trial = json.loads(line)
    assert (trial["conversation"], trial["passed"], trial["seed"]) == ("c", False, 0)
    assert trial["failures"][0]["key"] == "text"
    suite = ET.parse(junit).getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite[0].get("name")) == ("1", "1", "c")
    assert "Goodbye <script>" in (suite[0][0].text or "")


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["--only", "nobody"], "NothingToEvaluate: there is no conversation 'nobody'; there are 'c'"),
        (["--repeat", "0"], "OptionError: repeat must be at least 1 and the seed at least 0, got 0 and 0"),
        (["--parallel", "0"], "OptionError: parallel must be at least 1, got 0"),
        (["--llm", "gpt"], "llm 'gpt': there are own, offline, or MODULE:NAME"),
        (["--junit", "/nowhere/out.xml"], "OptionError: --junit /nowhere/out.xml: cannot be written"),
    ],
)
def test_what_is_asked_wrongly_is_said(tmp_path: Path, arguments: list[str], problem: str) -> None:
    code, output = evaluated(written(tmp_path, STEPS).path, *arguments)
    assert code == 1
    assert problem in output


def test_a_file_that_is_wrong_is_told_and_nothing_is_held(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text("agent: a.py\n")
    assert evaluated(path) == (1, f"EvalFileError: {path}:1: the file: 'conversations' is missing\n")


def test_f24_nothing_that_was_evaluated_is_nothing_that_has_passed() -> None:
    with pytest.raises(NothingToEvaluate, match="there is no conversation to hold"):
        wanted_of([])


def test_trials_of_several_processes_come_as_they_end_and_can_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process costs a second: here it is a thread, and what would be sent is packed and unpacked."""
    begun: list[int] = []

    def threads(most: int, *, mp_context: object, initializer: Callable[[], object]) -> ThreadPoolExecutor:
        begun.append(most)
        return ThreadPoolExecutor(1, initializer=initializer)

    monkeypatch.setattr("sessionactors.evals.suite.ProcessPoolExecutor", threads)
    wanted = wanted_of([written(tmp_path, STEPS)], repeat=2)
    made = list(trials(wanted, find_entry_point, parallel=8, begin=lambda: begun.append(0)))
    assert begun == [2, 0]
    assert sorted((trial.seed, trial.passed) for trial in made) == [(0, True), (1, True)]
    for value in (made, wanted, find_entry_point, How(real_time=True)):
        assert pickle.loads(pickle.dumps(value)) == value


def test_a_trial_whose_process_ended_is_one_that_failed(tmp_path: Path) -> None:
    ended: Future[Trial] = Future()
    ended.set_exception(BrokenProcessPool("killed"))
    trial = result_of(ended, Wanted(written(tmp_path, STEPS), "c", 3), How())
    assert (trial.conversation, trial.seed, trial.passed) == ("c", 3, False)
    assert trial.failures[0].came == "BrokenProcessPool: killed"


def test_only_takes_patterns(tmp_path: Path) -> None:
    evals = written(tmp_path, STEPS)
    assert [wanted.conversation for wanted in wanted_of([evals], only=["?"])] == ["c"]
