"""The tutorial's text-only program, against a local endpoint that is compatible with OpenAI's."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from sessionactors.cli import end_of_input
from sessionactors.cli.console import talk

from examples import text_only
from tests.cli.terminal import Printed, typed
from tests.wire.openai_server import Completion, OpenAIServer

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "text_only.py"


async def test_a_typed_question_is_answered_by_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_of_input, "QUIET", 0.3)
    async with OpenAIServer([Completion("Paris, of course.")]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        out = Printed()
        with typed("What is the capital of France?") as stdin:
            await talk(text_only.entrypoint, stdin=stdin, stdout=out)
    assert out.getvalue().strip() == "agent: Paris, of course."
    assert [(message["role"], message["content"]) for message in server.asked[0].body["messages"]] == [
        ("system", "You are a helpful assistant."),
        ("user", "What is the capital of France?"),
    ]
    assert server.asked[0].body["model"] == "gpt-4o-mini"


@pytest.mark.parametrize("command", [[str(PROGRAM), "console"], ["-m", "sessionactors.cli", "console", str(PROGRAM)]])
async def test_the_program_runs_in_the_console(command: list[str]) -> None:
    async with OpenAIServer([Completion("Paris, of course.")]) as server:
        program = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "OPENAI_BASE_URL": server.base_url, "PYTHONWARNINGS": "error"},
            cwd=ROOT,
        )
        printed, complained = await program.communicate(b"What is the capital of France?\n")
    assert (printed.decode().strip(), program.returncode) == ("agent: Paris, of course.", 0), complained.decode()
    assert complained == b""  # not even about a connection that was left open
