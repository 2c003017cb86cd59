"""A blocking call on a running event loop fails the test.

blockbuster raises where sessionactors, or user code below it, sleeps, waits for a lock or touches a file on a thread
whose loop is running. A supervisor may contain that error like any other, so each one is also noted and the test
fails at its end. A test's own reads of small files are not looked at: no frame of sessionactors is below them.

A test that blocks a loop on purpose says so::

    @pytest.mark.may_block("the tool blocks its thread for five seconds", in_functions=["slow_tool"])
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

import blockbuster.blockbuster
import pytest
from blockbuster import BlockBuster, BlockingError

ROOT: Final = Path(__file__).parents[2]

EXCEPTIONS: Final = (
    (
        "importlib/metadata/__init__.py",
        frozenset({"version"}),
        "an SDK reads its own version, a small file, when its first client is made on the loop",
    ),
    (
        "fastapi/routing.py",
        frozenset({"_extract_endpoint_context"}),
        "FastAPI looks up where an endpoint stands, once for each, for its error messages",
    ),
    (
        "logging/__init__.py",
        frozenset({"emit"}),
        "where a log line goes is the business of who configures logging; pytest writes it to a file",
    ),
    (
        "coverage/collector.py",
        frozenset({"lock_data"}),
        "coverage's tracer, when two threads come to a new file at once",
    ),
)
"""Where blocking is allowed in every test: end of the file's path, functions, and why."""

_noted: list[str] = []


class NotedBlockingError(BlockingError):
    """blockbuster's error, which leaves a note even if whoever catches it says nothing."""

    def __init__(self, func: str) -> None:
        super().__init__(func)
        _noted.append(f"{func} on thread {threading.current_thread().name!r}, from {_caller(sys._getframe(1))}")


def _caller(frame: FrameType | None) -> str:
    """The innermost line that is ours, as ``path:line in function``."""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and ".venv" not in path.parts:
            return f"{path.relative_to(ROOT)}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back
    return "code that is not ours"


@pytest.fixture(scope="session")
def blocking_detector() -> Iterator[BlockBuster]:
    """Patches the blocking functions once for the run: patching takes longer than most tests."""
    detector = BlockBuster("sessionactors")
    for function in detector.functions.values():
        for file, functions, _reason in EXCEPTIONS:
            function.can_block_in(file, functions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blockbuster.blockbuster, "BlockingError", NotedBlockingError)
        detector.activate()
        yield detector
        detector.deactivate()


@pytest.fixture(autouse=True)
def no_blocking_calls(request: pytest.FixtureRequest, blocking_detector: BlockBuster) -> Iterator[None]:
    """Fails the test if a loop was blocked while it ran."""
    marker = request.node.get_closest_marker("may_block")
    _noted.clear()
    if marker is None:
        yield
    elif functions := marker.kwargs.get("in_functions"):
        allowed = (request.path.as_posix(), frozenset(functions))
        for function in blocking_detector.functions.values():
            function.can_block_functions.append(allowed)
        yield
        for function in blocking_detector.functions.values():
            function.can_block_functions.remove(allowed)
    else:
        blocking_detector.deactivate()
        yield
        blocking_detector.activate()
    if _noted:
        calls = "\n".join(f"  {note}" for note in dict.fromkeys(_noted))
        pytest.fail(f"a running event loop was blocked:\n{calls}\n(mark: may_block)", pytrace=False)
