"""The end of an actor system: its trees within a deadline, then its loop, and a report of what came of each actor.

Called by ``ActorSystem.close`` and ``aclose``. It ends also when the loop is blocked, or was closed under the actors.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, cast

import pykka
import structlog

from . import close_report
from .errors import SystemClosed

if TYPE_CHECKING:
    from .close_report import CloseReport
    from .future import KernelFuture
    from .system import ActorSystem

log = structlog.get_logger("sessionactors.runtime")

BLOCKED_PATIENCE = 0.5
"""Seconds beyond its deadline that a close waits for an actor loop that may be blocked."""


def close(system: ActorSystem, deadline: float) -> list[CloseReport]:
    """From a thread that is not the loop's: end all trees, then the loop's thread."""
    if not system.running:
        return []
    if system.loop.is_closed():
        return _without_loop(system)
    if system.mode == "running":
        raise SystemClosed("this system runs on your loop: use `await system.aclose()`")
    limit = time.monotonic() + deadline + BLOCKED_PATIENCE
    reports = []
    for name, future in _stop_trees(system, deadline).items():
        try:
            reports.append(cast("CloseReport", future.get(timeout=max(0.0, limit - time.monotonic()))))
        except pykka.Timeout:
            reports.append(close_report.of_blocked_loop(system, name, deadline + BLOCKED_PATIENCE))
    end(system)
    return reports


async def aclose(system: ActorSystem, deadline: float) -> list[CloseReport]:
    """From any loop: end all trees, then what else the system has; the caller's loop goes on."""
    if not system.running:
        return []
    if system.loop.is_closed():
        return _without_loop(system)
    limit = time.monotonic() + deadline + BLOCKED_PATIENCE
    reports = []
    for name, future in _stop_trees(system, deadline).items():
        future.timeout = max(0.0, limit - time.monotonic())
        try:
            reports.append(cast("CloseReport", await future))
        except pykka.Timeout:
            reports.append(close_report.of_blocked_loop(system, name, deadline + BLOCKED_PATIENCE))
    if system.mode == "running":
        end(system)
    else:
        await asyncio.to_thread(end, system)
    return reports


def end(system: ActorSystem) -> None:
    """End what is not an actor: watchdog, threads, taps, timers, the dispatcher and an own loop."""
    if not system.ended():
        return
    if system.watchdog is not None:
        system.watchdog.stop(wait=system.mode == "own")
        system.watchdog = None
    system.threads.close()
    for tap in system.taps.active:
        tap.close()
    if system.thread is None:
        system.ticker.close()
        system.dispatcher.close()
    elif not system.thread.stop(BLOCKED_PATIENCE):
        log.error("actor_loop_abandoned", room="", actor="", message_id=0)


def _stop_trees(system: ActorSystem, deadline: float) -> dict[str, KernelFuture]:
    system.closing = True
    return {name: system.stop_tree(name, deadline) for name in list(system.trees)}


def _without_loop(system: ActorSystem) -> list[CloseReport]:
    """The user has closed the loop under the actors: none of them can end, or say anything, any more."""
    reports = [close_report.of_lost_loop(system, name, "its loop is closed", 0.0) for name in list(system.trees)]
    system.trees.clear()
    end(system)
    return reports
