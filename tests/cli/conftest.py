"""A real service, in a process of its own, for all tests of the commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from sessionactors.cli.app import app

COMMANDS = get_command(app)
"""Made once: that takes most of the time of a command."""
LOOK, ALL = "look-only-0123456789", "everything-0123456789"


@dataclass
class RunningService:
    """``sessionactors serve tests/cli/hanging_rooms.py``, and the commands that ask it."""

    url: str
    token: str
    pid: int
    release: Path
    lines: Path
    environment: dict[str, str]

    def run(self, *arguments: str, token: str | None = None) -> Result:
        environment = {**self.environment, "SESSIONACTORS_TOKEN": token or self.token, "COLUMNS": "200"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("typer.testing._get_command", lambda _: COMMANDS)
            return CliRunner().invoke(app, list(arguments), env=environment)

    def ask(self, *arguments: str, token: str | None = None) -> str:
        result = self.run(*arguments, token=token)
        assert result.exit_code == 0, result.output
        return result.stdout

    def post(self, path: str, body: object) -> httpx.Response:
        return httpx.post(self.url + path, json=body, headers={"authorization": f"Bearer {self.token}"}, timeout=10)

    def open(self, room: str) -> str:
        assert self.post("/rooms", {"room": room}).status_code == 201
        return room


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "run").mkdir(mode=0o700)
    tokens = folder / "tokens.json"
    tokens.write_text(json.dumps({LOOK: ["look"], ALL: ["look", "talk", "intervene"]}))
    tokens.chmod(0o600)
    release = folder / "release"
    environment = {"XDG_RUNTIME_DIR": str(folder / "run"), "RELEASE": str(release)}
    command = [
        *(sys.executable, "-m", "sessionactors.cli", "serve", str(Path(__file__).parent / "hanging_rooms.py")),
        *(
            "--port",
            "0",
            "--tokens",
            str(tokens),
            "--black-boxes",
            str(folder / "boxes"),
            "--drain-within",
            "0",
            "--json",
        ),
    ]
    given = {name: value for name, value in os.environ.items() if name != "SESSIONACTORS_TOKEN"} | environment
    log = folder / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=given) as process,
    ):
        assert process.stdout is not None
        said = process.stdout.readline()
        try:
            assert said, log.read_text()
            at = json.loads(said)
            environment["SESSIONACTORS_URL"] = at["url"]
            yield RunningService(at["url"], ALL, process.pid, release, log, environment)
        finally:
            release.touch()
            process.send_signal(signal.SIGTERM)
            ended = process.wait(20)
        assert ended == 0, log.read_text()
        assert "drained in " in log.read_text()
