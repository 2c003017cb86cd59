"""The program in the README runs as it stands there, against a local OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.wire.openai_server import Completion, OpenAIServer

README = Path(__file__).parents[2] / "README.md"


async def test_the_program_in_the_readme_runs(tmp_path: Path) -> None:
    found = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    program = tmp_path / "embed.py"
    program.write_text(found.group(1), encoding="utf-8")
    async with OpenAIServer([Completion("Nine to six.")] * 3) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(program),
            env={**os.environ, "OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "none", "PYTHONUNBUFFERED": "1"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        seen = b""
        while b"room room-42:" not in seen:  # the caller stays on the line until the program has shown its mailboxes
            more = await asyncio.wait_for(process.stdout.read(4096), 45)
            assert more, seen.decode()
            seen += more
        process.stdin.close()
        out, err = await asyncio.wait_for(process.communicate(), 45)
    assert process.returncode == 0, err.decode()
    assert "agent: Hello." in (seen + out).decode()
