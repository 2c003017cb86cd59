"""A failed test shows the mailboxes of its sessions: one that lives, one that was left, a scenario, a hung one."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PLUGIN = "sessionactors.testing.pytest_plugin"

SUITE = """
import asyncio

import pytest
from sessionactors import ActorSystem, Agent, AgentSession
from sessionactors.testing import Scenario, ScriptedLLM, ScriptedReply

SLOW = ScriptedReply("Hi.", ttft=1000.0)


async def session_in(name):
    session = AgentSession(llm=ScriptedLLM([SLOW]))
    await session.start(Agent(instructions=""), room_name=name)
    session.generate_reply(user_input="Hello")
    await asyncio.sleep(0.05)
    return session


@pytest.fixture
async def living():
    session = await session_in("living-room")
    yield session
    await session.aclose()


async def test_living(living):
    assert living.agent_state == "speaking"


async def test_left():
    async with await session_in("left-room") as session:
        assert session.agent_state == "speaking"


@pytest.mark.timeout(0.5)
async def test_hung():
    async with await session_in("hung-room") as session:
        await session.current_speech


def test_scenario():
    scenario = Scenario(Agent(instructions=""), audio=False)
    scenario.user_types("Hello", at=0.5)
    scenario.llm_replies("Hi.")
    assert scenario.play().said() == ["Bye."]


async def test_good(living):
    assert living.agent_state == "thinking"


def test_skipped():
    pytest.skip("today")


async def test_closed_before():
    session = await session_in("closed-room")
    async with session:
        await session.aclose()
        assert session.agent_state == "speaking"
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pytest said about each failed test."""
    directory = tmp_path_factory.mktemp("plugin")
    (directory / "test_suite.py").write_text(SUITE)
    (directory / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    # The installed one is left out, so that this tree's is looked at wherever it is installed from.
    plugins = ["no:randomly", "no:cacheprovider", "no:cov", "no:sessionactors", PLUGIN]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *(f"-p{plugin}" for plugin in plugins), "test_suite.py"],
        cwd=directory,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    parts = result.stdout.split("___ test_")[1:]
    return {part.split(" ", 1)[0]: part for part in parts} | {"": result.stdout}


@pytest.mark.parametrize(
    "test, title, room",
    [
        ("living", "sessionactors: living-room", "living-room"),
        ("left", "sessionactors: left-room", "left-room"),
        ("hung", "sessionactors: hung-room", "hung-room"),
        ("scenario", "sessionactors: the last scenario, before its close", "scenario"),
    ],
)
def test_a_failure_shows_the_mailboxes_of_the_session(report: dict[str, str], test: str, title: str, room: str) -> None:
    shown = report[test].split(title)[1]
    assert room in shown
    assert "floor" in shown
    assert "history" in shown


def test_what_waits_is_named(report: dict[str, str]) -> None:
    assert "waits" in report["hung"].split("sessionactors: hung-room")[1]


def test_nothing_is_shown_for_others(report: dict[str, str]) -> None:
    assert "5 failed, 1 passed, 1 skipped" in report[""], report[""]
    assert "sessionactors: closed-room" not in report[""]


def test_the_plugin_is_installed_with_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["pytest11"] == {"sessionactors": PLUGIN}
