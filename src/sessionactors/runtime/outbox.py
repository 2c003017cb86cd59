"""What a handler may ask for. Nothing happens before the handler returns; if it raises, nothing happens at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import pykka

from . import commit, outside
from .clock import NS, nanoseconds
from .effect import EffectPort
from .errors import NameTaken, OutsideHandler
from .messages import Terminated
from .operation import CLOSED, Operation
from .policy import Overflow
from .scope import Scope
from .supervision import DEFAULT_CHILD, ChildSpec

if TYPE_CHECKING:
    from .actor import Actor
    from .cell import Cell
    from .ref import Ref
    from .reply import ReplyTo

M = TypeVar("M")
N = TypeVar("N")
R = TypeVar("R")
S = TypeVar("S")
Stock = TypeVar("Stock", bound=pykka.ThreadingActor)

DEFAULT_WINDOW = 16
"""Unhandled messages that one effect may have."""


_NOBODY: set[str] = set()
NO_SPAWN: tuple[int, Operation] = (0, (None, ()))


class Outbox(Generic[M]):
    """The outbox of one actor; ``M`` is the union of messages the actor itself accepts."""

    __slots__ = (
        "_cell",
        "_last_spawn",
        "_spawning",
        "myself",
        "now",
        "ops",
        "replies_later",
        "reply_value",
        "stashing",
        "turn",
    )

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self.myself = cast("Ref[M]", cell.ref)
        """A ref to this actor."""
        self.ops: list[Operation] = CLOSED
        self._spawning: set[str] = _NOBODY
        self._last_spawn: tuple[int, Operation] = NO_SPAWN
        self.now: int = 0
        """Kernel clock when the handler began, nanoseconds."""
        self.turn: str = ""
        """The user turn this delivery belongs to; assign it to name a new one. What is sent inherits it."""
        self.stashing = False
        self.reply_value: object = None
        self.replies_later = False

    # -- facts -------------------------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        """This actor's path, such as ``room-42/stt``."""
        return self._cell.path

    @property
    def room(self) -> str:
        """Name of the tree this actor lives in."""
        return self._cell.tree.name

    @property
    def message_id(self) -> int:
        """Id of the delivery being handled; 0 in a lifecycle hook."""
        current = self._cell.current
        return current.id if current is not None else 0

    @property
    def sender(self) -> str:
        """Path of the sender of the message being handled; ``edge`` from outside."""
        current = self._cell.current
        return current.sender if current is not None else ""

    def seconds(self) -> float:
        """Kernel clock when the handler began, seconds."""
        return self.now / NS

    def wall(self, at: int | None = None) -> float:
        """Seconds since the epoch, now or at an instant of the kernel clock."""
        return self._cell.system.clock.wall(self.now if at is None else at)

    def random(self) -> float:
        """A number in [0, 1) from the room's seeded generator."""
        return self._cell.tree.random.random()

    def new_id(self, kind: str) -> str:
        """A fresh name such as ``speech-7``: counted for each kind in each room, so runs of one seed agree."""
        return self._cell.tree.next_id(kind)

    # -- messages ----------------------------------------------------------------------------------------------------

    @overload
    def tell(self, ref: Ref[N], message: N) -> None: ...
    @overload
    def tell(self, ref: pykka.ActorRef[Stock], message: object) -> None: ...
    def tell(self, ref: Ref[Any] | pykka.ActorRef[Any], message: object) -> None:
        """Send a message to an actor (ours, or a stock Pykka actor)."""
        try:
            self.ops.append((ref.cell, message))  # type: ignore[union-attr]
        except AttributeError:  # a stock Pykka actor
            self.ops.append((None, (commit.foreign_tell, ref, message)))

    def reply(self, value: object, to: ReplyTo | None = None) -> None:
        """Answer the ask being handled, or an earlier one kept by :meth:`reply_later`."""
        if to is None:
            self._must_be_handling()
            if self._cell.current.reply_to is not None:  # type: ignore[union-attr]  # told, not asked: nobody waits
                self.reply_value = value
        else:
            self.ops.append((None, (commit.reply, to, value)))

    def reply_later(self) -> ReplyTo:
        """Keep the right to answer the ask being handled; its asker waits, at most until its own timeout."""
        self._must_be_handling()
        kept = outside.keep_reply(self._cell)
        self.replies_later = True
        return kept

    def stash(self) -> None:
        """Keep the message being handled for later (bounded by the data lane's bound)."""
        self._must_be_handling()
        self.stashing = True
        self.ops.append((None, (commit.stash,)))

    def take_reply(self) -> tuple[object, bool]:
        """For the kernel: what the handler replied, and whether it will reply later."""
        taken = self.reply_value, self.replies_later
        self.reply_value, self.replies_later = None, False
        return taken

    def _must_be_handling(self) -> None:
        if self.ops is CLOSED or self._cell.current is None:
            raise OutsideHandler(f"{self.path} handles no message now: there is nothing to reply to or to stash")

    def unstash_all(self) -> None:
        """Put all stashed messages back to the front of their lanes, in order."""
        self.ops.append((None, (commit.unstash,)))

    # -- time --------------------------------------------------------------------------------------------------------

    def timer(self, key: str, delay: float, message: M) -> None:
        """Tell myself ``message`` after ``delay`` seconds; replaces the timer of the same key.

        A timer that was replaced or cancelled is never handled, also when its message is in the mailbox already.
        """
        self.ops.append((None, (commit.timer, key, self.now + nanoseconds(max(0.0, delay)), message)))

    def cancel_timer(self, key: str) -> None:
        """Forget the timer of this key, if there is one."""
        self.ops.append((None, (commit.cancel_timer, key)))

    # -- work outside ------------------------------------------------------------------------------------------------

    def effect(
        self,
        key: str,
        run: Callable[[EffectPort[M]], Awaitable[R]],
        *,
        failed: Callable[[BaseException], M],
        done: Callable[[R], M] | None = None,
        deadline: float | None = None,
        window: int = DEFAULT_WINDOW,
        user_loop: bool = False,
        inlet: int = 256,
        inlet_overflow: Overflow = Overflow.DROP_OLDEST,
    ) -> None:
        """Start asynchronous work; replaces (cancels) a running effect of the same key.

        Args:
            key: names the effect in this actor.
            run: the coroutine function; it gets a port to send messages and to read what is fed.
            failed: makes the message for an error (a deadline is :class:`~.errors.EffectDeadlineExceeded`).
            done: makes the message for the result; None: a good end is not reported.
            deadline: seconds after which it is cancelled; None: it may run as long as its owner lives.
            window: how many of its messages may be unhandled before ``port.send`` waits.
            user_loop: run on the loop that started the session, in its context variables, instead of the actor loop.
            inlet: how many fed items may wait.
            inlet_overflow: ``DROP_OLDEST``, or ``REFUSE`` to fail the effect instead.
        """
        until = None if deadline is None else self.now + nanoseconds(deadline)
        asked = (commit.effect, key, run, done, failed, until, window, user_loop, inlet, inlet_overflow)
        self.ops.append((None, asked))

    def feed(self, key: str, item: object) -> None:
        """Hand an item to a running effect (counted as unfed when there is none)."""
        self.ops.append((None, (commit.feed, key, item)))

    def end_inlet(self, key: str) -> None:
        """Tell an effect that nothing more will be fed."""
        self.ops.append((None, (commit.end_inlet, key)))

    def cancel_effect(self, key: str, *, report: bool = False) -> None:
        """Stop an effect. With ``report`` its ``done`` or ``failed`` message still comes, exactly once."""
        self.ops.append((None, (commit.cancel_effect, key, report)))

    def port(self, call: Callable[..., object], *arguments: object) -> None:
        """Call a port (a sink, a user mirror): synchronous, must return at once. Its exception is a failure of mine."""
        self.ops.append((None, (commit.port, call, arguments)))

    # -- actors ------------------------------------------------------------------------------------------------------

    def spawn(self, name: str, factory: Callable[[], Actor[S, N]], spec: ChildSpec = DEFAULT_CHILD) -> Ref[N]:
        """Start a child; its ref may be told to in the same handler.

        Raises:
            NameTaken: a child of that name lives, or was asked for in this handler.
        """
        ops, (last, spawned) = self.ops, self._last_spawn
        if last >= len(ops) or ops[last] is not spawned:  # the first in this handler
            self._spawning = set()
        if name in self._spawning:
            raise NameTaken(f"{self.path} starts two children named {name!r} in one handler")
        child = self._cell.prepare_child(name, factory, spec)
        spawned = (None, (commit.spawn, child))
        self._last_spawn = (len(ops), spawned)
        ops.append(spawned)
        self._spawning.add(name)
        return child.ref

    def stop(self, ref: Ref[N], reason: str = "stopped") -> None:
        """End an actor (a child, or myself)."""
        self.ops.append((None, (commit.stop, ref, reason)))

    def watch(self, ref: Ref[N], tell_me: Callable[[Terminated], M]) -> None:
        """Tell myself ``tell_me(terminated)`` once when that actor ends for good, at once if it has already."""
        self.ops.append((None, (commit.watch, ref, tell_me)))

    def subscribe(self, types: Collection[type]) -> None:
        """Tell myself a :class:`~.tap.Delivery` of each message of these types that another actor of the room handled.

        The oldest give way when I am too slow; who is watched is never slowed. Ends with this actor.
        """
        self.ops.append((None, (commit.subscribe, tuple(types))))

    # -- scopes and obligations --------------------------------------------------------------------------------------

    def open_scope(self, name: str, parent: Scope | None = None) -> Scope:
        """A new scope, to be put into messages; listed as open from the commit on."""
        path = f"{parent.path}/{name}" if parent is not None else name
        scope = Scope(path, parent)
        self.ops.append((None, (commit.open_scope, scope)))
        return scope

    def close_scope(self, scope: Scope) -> None:
        """From now on discard, at dequeue, every fenced message of this scope, wherever in the room it waits."""
        self.ops.append((None, (commit.close_scope, scope)))

    def oblige(self, key: str, waits_for: str, within: float) -> None:
        """Note that something is open and must end ``within`` seconds; replaces the obligation of the same key."""
        self.ops.append((None, (commit.oblige, key, waits_for, self.now + nanoseconds(within))))

    def discharge(self, key: str) -> None:
        """The obligation of this key has ended."""
        self.ops.append((None, (commit.discharge, key)))

    def log(self, event: str, **fields: object) -> None:
        """Write a log line, with room, actor path and message id, if the handler commits."""
        self.ops.append((None, (commit.log, event, fields)))
