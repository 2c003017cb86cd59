"""The operations of an outbox, carried out when the handler has returned. Each takes the cell that asked for it."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pykka
import structlog

from . import handling, lifecycle, outside
from .containment import escapes
from .effect import Effect, Inlet, Run
from .envelope import NO_CAUSE, Envelope, Facts, Origin
from .errors import SystemClosed
from .held import ENDING
from .messages import Stop, Terminated
from .obligation import Obligation
from .operation import CLOSED, Operation
from .policy import Overflow, policies, policy_of
from .ref import Ref

if TYPE_CHECKING:
    from .cell import Cell
    from .reply import ReplyTo
    from .scope import Scope

log_handler = structlog.get_logger("sessionactors.actor")


def carry_out(cell: Cell, ops: list[Operation], now: int, cause: int) -> BaseException | None:  # noqa: PLR0915
    """Carry out an outbox. A port that raises, or control sent into a full lane, is a failure of this actor.

    Telling one of our own actors is done in place, down to its lane if nothing is special about the message: half of
    what a message costs is here. Messages of one type to one actor in a row are a run: after the first, which finds
    nothing special, each costs its envelope only, and they go into the lane in one step, for nothing runs in between.
    """
    system, sender, turn, own = cell.system, cell.path, cell.outbox.turn, cell.tree
    first: BaseException | None = None
    told = cell  # whom the message before was told
    kind: type[object] | None = None  # its type; None: no run can go on
    run: list[Envelope] | None = None
    ids: Iterator[int]
    facts: Facts
    for target, message in ops:
        try:
            if target is told and type(message) is kind:
                if run is None:
                    run, ids = [], told.tree.message_ids
                envelope = Envelope()
                envelope.message = message
                envelope.id = next(ids)
                envelope.facts = facts  # noqa: F821 - of the message before
                run.append(envelope)
                continue
            if run is not None:
                first = _put_run(cell, told, run, first)
                run = None
            if target is None or target.system is not system:
                kind = None
                _apart(cell, target, message)
                continue
            kind = type(message)
            policy = policies[kind]
            envelope = Envelope()
            envelope.message = message
            tree = target.tree
            envelope.id = next(tree.message_ids)
            envelope.facts = facts = (sender, cause, turn, now, policy, policy.checked, None, None)
            mailbox = target.mailbox
            waiting = mailbox.data
            if (
                policy.plain
                and waiting is not None
                and not target.held
                and (tree is own or tree.witness is None)  # what comes from another tree enters
            ):
                depth = len(waiting)
                if depth < mailbox.bounds.data:
                    mailbox.accounts.received += 1
                    waiting.append(envelope)
                    if depth >= mailbox.high_water:
                        mailbox.high_water = depth + 1
                    if not target.ready_data:
                        target.ready_data = True
                        ready_data = system.dispatcher.ready_data  # an attribute: not to be looked up as a method
                        ready_data(target)
                    told = target
                    continue
            kind = None
            _apart(cell, None, (_deliver, target, envelope))
        except BaseException as error:
            kind = None
            first = first or error
            _not_carried_out(cell, (target, message), error)  # type: ignore[arg-type]
    if run is not None:
        first = _put_run(cell, told, run, first)
    return first


def _put_run(cell: Cell, target: Cell, run: list[Envelope], first: BaseException | None) -> BaseException | None:
    """A run goes into its lane, as far as there is room. The rest of it is refused, as if each had been told alone."""
    for envelope in target.mailbox.put_run(run):
        try:
            _apart(cell, None, (_deliver, target, envelope))
        except BaseException as error:
            first = first or error
            _not_carried_out(cell, (target, envelope.message), error)
    return first


def _apart(cell: Cell, target: Cell | None, what: Any) -> None:
    """Carry out what may run others' code: ports may tell by refs, so outside of the handler, its outbox shut."""
    system, outbox = cell.system, cell.outbox
    running, system.handling = system.handling, None
    committing, system.committing = system.committing, cell
    ops, outbox.ops = outbox.ops, CLOSED
    try:
        if target is None:
            what[0](cell, *what[1:])
        else:
            tell_elsewhere(cell, target, what)
    finally:
        system.handling, system.committing = running, committing
        outbox.ops = ops


def _not_carried_out(cell: Cell, operation: Operation, error: BaseException) -> None:
    system = cell.system
    if cell.tree.witness is not None:
        cell.tree.witness.not_carried_out(cell, operation, error)
    running, system.handling = system.handling, None
    handling.note_failure(cell, error, "commit")
    system.handling = running
    if escapes(error):
        raise error


def _deliver(cell: Cell, target: Cell, envelope: Envelope) -> None:
    if target.tree is not cell.tree:
        target.enter(envelope)
    elif not target.deliver(envelope):
        cell.sender_overran(target, envelope)


def foreign_tell(cell: Cell, ref: pykka.ActorRef[pykka.Actor], message: object) -> None:
    """A stock Pykka actor has an unbounded inbox and cannot say no, except by being dead."""
    try:
        ref.tell(message)
    except pykka.ActorDeadError:
        cell.system.dead_letters.add(cell.tree, cell.path, str(ref), message, "the Pykka actor is dead")


def tell_elsewhere(cell: Cell, target: Cell, message: object) -> None:
    """Deliver to an actor of another system, on its own loop."""
    turn, sender, policy = cell.outbox.turn, cell.path, policy_of(type(message))

    def deliver() -> None:
        now = target.system.clock.now()
        target.enter(Envelope.of(message, None, sender, target.tree.next_message_id(), 0, turn, now, policy, None))

    try:
        target.system.call(deliver)
    except SystemClosed:
        cell.system.dead_letters.add(cell.tree, sender, target.path, message, "its actor system is closed")


def reply(cell: Cell, to: ReplyTo, value: object) -> None:
    """Answer a kept ask."""
    outside.forget_reply(cell, to)
    to.resolve(value)


def stash(cell: Cell) -> None:
    """Nothing: ``handling.complete`` has done it. That there is an operation makes it look."""


def unstash(cell: Cell) -> None:
    """Bring stashed messages back."""
    if cell.mailbox.unstash():
        cell.wake()


def timer(cell: Cell, key: str, due: int, message: object) -> None:
    """Arm or re-arm a keyed timer."""
    if cell.held & ENDING:  # nothing starts any more that would have to end
        return
    outside.arm_timer(cell, key, due, message)


def cancel_timer(cell: Cell, key: str) -> None:
    """Disarm a keyed timer."""
    outside.disarm_timer(cell, key)


def effect(
    cell: Cell,
    key: str,
    run: Run[object],
    done: Callable[[object], object] | None,
    failed: Callable[[BaseException], object],
    deadline: int | None,
    window: int,
    user_loop: bool,
    inlet: int,
    overflow: Overflow,
) -> None:
    """Start an effect on its home loop."""
    if cell.held & ENDING:
        return
    system, tree = cell.system, cell.tree
    home = system.loop
    context = contextvars.copy_context()
    if user_loop and tree.user_loop is not None:
        home = tree.user_loop
        if tree.user_context is not None:
            context = tree.user_context.copy()
    context.run(structlog.contextvars.bind_contextvars, room=tree.name, actor=cell.path, message_id=cell.cause_id)
    begun = Effect(
        cell,
        key,
        run,
        done=done,
        failed=failed,
        deadline=deadline,
        window=window,
        home=home,
        context=context,
        inlet=Inlet(inlet, overflow),
        cause=cell.cause_id,
        turn=cell.outbox.turn,
    )
    begin_effect(cell, begun)


def begin_effect(cell: Cell, begun: Effect) -> None:
    """Start an effect, in place of one of its key that runs."""
    if begun.key in cell.effects:
        outside.cancel_effect(cell, begun.key, report=False)
    cell.effects[begun.key] = begun
    begun.start()


def feed(cell: Cell, key: str, item: object) -> None:
    """Hand an item to a running effect."""
    running = cell.effects.get(key)
    if running is None:
        cell.unfed += 1
    else:
        running.feed(item)


def end_inlet(cell: Cell, key: str) -> None:
    """No more items for an effect."""
    running = cell.effects.get(key)
    if running is not None:
        running.end_inlet()


def cancel_effect(cell: Cell, key: str, report: bool) -> None:
    """Stop an effect."""
    outside.cancel_effect(cell, key, report=report)


def port(cell: Cell, call: Callable[..., object], arguments: tuple[object, ...]) -> None:
    """Call a port."""
    call(*arguments)


def spawn(cell: Cell, child: Cell) -> None:
    """Bring a prepared child to life."""
    if cell.held & ENDING:
        lifecycle.never_start(child)
        return
    cell.children[child.name] = child
    child.born_of, child.outbox.turn = cell.cause_id, cell.outbox.turn  # what it starts with is caused by this message
    lifecycle.start(child)
    child.born_of = NO_CAUSE


def stop(cell: Cell, ref: Ref[object], reason: str) -> None:
    """End an actor."""
    with suppress(SystemClosed):  # of another system: its actors have ended
        deliver = ref.cell.queue_system if ref.cell.tree is cell.tree else ref.cell.deliver_system
        ref.cell.system.call(lambda: deliver(Stop(reason)))


def watch(cell: Cell, ref: Ref[object], tell_me: Callable[[Terminated], object]) -> None:
    """Be told of an actor's end."""
    incarnation = cell.restarts
    ref.cell.system.call(lambda: lifecycle.add_watcher(ref.cell, cell, incarnation, tell_me))


def told_of_end(watcher: Cell, message: object, sender: str, now: int, *, from_outside: bool) -> None:
    """Deliver the news of an end to one actor; ``from_outside``: not of an actor of its own tree."""
    origin = Origin(reserved=True)
    envelope = Envelope.of(
        message, None, sender, watcher.tree.next_message_id(), 0, "", now, policy_of(type(message)), origin
    )
    if from_outside:
        watcher.enter(envelope)
    else:
        watcher.deliver(envelope)


def subscribe(cell: Cell, types: Collection[type]) -> None:
    """Be told what others have handled."""
    cell.system.taps.subscribe(cell, types)


def open_scope(cell: Cell, scope: Scope) -> None:
    """List a scope as open."""
    cell.tree.open_scopes[scope.path] = scope


def close_scope(cell: Cell, scope: Scope) -> None:
    """Fence everything inside a scope."""
    scope.close()
    cell.tree.scope_closed(scope)


def oblige(cell: Cell, key: str, waits_for: str, deadline: int) -> None:
    """Open an obligation."""
    now = cell.system.clock.now()
    cell.tree.oblige(Obligation(key, cell.path, waits_for, now, deadline))


def discharge(cell: Cell, key: str) -> None:
    """Close an obligation."""
    cell.tree.discharge(key)


def log(cell: Cell, event: str, fields: dict[str, object]) -> None:
    """Write a line on behalf of the handler."""
    level = str(fields.pop("level", "info"))
    facts = {**fields, "room": cell.tree.name, "actor": cell.path, "message_id": cell.cause_id}
    getattr(log_handler, level)(event, **facts)
