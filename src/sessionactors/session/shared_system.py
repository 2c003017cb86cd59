"""The actor system of sessions that are not given one: starts with the first session, ends with the last.

One for each process (its own loop thread), or one for each loop in virtual time.
"""

from __future__ import annotations

import asyncio
import os
import threading

from sessionactors.runtime import ActorSystem, awaited

_lock = threading.Lock()
_shared: dict[tuple[int, int], tuple[ActorSystem, int]] = {}


def _key(loop: asyncio.AbstractEventLoop) -> tuple[int, int]:
    virtual = hasattr(loop, "time_ns")
    return (os.getpid(), id(loop) if virtual else 0)


async def acquire(loop: asyncio.AbstractEventLoop) -> ActorSystem:
    """The shared system for sessions on this loop, running; release it after use."""
    key = _key(loop)
    with _lock:
        system, users = _shared.get(key, (None, 0))
        if system is None:
            system = ActorSystem("running" if key[1] else "own")
        _shared[key] = (system, users + 1)
    try:
        await awaited.start(system)
    except BaseException:
        await release(system)
        raise
    return system


async def release(system: ActorSystem) -> None:
    """One session less; the last one ends the system."""
    with _lock:
        key = next((key for key, (other, _) in _shared.items() if other is system), None)
        if key is None:
            return
        users = _shared[key][1] - 1
        if users:
            _shared[key] = (system, users)
            return
        del _shared[key]
    await system.aclose()
