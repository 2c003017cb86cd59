"""The typed handle of an actor: what others use to tell it things. Pykka's ref, with our envelope and our future."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Generic, Literal, NoReturn, TypeVar, cast, overload

import pykka

from . import outside
from .clock import NS
from .dead_letters import ENDED
from .envelope import EDGE, NO_CAUSE, Envelope
from .errors import AskCycle, AskTimeout, BlockingAskOnLoop, MailboxFull, OutsideHandler
from .future import KernelFuture
from .messages import Kill, Resume, Step, Stop, Suspend, SystemMessage
from .policy import Lane, MessagePolicy, Overflow, policy_of

if TYPE_CHECKING:
    from .cell import Cell

M_contra = TypeVar("M_contra", contravariant=True)

DEFAULT_ASK_TIMEOUT = 5.0
"""Seconds, as in Erlang's gen_server; stock Pykka waits for ever."""

ROOM_ON_THE_WAY = 256
"""Messages of types that give way, told on other threads and not delivered yet, that one lane may have at least."""


class Question(KernelFuture):
    """The future of an ask. It knows whom it asked what, so that a wait can be explained, or made unnecessary."""

    target: Cell
    envelope: Envelope

    def _timed_out(self, waited: float) -> AskTimeout:
        return AskTimeout(outside.explain_wait(self.target, self.envelope, waited))

    def _answered_by(self) -> int | None:
        return self.target.system.loop_thread

    def _before_waiting(self) -> None:
        self.target.system.drive(self)


class Ref(pykka.ActorRef["Cell"], Generic[M_contra]):
    """A ref to an actor that accepts messages of type ``M``. Two refs to one actor are equal."""

    cell: Cell
    path: str
    """Where the actor lives, such as ``room-42/stt``."""

    def __init__(self, cell: Cell) -> None:
        # Not super().__init__(): Pykka keeps a weak reference only, and the system owns our cells.
        self.cell = cell
        self.path = cell.path
        self.actor_class = type(cell)
        self.actor_urn = cell.actor_urn
        self.actor_inbox = cell.actor_inbox
        self.actor_stopped = cell.actor_stopped

    def __repr__(self) -> str:
        return f"<Ref {self.path}>"

    def __str__(self) -> str:
        return self.path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other.cell is self.cell

    def __hash__(self) -> int:
        return id(self.cell)

    def is_alive(self) -> bool:
        """Whether the actor still takes messages."""
        return not self.cell.stopping

    def tell(self, message: M_contra) -> None:
        """Send a message from outside the actors, from any thread. Handlers use ``out.tell``.

        Raises:
            pykka.ActorDeadError: the actor has ended.
            MailboxFull: its lane is full (overflow policy ``REFUSE``).
            OutsideHandler: called inside a handler, where it would escape the commit.
        """
        cell = self.cell
        system = cell.system
        if cell.stopping:
            system.dead_letters.add(cell.tree, EDGE, self.path, message, ENDED)
            raise pykka.ActorDeadError(f"{self.path} has ended: {cell.end_reason or 'stopped'}")
        self._must_be_outside("tell", "out.tell()")
        if threading.get_ident() == system.loop_thread:
            if not cell.enter(self._envelope(message, None)) and not cell.stopping:
                raise self._full()
            return
        policy = policy_of(type(message))
        if self._set_out(policy):
            envelope = self._envelope(message, None)  # its age counts from here, also while the loop is blocked
            system.call(lambda: self._arrive(policy.lane, envelope))
        elif policy.overflow not in (Overflow.DROP_OLDEST, Overflow.DROP_NEWEST):
            raise self._full()

    @overload
    def ask(self, message: M_contra, *, block: Literal[False], timeout: float | None = ...) -> KernelFuture: ...
    @overload
    def ask(self, message: M_contra, *, block: Literal[True] = ..., timeout: float | None = ...) -> object: ...
    @overload
    def ask(self, message: M_contra, *, block: bool = ..., timeout: float | None = ...) -> object: ...
    def ask(
        self, message: M_contra, *, block: bool = True, timeout: float | None = DEFAULT_ASK_TIMEOUT
    ) -> object | KernelFuture:
        """Send a message and get what its handler gives to ``out.reply`` (None if it gives nothing).

        Args:
            message: the question.
            block: wait on this thread; False returns a future that can be awaited on any loop.
            timeout: seconds until :class:`AskTimeout`; an ask that expired in the mailbox is not handled. None: no end.

        Raises:
            BlockingAskOnLoop: ``block=True`` on the actor loop.
            AskCycle: the asker waits, through other asks, for itself.
            AskTimeout: no reply in time; says where the message is and what the actor is doing.
            pykka.ActorDeadError: the actor ended before it replied.
        """
        cell = self.cell
        system = cell.system
        on_loop = threading.get_ident() == system.loop_thread
        chain = () if on_loop else system.ask_chain()
        if self.path in chain:
            raise AskCycle(" -> ".join((*chain, self.path)) + ": each waits for the next")
        if block and on_loop:
            raise BlockingAskOnLoop(
                f"a blocking ask of {self.path} on the actor loop waits for itself: "
                "use `await ref.ask(..., block=False)`, or tell it and handle the answer as a message"
            )
        if on_loop and system.handling is not None:
            self._must_be_outside("ask", "out.tell(), and handle the answer as a message")
        future = Question()
        if cell.stopping:
            future.fail(pykka.ActorDeadError(f"{self.path} has ended: {cell.end_reason or 'stopped'}"))
        else:
            future.target = cell
            future.envelope = envelope = self._envelope(message, future)
            future.ask_chain = chain
            if timeout is not None:
                future.timeout = timeout
                future.deadline = envelope.at + round(timeout * NS)
            if on_loop:
                cell.enter(envelope)
            elif self._set_out(envelope.policy):
                system.call(lambda: self._arrive(envelope.policy.lane, envelope))
            else:
                future.fail(self._full())
        return future.get() if block else future

    def _set_out(self, policy: MessagePolicy) -> bool:
        """On another thread: whether one more message may be on its way to the loop.

        While the loop is blocked, what was told elsewhere waits before the mailbox, and that place is bounded too. A
        message that the lane would refuse is refused here, so that its sender hears of it.
        """
        cell, lane = self.cell, policy.lane
        room = cell.bound(lane)
        with cell.system.edge_lock:
            ahead = cell.on_the_way[lane]
            if policy.overflow is Overflow.REFUSE:
                ahead += cell.mailbox.waiting(lane)
            else:
                room = max(room, ROOM_ON_THE_WAY)  # the mailbox makes its choice among so many
            if ahead >= room:
                cell.refused_at_edge += 1
                return False
            cell.on_the_way[lane] += 1
            return True

    def _arrive(self, lane: Lane, envelope: Envelope) -> None:
        """On the loop: what was on its way is there."""
        with self.cell.system.edge_lock:
            self.cell.on_the_way[lane] -= 1
        self.cell.enter(envelope)

    def _must_be_outside(self, did: str, instead: str) -> None:
        """What a handler does by a ref would happen also if the handler fails."""
        system = self.cell.system
        handler = system.handling.path if system.handling is not None else None
        if threading.get_ident() != system.loop_thread:
            chain = system.ask_chain()
            handler = chain[-1] if chain else None
        if handler is not None:
            raise OutsideHandler(f"ref.{did}() inside the handler of {handler}: use {instead}")

    def _envelope(self, message: object, reply_to: KernelFuture | None) -> Envelope:
        system = self.cell.system
        sender, cause, turn = (EDGE, NO_CAUSE, "") if system.committing is None else system.edge_context()
        return Envelope.of(
            message,
            reply_to,
            sender,
            self.cell.tree.next_message_id(),
            cause,
            turn,
            system.clock.now(),
            policy_of(type(message)),
            None,
        )

    def _full(self) -> MailboxFull:
        bounds = self.cell.mailbox.bounds
        return MailboxFull(
            f"the mailbox of {self.path} is full ({bounds.data} data, {bounds.control} control): "
            "it is slower than its senders; inspect() shows what it is doing"
        )

    @overload  # type: ignore[override]
    def stop(self, *, block: Literal[True] = ..., timeout: float | None = ...) -> bool: ...
    @overload
    def stop(self, *, block: Literal[False], timeout: float | None = ...) -> KernelFuture: ...
    def stop(self, *, block: bool = True, timeout: float | None = None) -> bool | KernelFuture:
        """End the actor ahead of its backlog. True (or a future of it) if it was alive, False if it had ended."""
        if self.cell.stopped:
            ended = KernelFuture()
            ended.set(False)
            return False if block else ended
        if block and threading.get_ident() == self.cell.system.loop_thread:
            raise BlockingAskOnLoop(f"stopping {self.path} and waiting for it on the actor loop: use stop(block=False)")
        future = self._control("stop", lambda future: Stop(reply_to=future))
        if block:
            return cast("bool", future.get(timeout=timeout))
        return future

    def suspend(self) -> KernelFuture:
        """Hold all its messages, control included; inspection, step, resume and stop still work."""
        return self._control("suspend", Suspend)

    def step(self) -> KernelFuture:
        """Let a suspended actor handle exactly one message; the future gives False if none waits."""
        return self._control("step", Step)

    def resume(self) -> KernelFuture:
        """Let a suspended actor go on."""
        return self._control("resume", Resume)

    def kill(self, error: BaseException) -> KernelFuture:
        """Have it fail as if its handler had raised ``error``: whoever supervises it restarts it, or ends with it."""
        return self._control("kill", partial(Kill, error))

    def _control(self, did: str, ordered: Callable[[KernelFuture], SystemMessage]) -> KernelFuture:
        self._must_be_outside(did, "out.stop()")
        system = self.cell.system
        future = KernelFuture()
        future.answering_thread = system.answering_thread
        message = ordered(future)
        system.call(lambda: self.cell.deliver_system(message))
        return future

    def proxy(self) -> NoReturn:
        """Not available: our actors have messages, not methods."""
        raise TypeError(f"{self.path} has typed messages and no methods to proxy: use tell() or ask()")
