"""The actor system: owns the actor loop, the clock, the dispatcher, the cells, dead letters and the trees of rooms."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable, Collection
from typing import Literal, TypeVar

import pykka

from . import closing, forks, lifecycle, snapshot
from .actor import Actor
from .cell import Cell
from .clock import Clock, nanoseconds
from .close_report import CloseReport
from .closing import BLOCKED_PATIENCE as BLOCKED_PATIENCE  # noqa: PLC0414 - a part of the face of this module
from .dead_letters import DeadLetters
from .dispatcher import Dispatcher, LoopDispatcher
from .envelope import EDGE, NO_CAUSE
from .errors import NameTaken, SystemClosed
from .future import KernelFuture
from .loop_thread import LoopThread
from .ref import Ref
from .supervision import ChildSpec, Restart
from .tap import Tap, Taps
from .threads import Threads
from .ticker import Ticker
from .tree import Tree
from .watchdog import Watchdog
from .witness import Happening, Witness

M = TypeVar("M")
R = TypeVar("R")
S = TypeVar("S")

SPAWN_PATIENCE = 5.0
"""Seconds that a caller on another thread waits for the actor loop to start an actor."""


class ActorSystem:
    """Runs trees of actors.

    Args:
        loop: ``"own"`` runs the actors on a loop in a thread of the system (uvloop where present); ``"running"`` runs
            them on the loop on which :meth:`start` is called.
        seed: seeds each room's random numbers, together with the room's name.
        dispatcher: makes the dispatcher for a loop; the seam for other schedules.
        watchdog: watch for blocked loops; None: yes, unless the loop runs in virtual time.

    No thread is started before :meth:`start`. Use after a fork raises :class:`SystemClosed`.
    """

    def __init__(
        self,
        loop: Literal["own", "running"] = "own",
        *,
        seed: int = 0,
        dispatcher: Callable[[asyncio.AbstractEventLoop], Dispatcher] = LoopDispatcher,
        watchdog: bool | None = None,
    ) -> None:
        if loop not in ("own", "running"):
            raise ValueError(f'loop must be "own" or "running", got {loop!r}')
        self.mode = loop
        self.seed = seed
        self._make_dispatcher = dispatcher
        self._want_watchdog = watchdog
        self.loop: asyncio.AbstractEventLoop
        self.clock: Clock
        self.ticker: Ticker
        self.dispatcher: Dispatcher
        self.taps = Taps()
        self.threads = Threads()
        self.dead_letters = DeadLetters()
        self.watchdog: Watchdog | None = None
        self.loop_thread: int | None = None
        self.handling: Cell | None = None
        """The cell whose handler runs now; readable from any thread."""
        self.committing: Cell | None = None
        self.edge_lock = threading.Lock()
        self.trees: dict[str, Tree] = {}
        self.abandoned_effects: list[str] = []
        self.thread: LoopThread | None = None
        """That of an own loop."""
        self._pid = 0
        self._running = False
        self.closing = False
        """No tree may start any more."""
        self.observers: list[Callable[[str], Witness | None]] = []
        """Asked, with its name, for a witness of each tree that starts."""
        self._ending: dict[str, list[Callable[[], None]]] = {}

    # -- life --------------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it can be used."""
        return self._running and self._pid == os.getpid()

    def start(self) -> None:
        """Start the loop thread, or take the running loop. Does nothing when it runs already.

        Raises:
            SystemClosed: it was closed, or this process is a fork of the one that started it.
        """
        if self._pid and self._pid != os.getpid():
            raise SystemClosed("this actor system was started before a fork: make a new one in the child process")
        if self._running:
            return
        if self._pid:
            raise SystemClosed("this actor system was closed: make a new one")
        if self.mode == "running":
            self._adopt(asyncio.get_running_loop())
        else:
            self.thread = LoopThread(self._adopt, self._close_dispatcher)
            self.thread.start()
        self._pid = os.getpid()
        self._running = True
        forks.tell(self)
        virtual = hasattr(self.loop, "time_ns")
        if self._want_watchdog or (self._want_watchdog is None and not virtual):
            self.watchdog = Watchdog(self)
            self.watchdog.start()

    def _adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.loop_thread = threading.get_ident()
        self.clock = Clock.for_loop(loop)
        self.ticker = Ticker(loop, self.clock)
        self.dispatcher = self._make_dispatcher(loop)

    def _close_dispatcher(self) -> None:
        if hasattr(self, "dispatcher"):  # there is none if making it has failed
            self.dispatcher.close()

    def must_run(self) -> None:
        """Raise unless it can be used."""
        if self._pid and self._pid != os.getpid():
            raise SystemClosed("this actor system was started before a fork: make a new one in the child process")
        if not self._running:
            raise SystemClosed("the actor system is not running: call start() first, and do not use it after close()")

    def forked(self) -> None:
        """In a child process: no actor of this system runs here, also if it was the loop's thread that forked."""
        self._running = False
        self.loop_thread = None
        self.edge_lock = threading.Lock()  # some thread that is not here may have held it

    def close(self, deadline: float = 2.0) -> list[CloseReport]:
        """End all trees, then the loop thread. From any thread but the actor loop's.

        If the actor loop is blocked, its trees are reported as abandoned and its thread is left behind.

        Args:
            deadline: seconds for all trees together.
        """
        return closing.close(self, deadline)

    async def aclose(self, deadline: float = 2.0) -> list[CloseReport]:
        """End all trees, then the system; the caller's loop goes on."""
        return await closing.aclose(self, deadline)

    def ended(self) -> bool:
        """For ``closing``: from now on nothing may be asked of this system; False if that was so already."""
        was, self._running = self._running, False
        self.loop_thread = None  # its number may be given to another thread
        return was

    # -- threads and loops -------------------------------------------------------------------------------------------

    def call(self, call: Callable[[], object]) -> None:
        """Run ``call`` on the actor loop: at once when on it, else soon. From any thread."""
        if threading.get_ident() == self.loop_thread:
            call()
            return
        self.must_run()
        self.dispatcher.post(call)  # type: ignore[arg-type]

    def drive(self, future: KernelFuture) -> None:
        """A task is about to wait for ``future``: if it is on the actor loop, actors may answer before it has to."""
        if asyncio._get_running_loop() is self.loop and self.handling is None:
            self.dispatcher.drive(future)

    @staticmethod
    def on_loop(loop: asyncio.AbstractEventLoop) -> bool:
        """Whether this code runs on that loop."""
        return asyncio._get_running_loop() is loop

    def answering_thread(self) -> int | None:
        """The thread that answers asks."""
        return self.loop_thread

    @staticmethod
    def ask_chain() -> tuple[str, ...]:
        """Actors that wait, through asks, for the code on this thread."""
        return Threads.ask_chain()

    def edge_context(self) -> tuple[str, int, str]:
        """Sender, cause and turn for a message told from outside a handler: a port call is caused by what it serves."""
        committing = self.committing
        if committing is not None and threading.get_ident() == self.loop_thread:
            return committing.path, committing.cause_id, committing.outbox.turn
        return EDGE, NO_CAUSE, ""

    def blocked_since(self) -> float | None:
        """Seconds that the actor loop has not run, if it should have."""
        return None if self.watchdog is None else self.watchdog.blocked()

    def lateness(self) -> float:
        """Seconds that data waits for its turn now, whatever the room: 0.0 if actors keep up. From any thread."""
        since = self.dispatcher.waiting_since() if self.running else None
        return 0.0 if since is None else max(0.0, (self.clock.now() - since) / 1e9)

    # -- trees -------------------------------------------------------------------------------------------------------

    def spawn(
        self,
        name: str,
        factory: Callable[[], Actor[S, M]],
        *,
        user_loop: asyncio.AbstractEventLoop | None = None,
        user_context: contextvars.Context | None = None,
        witness: Witness | None = None,
    ) -> Ref[M]:
        """Start a tree: a root actor of this name, with its own ids, scopes, obligations and sums. From any thread.

        Args:
            name: the room; also the root's path.
            factory: makes the root actor (again after a failure of its start).
            user_loop: the loop on which effects with ``user_loop=True`` run.
            user_context: their context variables.
            witness: is told everything that happens in this tree, from its start.

        Raises:
            NameTaken: a tree of that name lives.
            SystemClosed: the system does not run, or its loop did not answer within 5 s.
            Exception: whatever ``started`` of the root raised; nothing of the tree is left then.
        """
        self.must_run()
        if self.closing:
            raise SystemClosed(f"the actor system is closing: {name!r} was not started")

        def begin() -> Cell:
            if name in self.trees:
                raise NameTaken(f"a room named {name!r} lives already")
            if user_loop is not None and self.watchdog is not None and user_loop is not self.loop:
                self.watchdog.watch("user", user_loop)
            tree = Tree(self, name, seed=self.seed, user_loop=user_loop, user_context=user_context)
            for each in (witness, *(make(name) for make in self.observers)):
                if each is not None:
                    tree.observe(each)
            root = Cell(self, tree, None, name, factory, ChildSpec(Restart.TEMPORARY))
            tree.root = root
            self.trees[name] = tree
            lifecycle.start(root)
            if root.stopping and root.end_error is not None:
                raise root.end_error
            return root

        return self.run_on_loop(begin).ref

    def run_on_loop(self, call: Callable[[], R]) -> R:
        """Run ``call`` on the actor loop and wait for its result (a few microseconds, unless the loop is blocked)."""
        if threading.get_ident() == self.loop_thread:
            return call()
        future = KernelFuture()

        def run() -> None:
            if future.done():  # the caller has given up: nothing half-started may stay behind
                return
            try:
                future.succeed(call())
            except BaseException as error:
                future.fail(error)

        self.call(run)
        try:
            return future.get(timeout=SPAWN_PATIENCE)  # type: ignore[return-value]
        except pykka.Timeout:
            future.fail(SystemClosed(f"the actor loop did not answer within {SPAWN_PATIENCE} s"))
            return future.get()  # type: ignore[return-value]

    def tree(self, name: str) -> Tree:
        """The tree of this name.

        Raises:
            KeyError: there is none; the text lists those that live.
        """
        tree = self.trees.get(name)
        if tree is None:
            raise KeyError(f"no room named {name!r}; there are: {', '.join(self.trees) or 'none'}")
        return tree

    def stop_tree(self, name: str, deadline: float = 2.0) -> KernelFuture:
        """End a tree within ``deadline`` seconds; the future gives a :class:`CloseReport`. From any thread.

        What has not ended by then is abandoned and named in the report. Ending a tree that is ending shortens its
        deadline, never extends it.
        """
        future = KernelFuture()
        future.answering_thread = self.answering_thread

        def begin() -> None:
            tree = self.trees.get(name)
            root = None if tree is None else tree.root
            if tree is None or root is None:
                future.succeed(CloseReport(name, (), {}, 0.0))
                return
            began = self.clock.now()
            if tree.witness is not None:
                tree.witness.happened(root, Happening.CLOSING, None, began)
            tree.closing = True

            def ended() -> None:
                clean = tuple(path for path, why in tree.ended if why is None)
                abandoned = {path: why for path, why in tree.ended if why is not None}
                future.succeed(CloseReport(name, clean, abandoned, (self.clock.now() - began) / 1e9))

            alarm = self.ticker.at(began + nanoseconds(deadline), lambda: lifecycle.patience_over(root))
            lifecycle.when_stopped(root, alarm.cancel)
            lifecycle.when_stopped(root, ended)
            lifecycle.begin_stop(root, "closed", None)

        self.call(begin)
        return future

    def tree_ended(self, tree: Tree) -> None:
        """A tree has ended: forget it, and end its taps."""
        self.trees.pop(tree.name, None)
        self.taps.close_room(tree.name)
        loop = tree.user_loop
        shared = loop is self.loop or any(other.user_loop is loop for other in self.trees.values())
        if loop is not None and self.watchdog is not None and not shared:
            self.watchdog.forget(loop)
        for callback in self._ending.pop(tree.name, ()):
            callback()

    def when_tree_ended(self, name: str, callback: Callable[[], None]) -> None:
        """Call back, on the actor loop, when the tree of this name has ended (soon, if it has)."""

        def note() -> None:
            if name in self.trees:
                self._ending.setdefault(name, []).append(callback)
            else:
                callback()

        self.call(note)

    # -- insight -----------------------------------------------------------------------------------------------------

    def inspect(self, name: str) -> snapshot.TreeSnapshot:
        """Read a room from any thread, also while its actors or the loop hang.

        Raises:
            KeyError: no room of that name.
        """
        return snapshot.take(self.tree(name))

    def tap(
        self,
        room: str | None = None,
        types: Collection[type] | None = None,
        capacity: int = 1024,
        *,
        keep: Callable[[object], bool] | None = None,
    ) -> Tap:
        """Watch deliveries of one room (None: all), of some message types (None: all). Close the tap after use.

        ``keep`` looks at the message and says whether to keep it; it is called on the actor loop and must be quick.
        """
        return self.taps.open(room, types, capacity, keep)

    def leaks(self, room: str) -> list[str]:
        """What a room that has ended left behind; empty, unless something was abandoned."""
        left: list[str] = []
        if room in self.trees:
            left.append(f"tree {room}")
        left.extend(f"effect {name}" for name in self.abandoned_effects if name.split("#")[0].split("/")[0] == room)
        left.extend(f"thread {name}" for name in self.threads.running() if name.split("/")[0] == room)
        return left
