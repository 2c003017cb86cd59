"""What a provider holds: tasks of the running loop, threads and descriptors of the process."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sessionactors.testing.virtual_loop import POOL

_DESCRIPTORS = next((folder for folder in (Path("/proc/self/fd"), Path("/dev/fd")) if folder.is_dir()), None)
"""None where the system does not list them; they are not counted there."""

_OURS = "sessionactors footprint"
_POOLS = (_OURS, POOL, "asyncio_")
"""Threads of a loop's own pool are the loop's: they end with it."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Counts at one moment."""

    tasks: int
    """Of the running loop, without the caller's."""
    threads: int
    """Of the process, without those of the loop's own pool."""
    descriptors: int
    """Sockets, files, pipes."""
    names: tuple[str, ...]
    """Of the tasks and threads, for people."""

    def beyond(self, before: Footprint, allowed: int = 0) -> str:
        """What there is more of than before, in words; empty if there is nothing."""
        more = [
            f"{now - then} {what}"
            for what, now, then in (
                ("tasks", self.tasks, before.tasks),
                ("threads", self.threads, before.threads),
                ("descriptors", self.descriptors, before.descriptors),
            )
            if now - then > allowed
        ]
        new = sorted(set(self.names) - set(before.names))
        return f"{', '.join(more)}{f' (new: {chr(44).join(new)})' if new else ''}" if more else ""


async def footprint() -> Footprint:
    """What there is now."""
    look = ThreadPoolExecutor(1, thread_name_prefix=_OURS)  # a listing on the loop would block it
    descriptors = await asyncio.get_running_loop().run_in_executor(look, _descriptors)
    look.shutdown(wait=False)
    here = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not here]
    threads = [thread for thread in threading.enumerate() if not thread.name.startswith(_POOLS)]
    names = (*(f"task {task.get_name()}" for task in tasks), *(f"thread {thread.name}" for thread in threads))
    return Footprint(len(tasks), len(threads), descriptors, names)


async def settled(before: Footprint, patience: float, *, allowed: int = 0) -> str:
    """What is still there that was not there before, when ``patience`` seconds are over; empty: nothing.

    Args:
        before: what was there.
        patience: seconds that it may take to go.
        allowed: how many more of each are right.
    """
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + patience, 0.002
    while (left := (await footprint()).beyond(before, allowed)) and loop.time() < deadline:
        await asyncio.sleep(pause)  # an end of threads and descriptors has no event
        pause *= 2
    return left


def _descriptors() -> int:
    return 0 if _DESCRIPTORS is None else len(_listing(_DESCRIPTORS))


_listing: Callable[[Path], list[str]] = os.listdir
