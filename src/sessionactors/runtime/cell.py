"""A cell: the place in which one actor lives. It owns mailbox, state, timers, effects, children and accounts.

The cell never dies of a handler. Restart replaces the actor object and (unless kept) its state; mailbox, accounts and
path stay. Here are its facts and how messages get in. What happens to it is in the modules beside: ``handling``
(messages), ``commit``, ``lifecycle`` (start, restart, end), ``outside`` (timers, effects, asks) and ``failure``.

Everything here runs on the actor loop, except what says otherwise.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

import pykka

from .actor import Actor
from .clock import NS
from .dead_letters import ENDED, FULL
from .effect import Effect
from .envelope import EDGE, NO_CAUSE, Envelope
from .errors import HandlerError, MailboxFull, NameTaken
from .flight_recorder import FlightRecorder
from .future import KernelFuture
from .held import RESTARTING, STARTING, STOPPING, SUSPENDED, Status
from .mailbox import Mailbox
from .messages import Stop, SystemMessage, Terminated
from .outbox import Outbox
from .policy import CONTROL, DATA, Lane, Overflow, policy_of
from .pykka_seams import PykkaCell
from .ref import Ref
from .reply import ReplyTo
from .supervision import DEFAULT_CHILD, ChildSpec, RestartWindow
from .ticker import Alarm
from .witness import Fate

if TYPE_CHECKING:
    from .outside import Timer
    from .system import ActorSystem
    from .tree import Tree

S = TypeVar("S")
M = TypeVar("M")


class Cell(PykkaCell):
    """One actor's place in the system."""

    __slots__ = (
        "abandoned",
        "actor",
        "born_of",
        "children",
        "current",
        "effects",
        "end_error",
        "end_reason",
        "ending_effects",
        "factory",
        "handler_ns",
        "held",
        "kept_replies",
        "last_error",
        "name",
        "on_stopped",
        "on_the_way",
        "outbox",
        "parent",
        "path",
        "ready_control",
        "ready_data",
        "receive",
        "recorder",
        "ref",
        "refused_at_edge",
        "restart_alarm",
        "restart_error",
        "restarts",
        "spec",
        "state",
        "stop_requests",
        "stopped",
        "system",
        "timer_generation",
        "timers",
        "tree",
        "unfed",
        "waited_ns",
        "watchers",
        "window",
    )

    def __init__(
        self,
        system: ActorSystem,
        tree: Tree,
        parent: Cell | None,
        name: str,
        factory: Callable[[], Actor[S, M]],
        spec: ChildSpec = DEFAULT_CHILD,
    ) -> None:
        self.system = system
        self.tree = tree
        self.parent = parent
        self.name = name
        self.path: str = f"{parent.path}/{name}" if parent is not None else name
        self.factory = cast("Callable[[], Actor[object, object]]", factory)
        self.spec = spec
        self.actor: Actor[object, object]
        self.receive: Callable[[object, object, Outbox[object]], object] | None
        """The actor's handler, for ``handling.serve``; None: it runs on a thread of its own, or is observed."""
        self.make_actor()
        if inspect.iscoroutinefunction(self.actor.receive):
            raise HandlerError(f"{self.path}: receive() must not be async; start an effect for work that waits")
        super().__init__(f"urn:sessionactors:{self.path}", Mailbox(self.actor.bounds))
        self.ref: Ref[object] = Ref(self)
        self._actor_ref = self.ref
        self.state: object = None
        self.outbox: Outbox[object] = Outbox(self)
        self.recorder = FlightRecorder()
        self.held = STARTING
        self.stopped = False
        self.ready_control = False
        self.ready_data = False
        self.current: Envelope | None = None
        self.children: dict[str, Cell] = {}
        self.effects: dict[str, Effect] = {}
        self.ending_effects: list[Effect] = []
        self.timers: dict[str, Timer] = {}
        self.timer_generation = 0
        self.restarts = 0
        self.unfed = 0
        self.refused_at_edge = 0
        self.on_the_way = [0, 0]
        """By lane: messages told on other threads that the loop has not delivered yet; guarded by ``edge_lock``."""
        self.born_of = NO_CAUSE
        """While it starts: the message whose handler made it."""
        self.handler_ns = 0
        self.waited_ns = 0
        self.last_error: BaseException | None = None
        self.end_reason: str | None = None
        self.end_error: BaseException | None = None
        self.abandoned: str | None = None
        self.restart_alarm: Alarm | None = None
        self.restart_error: BaseException | None = None
        self.watchers: list[tuple[Cell, int, Callable[[Terminated], object]]] = []
        self.kept_replies: list[ReplyTo] = []
        self.stop_requests: list[Stop] = []
        self.window: RestartWindow | None = None
        self.on_stopped: list[Callable[[], None]] = []

    # -- facts -------------------------------------------------------------------------------------------------------

    @property
    def cause_id(self) -> int:
        """Id of the message in hand: the cause of all that its handler does."""
        current = self.current
        return self.born_of if current is None else current.id

    @property
    def current_since(self) -> int:
        """Kernel clock, ns, when the message in hand was taken."""
        return self.outbox.now

    @property
    def stopping(self) -> bool:
        """Whether it has begun to end; it takes no more messages."""
        return bool(self.held & STOPPING)

    @property
    def status(self) -> Status:
        """Where it is in its life. Readable from any thread."""
        held = self.held
        if self.stopped:
            return Status.STOPPED
        for bit, status in (
            (STOPPING, Status.STOPPING),
            (RESTARTING, Status.RESTARTING),
            (STARTING, Status.STARTING),
            (SUSPENDED, Status.SUSPENDED),
        ):
            if held & bit:
                return status
        return Status.RUNNING if self.current is not None else Status.IDLE

    def bound(self, lane: Lane) -> int:
        """How many messages may wait in a lane."""
        bounds = self.mailbox.bounds
        return bounds.control if lane is CONTROL else bounds.data

    def restart_window(self) -> RestartWindow:
        """The restarts granted to children."""
        if self.window is None:
            self.window = RestartWindow(self.actor.supervision)
        return self.window

    # -- start -------------------------------------------------------------------------------------------------------

    def make_actor(self) -> None:
        """A new actor object: the first, or that of a new incarnation."""
        self.actor = self.factory()
        self.receive = None if self.actor.own_thread or self.tree.witness is not None else self.actor.receive

    def prepare_child(self, name: str, factory: Callable[[], Actor[S, M]], spec: ChildSpec) -> Cell:
        """A child that can be told things but does not run before it is started."""
        living = self.children.get(name)
        if living is not None and not living.stopped:
            raise NameTaken(f"{self.path} has a child named {name!r} already ({living.status.value})")
        return Cell(self.system, self.tree, self, name, factory, spec)

    # -- delivery ----------------------------------------------------------------------------------------------------

    def enter(self, envelope: Envelope) -> bool:
        """Deliver what comes from outside of the tree's handlers."""
        if self.tree.witness is not None:
            self.tree.witness.entered(self, envelope)
        return self.deliver(envelope)

    def deliver(self, envelope: Envelope) -> bool:
        """Put a message into the mailbox; False if it was refused (it is a dead letter then).

        ``commit.carry_out`` does in place what this does for a plain message that there is room for.
        """
        if self.held & STOPPING:
            self.dead_letter(envelope, ENDED)
            return True  # the sender did nothing wrong
        displaced = self.mailbox.put(envelope)
        if displaced is not None:
            if not self._displaced(displaced, envelope):
                return False
            if displaced is envelope:
                return True
        if envelope.policy.lane is DATA:
            if not self.ready_data and not self.held:
                self.ready_data = True
                self.system.dispatcher.ready_data(self)
        elif not self.ready_control and not self.held:
            self.ready_control = True
            self.system.dispatcher.ready_control(self)
        return True

    def _displaced(self, displaced: Envelope, newcomer: Envelope) -> bool:
        """A message lost its place: account for its effect or asker. False if it was refused rather than dropped."""
        self.release_origin(displaced)
        if self.tree.witness is not None:
            self.tree.witness.discarded(self, displaced, _fate(displaced, newcomer), self.system.clock.now())
        refused = displaced is newcomer and displaced.policy.overflow in (Overflow.REFUSE, Overflow.CONFLATE)
        if refused:
            self.system.dead_letters.add(self.tree, displaced.sender, self.path, displaced.message, FULL, counted=True)
        if displaced.reply_to is not None:
            why = "its mailbox is full" if refused else "a newer message took its place"
            displaced.reply_to.fail(MailboxFull(f"{self.path} did not take the ask: {why}"))
        return not refused

    def dead_letter(self, envelope: Envelope, reason: str, *, counted: bool = False) -> None:
        """Nobody will handle a message. ``counted``: the mailbox has accounted for it already."""
        if self.tree.witness is not None:
            self.tree.witness.discarded(self, envelope, Fate.DEAD, self.system.clock.now())
        self.release_origin(envelope)
        if envelope.reply_to is not None:
            envelope.reply_to.fail(pykka.ActorDeadError(f"{self.path} has ended: {self.end_reason or 'stopped'}"))
        self.system.dead_letters.add(self.tree, envelope.sender, self.path, envelope.message, reason, counted=counted)

    def release_origin(self, envelope: Envelope) -> None:
        """A message has left the mailbox: its effect may send another, its timer is over."""
        origin = envelope.origin
        if origin is None:
            return
        if origin.effect is not None:
            origin.effect.acknowledge()
        elif origin.timer_key is not None:
            timer = self.timers.get(origin.timer_key)
            if timer is not None and timer.generation == origin.timer_generation:
                del self.timers[origin.timer_key]

    def sender_overran(self, target: Cell, envelope: Envelope) -> None:
        """A message of mine was refused. For control that is my failure: control lanes are bounded by construction."""
        if envelope.policy.lane is CONTROL:
            raise MailboxFull(
                f"{self.path} sent more control messages to {target.path} than its lane holds "
                f"({target.mailbox.bounds.control}); the last was {type(envelope.message).__name__}"
            )

    def put_foreign(self, envelope: object) -> None:
        """From any thread: an envelope made by stock Pykka code."""
        message = getattr(envelope, "message", envelope)
        made = Envelope.of(
            message,
            _answering(getattr(envelope, "reply_to", None)),
            EDGE,
            self.tree.next_message_id(),
            NO_CAUSE,
            "",
            self.system.clock.now(),
            policy_of(type(message)),
            None,
        )
        self.system.call(lambda: self.enter(made))

    def wake(self) -> None:
        """Tell the dispatcher about everything that waits."""
        mailbox = self.mailbox
        if (mailbox.control or mailbox.system) and not self.ready_control:
            self.ready_control = True
            self.system.dispatcher.ready_control(self)
        if mailbox.data and not self.ready_data and not self.held:
            self.ready_data = True
            self.system.dispatcher.ready_data(self)

    # -- control -----------------------------------------------------------------------------------------------------

    def deliver_system(self, message: SystemMessage) -> None:
        """From outside of the tree's handlers: a message for the cell itself."""
        if self.tree.witness is not None:
            self.tree.witness.ordered(self, message)
        self.queue_system(message)

    def queue_system(self, message: SystemMessage) -> None:
        """A message for the cell itself; served before control, also while messages are held."""
        if self.stopped:
            if message.reply_to is not None:
                message.reply_to.succeed(False)
            return
        if self.mailbox.system is None:
            self.mailbox.system = deque()
        self.mailbox.system.append(message)
        if not self.ready_control:
            self.ready_control = True
            self.system.dispatcher.ready_control(self)

    def real_time_in_hand(self) -> float:
        """From any thread: seconds (real time) since the message in hand was taken; 0 when idle."""
        if self.current is None:
            return 0.0
        return max(0.0, (self.system.clock.now() - self.current_since) / NS)


def _fate(displaced: Envelope, newcomer: Envelope) -> Fate:
    if displaced is not newcomer:
        return Fate.CONFLATED if newcomer.policy.overflow is Overflow.CONFLATE else Fate.DROPPED
    return Fate.REFUSED if displaced.policy.overflow in (Overflow.REFUSE, Overflow.CONFLATE) else Fate.DROPPED


def _answering(foreign: object) -> KernelFuture | None:
    """A future of ours that passes its outcome on to one that stock Pykka code waits for."""
    if foreign is None or isinstance(foreign, KernelFuture):
        return foreign
    asked = cast("pykka.Future[object]", foreign)
    future = KernelFuture()

    def pass_on() -> None:
        try:
            asked.set(future.get())
        except BaseException:
            asked.set_exception()

    future.when_done(pass_on)
    return future


__all__ = ["Cell", "Status"]
