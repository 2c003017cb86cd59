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

M = TypeVar("M")
S = TypeVar("S")

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
) -> Ref[M]:
    """As :meth:`ActorSystem.spawn`. Cancelled, it leaves no tree."""
    if threading.get_ident() == system.loop_thread:
        return system.spawn(name, factory, user_loop=user_loop, user_context=user_context)
    future = KernelFuture()
    future.timeout = SPAWN_PATIENCE

    def begin() -> None:
        if future.done():  # the caller has given up
            return
        try:
            ref = system.spawn(name, factory, user_loop=user_loop, user_context=user_context)
        except BaseException as error:
            future.fail(error)
            return
        if not future.succeed(ref):  # it gave up just now
            system.stop_tree(name, 0.0)

    system.call(begin)
    try:
        return cast("Ref[M]", await future)
    except pykka.Timeout:
        future.fail(SystemClosed(f"the actor loop did not answer within {SPAWN_PATIENCE} s"))
        return cast("Ref[M]", future.get())
    except asyncio.CancelledError:
        if not future.fail(SystemClosed("given up")) and _began(future):
            await system.stop_tree(name, 0.0)
        raise


def _began(future: KernelFuture) -> bool:
    """Whether there is a tree to end: one whose start failed has left nothing, and may be another's of that name."""
    try:
        future.get()
    except BaseException:
        return False
    return True
