"""Moving over: the same programs on livekit-agents and on sessionactors, with nothing changed but the import lines.

livekit-agents lives in an environment of its own (``make peer``), because it is not ours to depend on.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PEER = Path(os.environ.get("PEER_VENV", HERE.parents[1] / ".venv-peer")) / "bin" / "python"
PROGRAMS = sorted(path.stem for path in (HERE / "programs").glob("*.py"))

pytestmark = [
    pytest.mark.skipif(
        not PEER.exists(), reason=f"livekit-agents is not installed in {PEER.parents[1]}: run `make peer`"
    ),
]


def seen(python: Path | str, script: str, program: str) -> dict[str, list[str]]:
    """What a program's conversation looked like on one side."""
    result = subprocess.run(
        [str(python), str(HERE / script), str(HERE), program], capture_output=True, text=True, check=False, timeout=50
    )
    assert result.returncode == 0, result.stderr[-4000:]
    found: dict[str, list[str]] = json.loads(result.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module", params=PROGRAMS)
def both(request: pytest.FixtureRequest) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The conversation on the peer, and on ours."""
    return seen(PEER, "on_peer.py", request.param), seen(sys.executable, "on_ours.py", request.param)


Both = tuple[dict[str, list[str]], dict[str, list[str]]]


@pytest.mark.parametrize("what", ["states", "events", "agent"])
def test_users_see_the_same(both: Both, what: str) -> None:
    peer, ours = both
    assert ours[what] == peer[what]


def test_the_history_has_the_same_items(both: Both) -> None:
    peer, ours = both
    assert said(ours["history"]) == said(peer["history"])
    assert of_tools(ours["history"]) == of_tools(peer["history"])


def test_the_model_is_asked_the_same(both: Both) -> None:
    peer, ours = ([line.split(" | ") for line in side["asked"]] for side in both)
    assert [said(request) for request in ours] == [said(request) for request in peer]
    assert [outputs(request) for request in ours] == [outputs(request) for request in peer]


_OF_A_TOOL = re.compile(r"(call|output) ")


def said(lines: Sequence[str]) -> list[str]:
    """What was said and who was in charge, in order. How an agent is configured is no part of the conversation: the
    peer notes it again whenever an agent comes back."""
    return [line for line in lines if not _OF_A_TOOL.match(line) and line != "agent_config_update"]


def of_tools(lines: Sequence[str]) -> list[str]:
    """Calls and outputs. Ours stand together, where the outputs came; the peer's each at the time it began."""
    return sorted(line for line in lines if _OF_A_TOOL.match(line))


def outputs(request: Sequence[str]) -> list[str]:
    """Outputs in a request, but for what stands for a call that still runs: a task's own context is its own with us."""
    return sorted(line for line in request if line.startswith("output ") and "in progress" not in line)
