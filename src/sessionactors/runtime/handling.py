"""Handling one message: fences, the handler, and the commit of state and outbox together.

Called by the dispatcher for one cell at a time, on the actor loop. What fails here goes to ``failure``; what the
outbox asks for is carried out by ``commit``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from . import commit, failure, lifecycle, outside
from .clock import NS
from .containment import escapes
from .envelope import NO_CAUSE, Envelope, Origin
from .errors import AskTimeout, HandlerError, MailboxFull
from .held import BUSY
from .outbox import CLOSED, TELL, Outbox
from .policy import Lane

if TYPE_CHECKING:
    from .cell import Cell

log = structlog.get_logger("sessionactors.runtime")


def process(cell: Cell, lane: Lane) -> bool:
    """Handle the oldest message of a lane; False if there was none, or messages are held."""
    if cell.held:
        return False
    envelope = cell.mailbox.pop(lane)
    if envelope is None:
        return False
    handle(cell, envelope)
    return True


def handle(cell: Cell, envelope: Envelope) -> None:
    now = cell.system.clock.now()
    if envelope.policy.fenced and getattr(envelope.message.scope, "closed", False):  # type: ignore[attr-defined]
        discard(cell, envelope, now)
        return
    if envelope.origin is not None and not wanted(cell, envelope, envelope.origin, now):
        return
    cell.current = envelope
    cell.current_since = now
    cell.cause_id = envelope.id
    out = cell.outbox
    out.ops = []
    out.now = now
    out.turn = envelope.turn
    if cell.actor.own_thread:
        cell.held |= BUSY
        cell.system.threads.submit_handler(cell, envelope)
        return
    system = cell.system
    system.handling = cell
    try:
        state = cell.actor.receive(cell.state, envelope.message, out)
        if state is None and cell.state is not None:
            raise HandlerError(f"{cell.path}: receive() returned None for {envelope.message!r}; return the state")
    except BaseException as error:
        system.handling = None
        handler_failed(cell, envelope, error, now)
        return
    system.handling = None
    handled(cell, envelope, state, now)


def handled_on_thread(cell: Cell, envelope: Envelope, state: object, error: BaseException | None) -> None:
    """Back on the loop after a handler ran on its own thread."""
    if cell.current is not envelope:  # the actor was restarted or abandoned meanwhile: its outcome is known already
        return
    cell.held &= ~BUSY
    if error is None and state is None and cell.state is not None:
        error = HandlerError(f"{cell.path}: receive() returned None for {envelope.message!r}; return the state")
    if error is not None:
        handler_failed(cell, envelope, error, cell.current_since)
    else:
        handled(cell, envelope, state, cell.current_since)
    if cell.stopping:
        lifecycle.last_words(cell)
        lifecycle.maybe_finish(cell)
    else:
        cell.wake()


def handled(cell: Cell, envelope: Envelope, state: object, began: int) -> None:
    out = cell.outbox
    cell.state = state
    error = None
    stashed = out._stash
    if stashed:
        out._stash = False
        error = stash_current(cell, envelope)
    else:
        cell.mailbox.accounts.handled += 1
        if envelope.origin is not None:
            cell.release_origin(envelope)
    if out.ops:
        error = commit_all(cell, began) or error
    else:
        out.ops = CLOSED
    if envelope.reply_to is not None and not out.replies_later and not stashed:
        envelope.reply_to.succeed(out.reply_value)
    out.reply_value = None
    out.replies_later = False
    ended = cell.system.clock.now()
    cell.handler_ns += ended - began
    cell.waited_ns += began - envelope.at
    cell.recorder.record(envelope.id, envelope.cause, type(envelope.message), began, began - envelope.at, ended - began)
    if cell.system.taps.active:
        cell.system.taps.publish(cell, envelope, began, ended, "handled")
    cell.current = None
    cell.cause_id = NO_CAUSE
    if error is not None:
        failure.on_failure(cell, error)


def commit_all(cell: Cell, now: int) -> BaseException | None:
    """Carry out the outbox. A port that raises, or control sent into a full lane, is a failure of this actor."""
    ops = cell.outbox.ops
    cell.outbox.ops = CLOSED
    first: BaseException | None = None
    committing, cell.system.committing = cell.system.committing, cell
    for op in ops:
        try:
            if op[0] is TELL:
                commit.tell(cell, op[1], op[2], now)  # type: ignore[arg-type]
            else:
                op[0](cell, *op[1:])  # type: ignore[operator]
        except BaseException as error:
            first = first or error
            note_failure(cell, error, "commit")
            if escapes(error):
                cell.system.committing = committing
                raise
    cell.system.committing = committing
    return first


def transact(cell: Cell, hook: Callable[[], object]) -> BaseException | None:
    """Run a lifecycle hook like a handler: all or nothing."""
    out = cell.outbox
    out.ops = []
    out.now = cell.system.clock.now()
    cell.system.handling = cell
    try:
        state = hook()
        if inspect.iscoroutine(state):
            state.close()
            raise HandlerError(f"{cell.path}: {state.__qualname__}() must not be async")
    except BaseException as error:
        cell.system.handling = None
        out.ops = CLOSED
        note_failure(cell, error, "lifecycle")
        if escapes(error):
            raise
        return error
    cell.system.handling = None
    cell.state = state
    return commit_all(cell, out.now)


def handler_failed(cell: Cell, envelope: Envelope, error: BaseException, began: int) -> None:
    fail_current(cell, envelope, error, began)
    failure.on_failure(cell, error)
    if escapes(error) and not cell.actor.own_thread:
        raise error


def fail_current(cell: Cell, envelope: Envelope, error: BaseException, began: int) -> None:
    """The message in hand has failed: it has changed nothing and sent nothing."""
    out = cell.outbox
    out.ops = CLOSED
    out._stash = False
    out.reply_value = None
    if out.replies_later:
        out.replies_later = False
        outside.forget_ask(cell, envelope)
    cell.mailbox.accounts.failed += 1
    cell.release_origin(envelope)
    if envelope.reply_to is not None:
        envelope.reply_to.fail(error)
    cell.recorder.record(envelope.id, envelope.cause, type(envelope.message), began, began - envelope.at, -1)
    if cell.system.taps.active:
        cell.system.taps.publish(cell, envelope, began, cell.system.clock.now(), "failed")
    note_failure(cell, error, type(envelope.message).__name__)
    cell.current = None
    cell.cause_id = NO_CAUSE


def leave_thread(cell: Cell) -> None:
    """Let go of a handler that runs on its own thread: what it still does reaches neither outbox nor state."""
    cell.held &= ~BUSY
    cell.current = None
    cell.outbox = Outbox(cell)
    cell.system.threads.retire_handler(cell)


def note_failure(cell: Cell, error: BaseException, during: str) -> None:
    cell.last_error = error
    log.error(
        "actor_failed",
        room=cell.tree.name,
        actor=cell.path,
        message_id=cell.cause_id,
        during=during,
        error=repr(error),
        exc_info=error,
    )


def wanted(cell: Cell, envelope: Envelope, origin: Origin, now: int) -> bool:
    """Whether a message with an origin must still be handled: not an expired ask, a stale timer, a dead effect."""
    if origin.timer_key is not None:
        timer = cell.timers.get(origin.timer_key)
        if timer is None or timer.generation != origin.timer_generation:
            discard(cell, envelope, now)
            return False
        del cell.timers[origin.timer_key]
    elif origin.deadline is not None and origin.deadline < now:
        cell.mailbox.accounts.expired += 1
        if envelope.reply_to is not None:
            late = (now - envelope.at) / NS
            envelope.reply_to.fail(AskTimeout(f"{cell.path} came to the ask after {late:.2f} s, too late to handle it"))
        return False
    elif origin.effect is not None and origin.effect.cancelled and envelope.policy.fenced:
        discard(cell, envelope, now)
        return False
    return True


def discard(cell: Cell, envelope: Envelope, now: int) -> None:
    cell.mailbox.accounts.fenced += 1
    cell.release_origin(envelope)
    if envelope.reply_to is not None:
        envelope.reply_to.fail(MailboxFull(f"{cell.path} did not take the ask: its scope is closed"))
    if cell.system.taps.active:
        cell.system.taps.publish(cell, envelope, now, now, "fenced")


def stash_current(cell: Cell, envelope: Envelope) -> BaseException | None:
    if cell.mailbox.stashed_count() >= cell.mailbox.bounds.data:
        cell.mailbox.accounts.dead_lettered += 1
        cell.release_origin(envelope)
        full = MailboxFull(f"{cell.path} stashed more than {cell.mailbox.bounds.data} messages")
        if envelope.reply_to is not None:
            envelope.reply_to.fail(full)
        return full
    origin = envelope.origin
    if origin is not None and origin.timer_key is not None:  # still due: it can be cancelled while it is stashed
        cell.timers[origin.timer_key] = outside.Timer(origin.timer_generation, envelope.at, envelope.message)
    cell.mailbox.stash(envelope)
    return None
