"""What holds a loop that does not run: read from outside, while it does not run."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

_NOT_THE_USERS: Final = (
    sysconfig.get_path("stdlib"),
    sysconfig.get_path("purelib"),
    str(Path(__file__).parents[1]),
    "<frozen",
)


@dataclass(frozen=True, slots=True)
class BlockedLoop:
    """A loop that has not run for a while, and what runs on it instead."""

    loop: str
    """``actor`` or ``user``."""
    seconds: float
    by: str
    """The task that runs: of an effect its owner's path, ``#`` and its key; ``a callback`` if none does."""
    where: str
    """``agent.py:12 in look_up``: the innermost line outside of Python and of installed packages."""


def blocked_loop(kind: str, loop: asyncio.AbstractEventLoop, thread: int | None, seconds: float) -> BlockedLoop:
    """Look at a loop from another thread."""
    task = asyncio.current_task(loop)
    frame = None if thread is None else sys._current_frames().get(thread)
    return BlockedLoop(kind, seconds, "a callback" if task is None else task.get_name(), place(frame))


def place(frame: FrameType | None) -> str:
    """Where a thread is, for people."""
    told = innermost = frame
    while told is not None and told.f_code.co_filename.startswith(_NOT_THE_USERS):
        told = told.f_back
    told = told or innermost
    if told is None:
        return "nobody knows where"
    code = told.f_code
    return f"{code.co_filename}:{told.f_lineno} in {code.co_qualname}"
