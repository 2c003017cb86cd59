"""A thread that looks on: it names what blocks a loop, and acts when a deadline passes that the loop should keep.

It runs in real time and is not used under virtual time, where nothing can block unnoticed.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from .blocked_loop import BlockedLoop, blocked_loop

if TYPE_CHECKING:
    from .system import ActorSystem

log = structlog.get_logger("sessionactors.runtime")

INTERVAL = 0.1
"""Seconds between looks."""
HELD_AFTER = 0.3
"""Seconds without a sign of life after which who looks is told what holds a loop."""
BLOCKED_AFTER = 0.5
"""Seconds without a sign of life before a loop counts as blocked."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Something blocks a loop."""

    loop: str
    """``actor`` or ``user``."""
    seconds: float
    actor: str | None
    """The actor whose handler is running, if it is an actor that blocks."""
    message: str | None
    stack: str
    """The innermost frames of the blocked thread."""


LATENESS_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Seconds: what lateness is counted by."""


class Lateness:
    """How late a loop has been, ten times a second: it was asked for a sign of life, and gave it so much later."""

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENESS_BOUNDS) + 1)
        """How often it was no later than each of :data:`LATENESS_BOUNDS`, and later than the one before; then the
        rest."""
        self.seconds = 0.0
        """All together."""

    def add(self, seconds: float) -> None:
        """Once more."""
        self.counts[bisect_left(LATENESS_BOUNDS, seconds)] += 1
        self.seconds += seconds


class _Heart:
    """The pulse of one loop."""

    def __init__(self, kind: str, loop: asyncio.AbstractEventLoop, thread: int | None) -> None:
        self.kind = kind
        self.loop = loop
        self.thread = thread
        """None until a user's loop has shown on which thread it runs."""
        self.beat = time.monotonic()
        self.asked = False
        self.reported = False
        self.lateness = Lateness()

    def pulse(self) -> None:
        """On the loop."""
        self.thread = threading.get_ident()
        now = time.monotonic()
        self.lateness.add(now - self.beat)
        self.beat = now
        self.asked = False
        self.reported = False


class Watchdog:
    """Watches the actor loop and the users' loops of one actor system."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._hearts: dict[int, _Heart] = {}
        self._guards: dict[str, tuple[float, Callable[[], None]]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.stalls: list[Stall] = []
        """The last stalls, newest last (at most 16)."""

    def start(self) -> None:
        """Begin to look."""
        self.watch("actor", self._system.loop)
        self._thread = threading.Thread(target=self._run, name="sessionactors watchdog", daemon=True)
        self._thread.start()

    def stop(self, *, wait: bool) -> None:
        """Look no more. ``wait`` for the thread, which a loop must not do: it may be serving a guard."""
        self._stop.set()
        if wait and self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def watch(self, kind: str, loop: asyncio.AbstractEventLoop) -> None:
        """Watch a loop as well."""
        thread = self._system.loop_thread if loop is self._system.loop else None
        with self._lock:
            self._hearts.setdefault(id(loop), _Heart(kind, loop, thread))

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch a loop no more."""
        with self._lock:
            self._hearts.pop(id(loop), None)

    def guard(self, key: str, seconds: float, act: Callable[[], None]) -> None:
        """Call ``act`` on the watchdog's thread in ``seconds``, unless released before."""
        with self._lock:
            self._guards[key] = (time.monotonic() + seconds, act)

    def release(self, key: str) -> None:
        """What was guarded has happened."""
        with self._lock:
            self._guards.pop(key, None)

    def blocked(self) -> float | None:
        """Seconds since the actor loop last ran, if that is longer than it should be."""
        heart = self._hearts.get(id(self._system.loop))
        if heart is None or not heart.asked:
            return None
        silent = time.monotonic() - heart.beat
        return silent if silent > BLOCKED_AFTER else None

    def lateness(self) -> Mapping[str, Lateness]:
        """How late the loops that are watched have been: ``actor``, and ``user`` for the first of those. Any thread."""
        with self._lock:
            hearts = list(self._hearts.values())
        return {heart.kind: heart.lateness for heart in reversed(hearts)}

    def held(self, user_loop: asyncio.AbstractEventLoop | None) -> tuple[BlockedLoop, ...]:
        """What holds the actor loop, and the loop of a room's user code. From any other thread."""
        found = []
        for loop in dict.fromkeys((self._system.loop, user_loop)):
            heart = self._hearts.get(id(loop))
            if heart is None or not heart.asked or not heart.loop.is_running():
                continue
            silent = time.monotonic() - heart.beat
            if silent > HELD_AFTER:
                found.append(blocked_loop(heart.kind, heart.loop, heart.thread, silent))
        return tuple(found)

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            with self._lock:
                hearts = list(self._hearts.values())
            for heart in hearts:
                self._look(heart)
            self._serve_guards()

    def _look(self, heart: _Heart) -> None:
        if not heart.asked:
            heart.asked = True
            heart.beat = time.monotonic()
            try:
                heart.loop.call_soon_threadsafe(heart.pulse)
            except RuntimeError:
                self.forget(heart.loop)
            return
        silent = time.monotonic() - heart.beat
        if silent > BLOCKED_AFTER and not heart.reported and heart.loop.is_running():
            heart.reported = True
            self._report(heart, silent)

    def _report(self, heart: _Heart, silent: float) -> None:
        handling = self._system.handling if heart.kind == "actor" else None
        current = handling.current if handling is not None else None
        frame = sys._current_frames().get(heart.thread) if heart.thread is not None else None
        stack = "".join(traceback.format_stack(frame)[-6:]) if frame is not None else ""
        stall = Stall(
            heart.kind,
            silent,
            None if handling is None else handling.path,
            None if current is None else f"{type(current.message).__name__} #{current.id}",
            stack,
        )
        self.stalls = [*self.stalls[-15:], stall]
        log.error(
            "loop_blocked",
            room="" if handling is None else handling.tree.name,
            actor=stall.actor or "",
            message_id=0 if current is None else current.id,
            loop=heart.kind,
            seconds=round(silent, 2),
            message=stall.message,
            stack=stack,
        )

        why = f"the {heart.kind} loop is blocked for {silent:.1f} s by {stall.actor or 'what is not an actor'}"
        for tree in list(self._system.trees.values()):
            if heart.kind == "actor" or tree.user_loop is heart.loop:
                tree.keep(why)

    def _serve_guards(self) -> None:
        now = time.monotonic()
        with self._lock:
            due = [(key, act) for key, (when, act) in self._guards.items() if when <= now]
            for key, _ in due:
                del self._guards[key]
        for key, act in due:
            log.error("guard_fired", room="", actor="", message_id=0, guard=key)
            try:
                act()
            except Exception:
                log.exception("guard_failed", room="", actor="", message_id=0, guard=key)
