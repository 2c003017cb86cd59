"""``sessionactors explore``: scenarios of a module in many orders, or one in one; what is asked wrongly is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sessionactors.cli.app import app
from sessionactors.testing import campaign

SCENARIOS = """
from sessionactors import Agent
from sessionactors.testing import Run, Scenario, expecting


def greeting() -> Scenario:
    scenario = Scenario(Agent(instructions="Be kind."), audio=False)
    scenario.user_types("Hello.", at=0.5)
    scenario.llm_otherwise("Hello to you.")
    return scenario


def silent(run: Run) -> None:
    assert run.said() == [], "the agent spoke"


@expecting(silent)
def broken() -> Scenario:
    return greeting()


def not_made() -> Scenario:
    raise LookupError("no script")


def needs(what: str) -> Scenario:
    raise AssertionError(what)


def gives(): ...
"""


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessionactors.cli.log_lines.silence", lambda: None)  # for this process: other tests read logs


@pytest.fixture
def module(tmp_path: Path) -> str:
    path = tmp_path / "scenes_to_explore.py"
    path.write_text(SCENARIOS)
    return str(path)


def explored(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["explore", *arguments])
    return result.exit_code, result.output


def test_all_scenarios_of_a_module_are_explored_and_the_sums_are_told(module: str) -> None:
    code, text = explored(module, "--schedules", "2")
    assert code == 1
    greeting, *rest = text.splitlines()
    assert greeting.split()[:3] == ["greeting", "2", "schedules,"]
    assert greeting.endswith("ok")
    assert any(line.split()[0] == "broken" and line.endswith("BROKEN") for line in rest if line)
    assert "expectation: the agent spoke" in text
    assert "LookupError: no script" in text
    assert rest[-1].startswith("3 scenarios: 3 schedules, ")


def test_one_scenario_as_json(module: str) -> None:
    code, text = explored(f"{module}:greeting", "--schedules", "3", "--strategy", "pct", "--json")
    assert code == 0
    found = json.loads(text)
    assert (found["scenario"], found["schedules"], found["broken"]) == ("greeting", 3, [])
    assert found["orders"] >= 1
    assert found["pairs"] > 10


def test_chunks_of_one_scenario_are_added_up(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "CHUNK", 2)
    code, text = explored(f"{module}:greeting", "--schedules", "3")
    assert code == 0
    assert text.splitlines()[-1].startswith("1 scenarios: 3 schedules, ")


def test_one_order_is_run_again_as_a_report_names_it(module: str) -> None:
    code, text = explored(f"{module}:greeting", "--schedule", "fifo:3=1:9999=1", "--leave-out", "0")
    assert code == 0
    assert "note: the run made" in text
    assert "greeting keeps every promise in" in text
    code, text = explored(f"{module}:broken", "--schedule", "pct:seed=3")
    assert code == 1
    assert "pct:seed=3:depth=3:over=1000 breaks expectation: the agent spoke" in text
    assert "sequenceDiagram" in text


def test_a_fault_of_a_report_is_injected_again(module: str) -> None:
    code, text = explored(f"{module}:greeting", "--fault", "double transport.text#1")
    assert code == 0
    assert "by fifo" in text


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["nowhere.py"], "no such file"),
        (["{module}:missing"], "has no scenario 'missing'; it has greeting, broken, not_made"),
        (["{module}:missing", "--schedule", "fifo"], "has no scenario 'missing'"),
        (["{module}", "--schedule", "fifo"], "give its name"),
        (["{module}:greeting", "--schedule", "lifo"], "begins with no strategy"),
        (["{module}:greeting", "--fault", "bang"], "'bang' is no fault"),
        (["{module}:greeting", "--leave-out", "x"], "--leave-out takes numbers of moments"),
        (["{module}:greeting", "--strategy", "dfs"], "--strategy dfs: there is no such one"),
        (["{module}:greeting", "--schedules", "0"], "--schedules and --jobs must be at least 1"),
        (["{empty}"], "has no scenarios: write functions"),
    ],
)
def test_what_is_asked_wrongly_is_said(arguments: list[str], says: str, module: str, tmp_path: Path) -> None:
    empty = tmp_path / "nothing_to_explore.py"
    empty.write_text("")
    code, text = explored(*(argument.format(module=module, empty=empty) for argument in arguments))
    assert code == 1
    assert says in " ".join(text.split())
