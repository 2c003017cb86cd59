"""Starting systems and trees from a loop that must not wait for the actor loop: it may be busy, or blocked."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar, cast

import pykka

from .actor import Actor
from .errors import SystemClosed
from .future import KernelFuture
from .ref import Ref
from .system import SPAWN_PATIENCE, ActorSystem
from .witness import Witness

M = TypeVar("M")
S = TypeVar("S")

UNDO_DEADLINE = 1.0
"""Seconds for a tree that nobody wants any more: its effects may need the caller's loop to end."""

_one_at_a_time = threading.Lock()


async def start(system: ActorSystem) -> None:
    """As :meth:`ActorSystem.start`; several may ask for it at once."""
    if system.running or system.mode == "running":
        system.start()
    else:
        await asyncio.to_thread(_start, system)  # it waits for the thread of the actor loop


def _start(system: ActorSystem) -> None:
    with _one_at_a_time:
        system.start()


async def spawn(
    system: ActorSystem,
    name: str,
    factory: Callable[[], Actor[S, M]],
    *,
    user_loop: asyncio.AbstractEventLoop,
    user_context: contextvars.Context,
    witness: Witness | None = None,
) -> Ref[M]:
    """As :meth:`ActorSystem.spawn`. Cancelled, it leaves no tree: it goes on until there is none."""

    def begin() -> Ref[M]:
        return system.spawn(name, factory, user_loop=user_loop, user_context=user_context, witness=witness)

    if threading.get_ident() == system.loop_thread:
        return begin()
    spawning = _Spawning(system, name, begin)
    system.call(spawning.begin)
    try:
        return cast("Ref[M]", await spawning.future)
    except pykka.Timeout:
        spawning.future.fail(SystemClosed(f"the actor loop did not answer within {SPAWN_PATIENCE} s"))
        return cast("Ref[M]", spawning.future.get())
    except asyncio.CancelledError:
        await spawning.undo()
        raise


class _Spawning:
    """A tree on its way, which its caller may give up at any moment."""

    def __init__(self, system: ActorSystem, name: str, spawn: Callable[[], object]) -> None:
        self.future = KernelFuture()
        self.future.timeout = SPAWN_PATIENCE
        self._system = system
        self._name = name
        self._spawn = spawn
        self._given_up = False

    def begin(self) -> None:
        """On the actor loop."""
        if self._given_up or self.future.done():
            self.future.fail(SystemClosed("given up"))
            return
        try:
            ref = self._spawn()
        except BaseException as error:
            self.future.fail(error)
            return
        if not self.future.succeed(ref) or self._given_up:
            _ = self._system.stop_tree(self._name, UNDO_DEADLINE)

    async def undo(self) -> None:
        """End what has begun. A failed start has left nothing, and the name may be another's."""
        self._given_up = True
        try:
            await self.future
        except Exception:
            return
        await self._system.stop_tree(self._name, UNDO_DEADLINE)
