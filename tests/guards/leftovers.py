"""A test that leaves threads, processes or asyncio tasks behind fails, and so does one whose loop reported an error.

Looked at after the last fixture of the test is gone. What fixtures of a wider scope started may stay; so may anything
in a test that has failed already, because one failure should not be told twice.

Tasks are seen in two places: in asyncio's registry, and when a loop is closed over them, which cancels them silently.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import pytest

THREAD_GRACE: Final = 2.0
"""Seconds that a thread or a process may take to end after it was told to."""

T = TypeVar("T")
Kept = set[object]
"""Threads, process ids and tasks that were there before, or belong to a wider scope."""

_kept = pytest.StashKey[Kept]()
_failed = pytest.StashKey[bool]()
_cancelled_at_close: list[str] = []
_loop_errors: list[str] = []


class LoopErrors(logging.Handler):
    """Notes what asyncio can only log: exceptions nobody retrieved, tasks destroyed while pending."""

    def emit(self, record: logging.LogRecord) -> None:
        exception = record.exc_info[1] if record.exc_info else None
        _loop_errors.append(record.getMessage() + (f" ({exception!r})" if exception else ""))


@pytest.fixture(scope="session", autouse=True)
def loop_watch() -> Iterator[None]:
    """Notes tasks that a closing loop cancels, and errors that asyncio logs."""
    watch = LoopErrors(logging.ERROR)
    cancel_all: Callable[[asyncio.AbstractEventLoop], None] = vars(asyncio.runners)["_cancel_all_tasks"]

    def noting_cancel_all(loop: asyncio.AbstractEventLoop) -> None:
        _cancelled_at_close.extend(_task(task) for task in asyncio.all_tasks(loop))
        cancel_all(loop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.runners, "_cancel_all_tasks", noting_cancel_all)
        logging.getLogger("asyncio").addHandler(watch)
        yield
        logging.getLogger("asyncio").removeHandler(watch)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """What a fixture of a wider scope starts outlives the test that asked for it first."""
    if fixturedef.scope == "function":
        return (yield)
    before = _alive()
    try:
        return (yield)
    finally:
        request.config.stash.setdefault(_kept, set()).update(_alive() - before)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    item.stash[_kept] = _alive()
    _cancelled_at_close.clear()
    _loop_errors.clear()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not report.passed:
        item.stash[_failed] = True
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    yield
    if item.stash.get(_failed, False):
        return
    found: list[str] = []
    if item.get_closest_marker("leaves_behind") is None:
        of_wider_scopes: Kept = item.config.stash.get(_kept, set())
        kept = item.stash[_kept] | of_wider_scopes
        found += [f"task cancelled when its loop closed: {task}" for task in _cancelled_at_close]
        found += [f"task: {_task(task)}" for task in _tasks() if task not in kept]
        found += [f"thread: {_thread(thread)}" for thread in _still_there(lambda: _new(_threads(), kept))]
        found += [f"process: {_command(pid)}" for pid in _still_there(lambda: _new(_processes(), kept))]
    if item.get_closest_marker("expects_loop_errors") is None:
        found += [f"asyncio reported: {error}" for error in _loop_errors]
    if found:
        lines = "\n".join(f"  {line}" for line in found)
        pytest.fail(f"left behind:\n{lines}\n(marks: leaves_behind, expects_loop_errors)", pytrace=False)


def _alive() -> Kept:
    return {*_threads(), *_processes(), *_tasks()}


def _new(things: Iterable[T], kept: Kept) -> list[T]:
    return [thing for thing in things if thing not in kept]


def _still_there(look: Callable[[], list[T]]) -> list[T]:
    """What is still there when the grace is over."""
    deadline = time.monotonic() + THREAD_GRACE
    while (things := look()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return things


def _threads() -> list[threading.Thread]:
    return threading.enumerate()


def _thread(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    at = f" at {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}" if frame else ""
    return f"{thread.name!r}{' (daemon)' if thread.daemon else ''}{at}"


def _tasks() -> list[asyncio.Task[object]]:
    """Pending tasks of every loop. asyncio's public list needs the loop, and loops are what is forgotten.

    CPython 3.14 keeps its own tasks elsewhere; there only the closing of a loop shows them.
    """
    registry = vars(asyncio.tasks).get("_scheduled_tasks", vars(asyncio.tasks).get("_all_tasks", ()))
    while True:
        try:
            tasks = list(registry)
        except RuntimeError:  # another thread made a task meanwhile
            continue
        return [task for task in tasks if not task.done()]


def _task(task: asyncio.Task[object]) -> str:
    stack = task.get_stack(limit=1)
    at = f" at {stack[0].f_code.co_filename}:{stack[0].f_lineno}" if stack else ""
    return f"{task.get_name()!r} running {getattr(task.get_coro(), '__qualname__', task.get_coro())}{at}"


def _processes() -> set[int]:
    """Children of this process, where the system lists them; multiprocessing's own servers stay for the run."""
    children: set[int] = set()
    if not _has_children():
        return children
    for listing in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        try:
            children.update(int(pid) for pid in listing.read_text().split())
        except OSError:  # the thread is gone
            continue
    return {pid for pid in children if _runs(pid) and "multiprocessing.resource_tracker" not in _command(pid)}


def _has_children() -> bool:
    """Whether there are any at all, asked by one call: it is asked twice for each test. Takes the end of none away."""
    if not hasattr(os, "waitid"):
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _runs(pid: int) -> bool:
    """Whether it has not ended. Not to be told from its command line: a child that just began has none for a moment."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in "ZX"


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        words = []
    text = b" ".join(words).decode(errors="replace").strip()
    return f"{text or 'a child that has just begun'} (pid {pid})"
