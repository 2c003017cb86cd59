"""The commands as they are typed: what is wrong with them is said in a line, with an exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sessionactors import JobContext, OptionError, WorkerOptions
from sessionactors.cli.app import app, app_for
from sessionactors.cli.log_lines import configure

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "arguments, code, what",
    [
        (["demo", "--loud"], 2, "No such option"),
        (["demo", "--seed", "two"], 2, "Invalid value for '--seed'"),
        (["demo", "--seed", "-1"], 1, "OptionError: seed must be >= 0, got -1"),
        (["demo", "--out", "pyproject.toml"], 1, "OptionError: cannot write to pyproject.toml"),
        (["console"], 2, "Missing argument"),
        (["console", "gone.py"], 1, "NotLoaded: gone.py: there is no such file"),
        (["console", "examples/voice_offline.py", "--actor", "gone"], 1, "NotLoaded: no drop-in actor named 'gone'"),
        (["worker"], 2, "No such command 'worker'"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], code: int, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("TERM", "dumb")
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert (result.exit_code, what in result.output) == (code, True), result.output
    assert "Traceback" not in result.output


def test_program_with_an_entry_point_has_the_console_and_the_worker() -> None:
    async def entrypoint(ctx: JobContext) -> None:
        await ctx.connect()

    program = app_for(WorkerOptions(entrypoint_fnc=entrypoint))
    shown = CliRunner().invoke(program, ["--help"]).output
    assert {"console", "start", "dev", "connect"} <= set(shown.split())
    result = CliRunner().invoke(program, ["console", "--actor", "gone"])
    assert (result.exit_code, "no drop-in actor named 'gone'" in result.output) == (1, True)


def test_entry_point_that_cannot_be_called() -> None:
    with pytest.raises(OptionError, match="entrypoint_fnc must be an async function of a JobContext, got 7"):
        WorkerOptions(entrypoint_fnc=7)  # type: ignore[arg-type]


@pytest.mark.parametrize("verbose", [False, True])
def test_log_lines_go_to_standard_error(verbose: bool, capsys: pytest.CaptureFixture[str]) -> None:
    import structlog

    configure(verbose=verbose)
    log = structlog.get_logger("sessionactors.cli")
    log.debug("a_detail")
    log.warning("a_worry", room="lobby")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "a_worry" in printed.err
    assert ("a_detail" in printed.err) is verbose


def test_help_loads_no_engine_and_no_session() -> None:
    """A command that only says what there is must not wait for what it would need."""
    code = (
        "import sys, json\n"
        "from typer.testing import CliRunner\n"
        "from sessionactors.cli.app import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(json.dumps([name for name in sys.modules if name.split('.')[0] in\n"
        "    {'numpy', 'pydantic', 'onnxruntime', 'pocketsphinx', 'openai', 'pykka', 'soxr'}]))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(ran.stdout) == []


def test_commands_are_reached_from_the_front_door(monkeypatch: pytest.MonkeyPatch) -> None:
    from sessionactors import cli

    assert set(cli.__all__) == {"main", "run_app"}
    monkeypatch.setattr(sys, "argv", ["sessionactors", "--help"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
