"""A cell: the place in which one actor lives. It owns mailbox, state, timers, effects, children and accounts.

The cell never dies of a handler. Restart replaces the actor object and (unless kept) its state; mailbox, accounts and
path stay. Everything here runs on the actor loop, except what says otherwise.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, TypeVar, cast

import pykka
import structlog

from . import commit, supervision
from .actor import Actor
from .clock import NS
from .effect import Effect
from .envelope import EDGE, NO_CAUSE, Envelope, Origin
from .errors import HandlerError, MailboxFull, NameTaken
from .flight_recorder import FlightRecorder
from .future import KernelFuture
from .mailbox import Mailbox
from .messages import Kill, Resume, Step, Stop, Suspend, SystemMessage, Terminated
from .outbox import TELL, Outbox
from .policy import Lane, Overflow, policy_of
from .pykka_seams import PykkaCell
from .ref import Ref
from .reply import ReplyTo
from .supervision import DEFAULT_CHILD, ChildSpec, RestartWindow
from .ticker import Alarm

if TYPE_CHECKING:
    from .system import ActorSystem
    from .tree import Tree

S = TypeVar("S")
M = TypeVar("M")

log = structlog.get_logger("sessionactors.runtime")

SUSPENDED, RESTARTING, STOPPING, BUSY, STARTING = 1, 2, 4, 8, 16
"""Reasons to hold an actor's messages, as bits. BUSY: its handler runs on its own thread."""


class Status(Enum):
    """Where an actor is in its life."""

    STARTING = "starting"
    IDLE = "idle"
    RUNNING = "running"
    SUSPENDED = "suspended"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Timer:
    """One armed timer of an actor."""

    __slots__ = ("alarm", "due", "generation", "message")

    def __init__(self, generation: int, due: int, message: object) -> None:
        self.generation = generation
        self.due = due
        self.message = message
        self.alarm: Alarm | None = None


class Cell(PykkaCell):
    """One actor's place in the system."""

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
        self.actor = self.factory()
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
        self.current_since = 0
        self.cause_id = NO_CAUSE
        self.children: dict[str, Cell] = {}
        self.effects: dict[str, Effect] = {}
        self.ending_effects: list[Effect] = []
        self.timers: dict[str, Timer] = {}
        self.timer_generation = 0
        self.restarts = 0
        self.unfed = 0
        self.refused_at_edge = 0
        self.handler_ns = 0
        self.waited_ns = 0
        self.last_error: BaseException | None = None
        self.end_reason: str | None = None
        self.end_error: BaseException | None = None
        self.abandoned: str | None = None
        self._restart_alarm: Alarm | None = None
        self._restart_error: BaseException | None = None
        self._watchers: list[tuple[Cell, Callable[[Terminated], object]]] = []
        self._kept_replies: list[ReplyTo] = []
        self._stop_futures: list[Stop] = []
        self._window: RestartWindow | None = None
        self._on_stopped: list[Callable[[], None]] = []

    # -- facts -------------------------------------------------------------------------------------------------------

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
        return bounds.control if lane is Lane.CONTROL else bounds.data

    def restart_window(self) -> RestartWindow:
        """The restarts granted to children."""
        if self._window is None:
            self._window = RestartWindow(self.actor.supervision)
        return self._window

    # -- start -------------------------------------------------------------------------------------------------------

    def prepare_child(self, name: str, factory: Callable[[], Actor[S, M]], spec: ChildSpec) -> Cell:
        """A child that can be told things but does not run before it is started."""
        living = self.children.get(name)
        if living is not None and not living.stopped:
            raise NameTaken(f"{self.path} has a child named {name!r} already ({living.status.value})")
        return Cell(self.system, self.tree, self, name, factory, spec)

    def start(self) -> None:  # type: ignore[override]
        """Begin to live: run ``started`` and then handle messages. A failure goes to the supervisor."""
        self.tree.cells[self.path] = self
        error = self._transact(lambda: self.actor.started(self.actor.initial(), self.outbox))
        self.held &= ~STARTING
        if error is not None:
            supervision.on_failure(self, error)
        else:
            self.wake()

    def _transact(self, hook: Callable[[], object]) -> BaseException | None:
        """Run a lifecycle hook like a handler: all or nothing."""
        out = self.outbox
        out.now = self.system.clock.now()
        self.system.handling = self
        try:
            state = hook()
        except BaseException as error:
            self.system.handling = None
            out.ops.clear()
            self._note_failure(error, "lifecycle")
            if isinstance(error, KeyboardInterrupt):
                raise
            return error
        self.system.handling = None
        self.state = state
        return self._commit_all(out.now)

    # -- delivery ----------------------------------------------------------------------------------------------------

    def deliver(self, envelope: Envelope) -> bool:
        """Put a message into the mailbox; False if it was refused (it is a dead letter then)."""
        if self.held & STOPPING:
            self._dead_letter(envelope, "the actor has ended")
            return True  # the sender did nothing wrong
        mailbox = self.mailbox
        displaced = mailbox.put(envelope)
        if displaced is not None:
            if not self._displaced(displaced, envelope):
                return False
            if displaced is envelope:
                return True
        if envelope.policy.lane is Lane.DATA:
            if not self.ready_data and not self.held:
                self.ready_data = True
                self.system.dispatcher.ready_data(self)
        elif not self.ready_control and not self.held:
            self.ready_control = True
            self.system.dispatcher.ready_control(self)
        return True

    def _displaced(self, displaced: Envelope, newcomer: Envelope) -> bool:
        """A message lost its place: account for its effect or asker. False if it was refused rather than dropped."""
        self._release_origin(displaced)
        refused = displaced is newcomer and displaced.policy.overflow in (Overflow.REFUSE, Overflow.CONFLATE)
        if refused:
            self.system.dead_letters.add(
                self.tree, displaced.sender, self.path, displaced.message, "its lane is full", counted=True
            )
        if displaced.reply_to is not None:
            why = "its mailbox is full" if refused else "a newer message took its place"
            displaced.reply_to.fail(MailboxFull(f"{self.path} did not take the ask: {why}"))
        return not refused

    def _dead_letter(self, envelope: Envelope, reason: str) -> None:
        self._release_origin(envelope)
        if envelope.reply_to is not None:
            envelope.reply_to.fail(pykka.ActorDeadError(f"{self.path} has ended: {self.end_reason or 'stopped'}"))
        self.system.dead_letters.add(self.tree, envelope.sender, self.path, envelope.message, reason)

    @staticmethod
    def _release_origin(envelope: Envelope) -> None:
        origin = envelope.origin
        if origin is not None and origin.effect is not None:
            origin.effect.acknowledge()

    def sender_overran(self, target: Cell, envelope: Envelope) -> None:
        """A message of mine was refused. For control that is my failure: control lanes are bounded by construction."""
        if envelope.policy.lane is Lane.CONTROL:
            raise MailboxFull(
                f"{self.path} sent more control messages to {target.path} than its lane holds "
                f"({target.mailbox.bounds.control}); the last was {type(envelope.message).__name__}"
            )

    def put_foreign(self, envelope: object) -> None:
        """From any thread: an envelope made by stock Pykka code."""
        message = getattr(envelope, "message", envelope)
        made = Envelope(
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
        self.system.call(lambda: self.deliver(made))

    def wake(self) -> None:
        """Tell the dispatcher about everything that waits."""
        mailbox = self.mailbox
        if (mailbox.control or mailbox.system) and not self.ready_control:
            self.ready_control = True
            self.system.dispatcher.ready_control(self)
        if mailbox.data and not self.ready_data and not self.held:
            self.ready_data = True
            self.system.dispatcher.ready_data(self)

    # -- handling ----------------------------------------------------------------------------------------------------

    def process(self, lane: Lane) -> bool:
        """Handle the oldest message of a lane; False if there was none, or messages are held."""
        if self.held:
            return False
        envelope = self.mailbox.pop(lane)
        if envelope is None:
            return False
        self._handle(envelope)
        return True

    def _handle(self, envelope: Envelope) -> None:
        now = self.system.clock.now()
        if envelope.policy.fenced and envelope.message.scope.closed:  # type: ignore[attr-defined]
            self._discard(envelope, now)
            return
        if envelope.origin is not None and not self._wanted(envelope, envelope.origin, now):
            return
        self.current = envelope
        self.current_since = now
        self.cause_id = envelope.id
        out = self.outbox
        out.now = now
        out.turn = envelope.turn
        if self.actor.own_thread:
            self.held |= BUSY
            self.system.threads.submit_handler(self, envelope)
            return
        system = self.system
        system.handling = self
        try:
            state = self.actor.receive(self.state, envelope.message, out)
            if state is None and self.state is not None:
                raise HandlerError(f"{self.path}: receive() returned None for {envelope.message!r}; return the state")
        except BaseException as error:
            system.handling = None
            self._handler_failed(envelope, error, now)
            return
        system.handling = None
        self._handled(envelope, state, now)

    def handled_on_thread(self, envelope: Envelope, state: object, error: BaseException | None) -> None:
        """Back on the loop after a handler ran on its own thread."""
        self.held &= ~BUSY
        if self.stopped:
            return
        if error is None and state is None and self.state is not None:
            error = HandlerError(f"{self.path}: receive() returned None for {envelope.message!r}; return the state")
        if error is not None:
            self._handler_failed(envelope, error, self.current_since)
        else:
            self._handled(envelope, state, self.current_since)
        if self.stopping:
            self._maybe_finish()
        else:
            self.wake()

    def _handled(self, envelope: Envelope, state: object, began: int) -> None:
        out = self.outbox
        self.state = state
        error = None
        if out._stash:
            out._stash = False
            error = self._stash_current(envelope)
        else:
            self.mailbox.accounts.handled += 1
            if envelope.origin is not None:
                self._release_origin(envelope)
        if out.ops:
            error = self._commit_all(began) or error
        if envelope.reply_to is not None and not out.replies_later:
            envelope.reply_to.succeed(out.reply_value)
        out.reply_value = None
        out.replies_later = False
        ended = self.system.clock.now()
        self.handler_ns += ended - began
        self.waited_ns += began - envelope.at
        self.recorder.record(envelope.id, envelope.cause, type(envelope.message), began, began - envelope.at, ended - began)
        if self.system.taps.active:
            self.system.taps.publish(self, envelope, began, ended, "handled")
        self.current = None
        self.cause_id = NO_CAUSE
        if error is not None:
            supervision.on_failure(self, error)

    def _commit_all(self, now: int) -> BaseException | None:
        """Carry out the outbox. A port that raises, or control sent into a full lane, is a failure of this actor."""
        ops = self.outbox.ops
        self.outbox.ops = []
        failure: BaseException | None = None
        committing, self.system.committing = self.system.committing, self
        for op in ops:
            try:
                if op[0] is TELL:
                    commit.tell(self, op[1], op[2], now)  # type: ignore[arg-type]
                else:
                    op[0](self, *op[1:])  # type: ignore[operator]
            except BaseException as error:
                failure = failure or error
                self._note_failure(error, "commit")
                if isinstance(error, KeyboardInterrupt):
                    self.system.committing = committing
                    raise
        self.system.committing = committing
        return failure

    def _handler_failed(self, envelope: Envelope, error: BaseException, began: int) -> None:
        out = self.outbox
        out.ops.clear()
        out._stash = False
        out.reply_value = None
        out.replies_later = False
        self.mailbox.accounts.failed += 1
        self._release_origin(envelope)
        if envelope.reply_to is not None:
            envelope.reply_to.fail(error)
        self.recorder.record(envelope.id, envelope.cause, type(envelope.message), began, began - envelope.at, -1)
        if self.system.taps.active:
            self.system.taps.publish(self, envelope, began, self.system.clock.now(), "failed")
        self._note_failure(error, type(envelope.message).__name__)
        self.current = None
        self.cause_id = NO_CAUSE
        supervision.on_failure(self, error)
        if isinstance(error, KeyboardInterrupt):
            raise error

    def _note_failure(self, error: BaseException, during: str) -> None:
        self.last_error = error
        log.error(
            "actor_failed",
            room=self.tree.name,
            actor=self.path,
            message_id=self.cause_id,
            during=during,
            error=repr(error),
            exc_info=error,
        )

    def _wanted(self, envelope: Envelope, origin: Origin, now: int) -> bool:
        """Whether a message with an origin must still be handled: not an expired ask, a stale timer, a dead effect."""
        if origin.timer_key is not None:
            timer = self.timers.get(origin.timer_key)
            if timer is None or timer.generation != origin.timer_generation:
                self._discard(envelope, now)
                return False
            del self.timers[origin.timer_key]
        elif origin.deadline is not None and origin.deadline < now:
            self.mailbox.accounts.expired += 1
            return False
        elif origin.effect is not None and origin.effect.cancelled and envelope.policy.fenced:
            self._discard(envelope, now)
            return False
        return True

    def _discard(self, envelope: Envelope, now: int) -> None:
        self.mailbox.accounts.fenced += 1
        self._release_origin(envelope)
        if envelope.reply_to is not None:
            envelope.reply_to.fail(MailboxFull(f"{self.path} did not take the ask: its scope is closed"))
        if self.system.taps.active:
            self.system.taps.publish(self, envelope, now, now, "fenced")

    def _stash_current(self, envelope: Envelope) -> BaseException | None:
        if self.mailbox.stashed_count() >= self.mailbox.bounds.data:
            self.mailbox.accounts.dead_lettered += 1
            self._release_origin(envelope)
            return MailboxFull(f"{self.path} stashed more than {self.mailbox.bounds.data} messages")
        self.mailbox.stash(envelope)
        return None

    # -- asks --------------------------------------------------------------------------------------------------------

    def keep_reply(self) -> ReplyTo:
        """The right to answer the current ask later."""
        envelope = self.current
        if envelope is None or envelope.reply_to is None:
            raise HandlerError(f"{self.path}: the message being handled is not an ask, there is nothing to reply to")
        kept = ReplyTo(envelope.reply_to, envelope.id)
        self._kept_replies.append(kept)
        return kept

    def forget_reply(self, kept: ReplyTo) -> None:
        """An ask was answered."""
        if kept in self._kept_replies:
            self._kept_replies.remove(kept)

    def explain_wait(self, envelope: Envelope, waited: float) -> str:
        """From any thread: why an ask has no answer yet."""
        asked = f"no reply to {type(envelope.message).__name__} #{envelope.id} from {self.path} after {waited:.2f} s: "
        waiting = self.mailbox.peek(envelope.policy.lane, 10_000)
        current = self.current
        doing = "it is idle"
        if current is not None:
            running = (self.system.clock.now() - self.current_since) / NS
            if current is envelope:
                return f"{asked}its handler has been running for {running:.2f} s"
            doing = f"it has been handling {type(current.message).__name__} #{current.id} for {running:.2f} s"
        elif self.status is not Status.IDLE:
            doing = f"it is {self.status.value}"
        for position, other in enumerate(waiting):
            if other is envelope:
                lane = envelope.policy.lane.name.lower()
                return f"{asked}it is number {position + 1} of {len(waiting)} in the {lane} lane, and {doing}"
        if self.stopped:
            return f"{asked}the actor has ended"
        blocked = self.system.blocked_since()
        if blocked is not None:
            return f"{asked}the actor loop has not run for {blocked:.2f} s, and {doing}"
        return f"{asked}it was handled, but the reply was kept for later and has not come; {doing}"

    # -- timers and effects ------------------------------------------------------------------------------------------

    def arm_timer(self, key: str, due: int, message: object) -> None:
        """Arm or re-arm; an older timer of the key is void, also when its message waits already."""
        self.disarm_timer(key)
        self.timer_generation += 1
        timer = Timer(self.timer_generation, due, message)
        origin = Origin(timer_key=key, timer_generation=timer.generation)
        cause, turn = self.cause_id, self.outbox.turn

        def fire() -> None:
            self.deliver(
                Envelope(
                    message,
                    None,
                    self.path,
                    self.tree.next_message_id(),
                    cause,
                    turn,
                    self.system.clock.now(),
                    policy_of(type(message)),
                    origin,
                )
            )

        timer.alarm = self.system.ticker.at(due, fire)
        self.timers[key] = timer

    def disarm_timer(self, key: str) -> None:
        """Forget a timer."""
        timer = self.timers.pop(key, None)
        if timer is not None and timer.alarm is not None:
            timer.alarm.cancel()

    def cancel_effect(self, key: str, *, report: bool) -> None:
        """Stop an effect; it is remembered until its coroutine has really ended."""
        effect = self.effects.pop(key, None)
        if effect is not None:
            self.ending_effects.append(effect)
            effect.cancel(report=report)

    def effect_says(self, effect: Effect, message: object) -> None:
        """A message that an effect sent."""
        self._from_effect(effect, message, windowed=True)

    def effect_ended(self, effect: Effect, value: object, error: BaseException | None) -> None:
        """An effect's coroutine has ended: report it, unless it was cancelled without a report."""
        if effect.alarm is not None:
            effect.alarm.cancel()
        if self.effects.get(effect.key) is effect:
            del self.effects[effect.key]
        elif effect in self.ending_effects:
            self.ending_effects.remove(effect)
        if not (effect.cancelled and not effect.report) and not self.stopping:
            message: object = None
            if error is not None:
                message = effect.failed(error)
            elif effect.done is not None:
                message = effect.done(value)
            if message is not None:
                self._from_effect(effect, message, windowed=False)
        if self.stopping:
            self._maybe_finish()

    def _from_effect(self, effect: Effect, message: object, *, windowed: bool) -> None:
        self.deliver(
            Envelope(
                message,
                None,
                f"{self.path}#{effect.key}",
                self.tree.next_message_id(),
                effect.cause,
                effect.turn,
                self.system.clock.now(),
                policy_of(type(message)),
                Origin(effect=effect) if windowed else None,
            )
        )

    # -- control -----------------------------------------------------------------------------------------------------

    def deliver_system(self, message: SystemMessage) -> None:
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

    def process_system(self) -> bool:
        """Serve one system message; False if there is none."""
        waiting = self.mailbox.system
        if not waiting:
            return False
        message = waiting.popleft()
        match message:
            case Stop():
                if message.reply_to is not None:
                    self._stop_futures.append(message)
                self.begin_stop(message.reason, None)
            case Kill(error):
                self._note_failure(error, "kill")
                supervision.on_failure(self, error)
            case Suspend():
                self.held |= SUSPENDED
            case Resume():
                self.held &= ~SUSPENDED
                self.wake()
            case Step():
                stepped = self._step()
                if message.reply_to is not None:
                    message.reply_to.succeed(stepped)
                return True
        if message.reply_to is not None and not isinstance(message, Stop):
            message.reply_to.succeed(True)
        return True

    def _step(self) -> bool:
        if self.held != SUSPENDED:
            return False
        envelope = self.mailbox.pop(Lane.CONTROL) or self.mailbox.pop(Lane.DATA)
        if envelope is None:
            return False
        self._handle(envelope)
        return True

    # -- restart and end ---------------------------------------------------------------------------------------------

    def restart(self, error: BaseException, delay: int) -> None:
        """Replace actor (and state) after ``delay`` ns; the mailbox waits meanwhile."""
        if self.stopping:
            return
        self.held |= RESTARTING
        self.restarts += 1
        self._silence()
        self._restart_error = error
        if self._restart_alarm is not None:
            self._restart_alarm.cancel()
        log.warning(
            "actor_restarting",
            room=self.tree.name,
            actor=self.path,
            message_id=0,
            restarts=self.restarts,
            delay=delay / NS,
            error=repr(error),
        )
        self._restart_alarm = self.system.ticker.at(self.system.clock.now() + delay, self._reincarnate)

    def _reincarnate(self) -> None:
        if self.stopping or not self.held & RESTARTING:
            return
        if self.children:  # their names must be free before the new incarnation starts its own
            for child in list(self.children.values()):
                child.when_stopped(lambda: None if self.children else self._reincarnate())
            return
        error = self._restart_error or RuntimeError("restarted")
        self._restart_error = None
        kept = self.state

        def begin() -> object:
            self.actor = self.factory()
            state = kept if self.spec.keep_state and kept is not None else self.actor.initial()
            return self.actor.restarted(state, error, self.outbox)

        self.mailbox.unstash()
        failed = self._transact(begin)
        self.held &= ~RESTARTING
        if failed is not None:
            supervision.on_failure(self, failed)
        else:
            self.wake()

    def _silence(self) -> None:
        """Cancel timers and effects and stop children: nothing of this incarnation goes on."""
        for key in list(self.timers):
            self.disarm_timer(key)
        for key in list(self.effects):
            self.cancel_effect(key, report=False)
        for child in reversed(list(self.children.values())):
            child.begin_stop("parent ended", None)

    def begin_stop(self, reason: str, error: BaseException | None) -> None:
        """End now. It is over when the effects and children have ended too, or were abandoned."""
        if self.stopping:
            return
        failed_start = bool(self.held & STARTING)
        self.held |= STOPPING
        self.end_reason, self.end_error = reason, error
        if self._restart_alarm is not None:
            self._restart_alarm.cancel()
        self._silence()
        if error is None and not failed_start:
            self._transact(self._run_stopped_hook)
        for envelope in self.mailbox.drain():
            self._dead_letter(envelope, "waiting when the actor ended")
        for kept in self._kept_replies:
            kept.fail(pykka.ActorDeadError(f"{self.path} ended before it replied: {reason}"))
        self._kept_replies.clear()
        self._maybe_finish()

    def _run_stopped_hook(self) -> object:
        self.actor.stopped(self.state, self.outbox)
        return self.state

    def _maybe_finish(self) -> None:
        if not self.stopped and not self.children and not self.effects and not self.ending_effects:
            if self.held & BUSY:
                return
            self._finish()

    def abandon(self) -> None:
        """Stop waiting for what does not end: the report names it."""
        if self.stopped:
            return
        stuck = [*self.effects.values(), *self.ending_effects]
        now = self.system.clock.now()
        if self.held & BUSY and self.current is not None:
            seconds = (now - self.current_since) / NS
            self.abandoned = f"at message {type(self.current.message).__name__} #{self.current.id}, for {seconds:.2f} s"
        elif stuck:
            named = ", ".join(f"{effect.key} for {(now - effect.started_at) / NS:.2f} s" for effect in stuck)
            self.abandoned = f"in effect {named}"
        elif self.mailbox.system:
            self.abandoned = "before it could stop"
        for effect in stuck:
            effect.abandoned = True
            self.system.abandoned_effects.append(effect.name)
        for child in list(self.children.values()):
            child.abandon()
        if not self.stopping:
            self.begin_stop("abandoned", None)
        self._finish()

    def _finish(self) -> None:
        if self.stopped:
            return
        self.stopped = True
        self.actor_stopped.set()
        self.tree.cell_ended(self)
        terminated = Terminated(self.path, self.end_reason or "stopped", self.end_error)
        now = self.system.clock.now()
        for watcher, tell_me in self._watchers:
            commit.told_of_end(watcher, tell_me(terminated), self.path, now)
        self._watchers.clear()
        for message in self._stop_futures:
            if message.reply_to is not None:
                message.reply_to.succeed(True)
        if self.mailbox.system:
            for unserved in self.mailbox.system:
                if unserved.reply_to is not None:
                    unserved.reply_to.succeed(False)
            self.mailbox.system = None
        self.current = None
        parent = self.parent
        if parent is not None:
            if parent.children.get(self.name) is self:
                del parent.children[self.name]
            if self.end_reason not in ("parent ended", "abandoned"):
                supervision.on_ended(self)
            if parent.stopping:
                parent._maybe_finish()
        callbacks, self._on_stopped = self._on_stopped, []
        for callback in callbacks:
            callback()

    def add_watcher(self, watcher: Cell, tell_me: Callable[[Terminated], object]) -> None:
        """Tell ``watcher`` when this actor has ended, at once if it has."""
        if self.stopped:
            terminated = Terminated(self.path, self.end_reason or "stopped", self.end_error)
            commit.told_of_end(watcher, tell_me(terminated), self.path, self.system.clock.now())
        else:
            self._watchers.append((watcher, tell_me))

    def watches(self, other: Cell) -> bool:
        """Whether this actor wants to be told of the other's end."""
        return any(watcher is self for watcher, _ in other._watchers)

    def when_stopped(self, callback: Callable[[], None]) -> None:
        """Call back when this actor has ended (at once if it has)."""
        if self.stopped:
            callback()
        else:
            self._on_stopped.append(callback)

    def real_time_in_hand(self) -> float:
        """From any thread: seconds (real time) since the message in hand was taken; 0 when idle."""
        if self.current is None:
            return 0.0
        return max(0.0, (self.system.clock.now() - self.current_since) / NS)


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


__all__ = ["Cell", "Status", "Timer"]
