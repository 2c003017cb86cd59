"""The guards of `tests/guards/` fail what they should, and say what it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SUITE = """
import asyncio
import threading
import time
from pathlib import Path

import pytest
import sessionactors.model

release = threading.Event()
below_us = Path(sessionactors.model.__file__).with_name("below_us.py")


def called_by_us(function):
    \"\"\"Calls `function` from a frame that lies in sessionactors.\"\"\"
    scope = {}
    exec(compile("def call(function):\\n    function()\\n", str(below_us), "exec"), scope)
    scope["call"](function)


def pause():
    time.sleep(0.001)


async def test_swallowed_block():
    try:
        called_by_us(pause)
    except Exception:
        pass


async def test_own_file_read():
    assert below_us.parent.joinpath("__init__.py").read_text()


@pytest.mark.may_block("on purpose")
async def test_marked_block():
    called_by_us(pause)


@pytest.mark.may_block("on purpose", in_functions=["pause"])
async def test_marked_block_in_function():
    called_by_us(pause)


@pytest.mark.may_block("on purpose", in_functions=["another"])
async def test_block_in_another_function():
    called_by_us(pause)


def test_thread():
    threading.Thread(target=release.wait, name="forgotten", daemon=True).start()


@pytest.mark.leaves_behind("on purpose")
def test_marked_thread():
    threading.Thread(target=release.wait, name="allowed", daemon=True).start()


@pytest.fixture(scope="module")
def wide():
    threading.Thread(target=release.wait, name="of-the-module", daemon=True).start()
    yield
    release.set()


def test_thread_of_a_wider_scope(wide):
    pass


async def test_task():
    asyncio.create_task(asyncio.sleep(60), name="forgotten")


def test_task_of_a_foreign_loop():
    loop = asyncio.new_event_loop()
    test_task_of_a_foreign_loop.task = loop.create_task(asyncio.sleep(60), name="of-another-loop")
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()


def test_process():
    import subprocess
    test_process.child = subprocess.Popen(["sleep", "9"])


async def test_loop_error():
    asyncio.get_running_loop().call_exception_handler({"message": "nobody looked"})


def test_own_failure_is_told_once():
    threading.Thread(target=release.wait, name="not-told", daemon=True).start()
    assert False, "own failure"
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("guards")
    (directory / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", "-v", "-rEfp"]
    result = subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", str(directory)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout + result.stderr


@pytest.mark.parametrize(
    "test, reason",
    [
        ("test_swallowed_block", "time.sleep on thread 'MainThread'"),
        ("test_block_in_another_function", "time.sleep on thread 'MainThread'"),
        ("test_thread", "thread: 'forgotten' (daemon)"),
        ("test_task", "task cancelled when its loop closed: 'forgotten' running sleep"),
        ("test_task_of_a_foreign_loop", "task: 'of-another-loop' running sleep"),
        ("test_process", "process: sleep 9 (pid "),
        ("test_loop_error", "asyncio reported: nobody looked"),
    ],
)
def test_guard_fails_and_names_the_cause(report: str, test: str, reason: str) -> None:
    assert f"::{test} ERROR" in report, report
    assert reason in report


@pytest.mark.parametrize(
    "test",
    [
        "test_own_file_read",
        "test_marked_block",
        "test_marked_block_in_function",
        "test_marked_thread",
        "test_thread_of_a_wider_scope",
    ],
)
def test_guard_lets_pass(report: str, test: str) -> None:
    assert f"::{test} PASSED" in report, report
    assert f"::{test} ERROR" not in report


def test_a_failed_test_is_not_blamed_again(report: str) -> None:
    assert "::test_own_failure_is_told_once FAILED" in report, report
    assert "not-told" not in report.split("short test summary", maxsplit=1)[-1]
