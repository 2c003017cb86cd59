"""Handling messages: fences, the handler, and the commit of state and outbox together.

Called by the dispatcher for one cell at a time, on the actor loop. What fails here goes to ``failure``; what the
outbox asks for is carried out by ``commit``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sized
from typing import TYPE_CHECKING

import structlog

from . import commit, failure, lifecycle, outside
from .clock import NS
from .containment import escapes
from .envelope import Envelope
from .errors import AskTimeout, HandlerError, MailboxFull
from .flight_recorder import LAST_ROW, ROW, type_codes, write_row
from .held import BUSY
from .operation import CLOSED, Operation
from .outbox import Outbox
from .policy import DATA, Lane

if TYPE_CHECKING:
    from .cell import Cell

log = structlog.get_logger("sessionactors.runtime")


def serve(  # noqa: PLR0915 - see below
    cell: Cell, lane: Lane, most: int, control: Sized = (), posted: Sized = ()
) -> int:
    """Handle up to ``most`` messages of a lane, oldest first; returns how many were taken.

    Ends early when messages are held, and as soon as there is something in ``control`` or ``posted``: what must not
    wait for data (the dispatcher's control queue, and calls from other threads).

    The hot path of the kernel, and so one long function: what a message costs is mostly Python calls. The clock is read
    between handler and commit (the end of the handler, and the sending time of all it sent) and, if there was anything
    to commit, after it; the last reading is also the beginning of the next message.
    """
    mailbox = cell.mailbox
    waiting = mailbox.data if lane is DATA else mailbox.control
    if not waiting or cell.held:
        return 0
    actor = cell.actor
    if actor.own_thread:
        return _serve_on_thread(cell, lane)
    system, out, accounts, recorder = cell.system, cell.outbox, mailbox.accounts, cell.recorder
    now, taps, receive, rows = system.clock.now, system.taps, actor.receive, recorder.rows or recorder.open()
    served = 0
    ops: list[Operation] = []
    out.ops = ops
    began = now()
    system.handling = cell
    try:
        while served < most and waiting and not control and not posted and not cell.held:
            envelope = waiting.popleft()
            served += 1
            origin, reply_to, message = envelope.origin, envelope.reply_to, envelope.message
            if (origin is not None or reply_to is not None or envelope.policy.checked) and not wanted(
                cell, envelope, began
            ):
                continue
            cell.current_since = out.now = began
            cell.current = envelope
            out.turn = envelope.turn
            try:
                state = receive(cell.state, message, out)
                if state is None and cell.state is not None:
                    raise _no_state(cell, message)
            except BaseException as error:
                handler_failed(cell, envelope, error, began)
                break
            ended = now()
            cell.state = state
            if reply_to is not None or origin is not None or out.stashing:
                failed = complete(cell, envelope, ended)
                out.ops = ops = []
                ended = now()
            else:
                accounts.handled += 1
                failed = None
                if ops:
                    out.ops = CLOSED
                    failed = commit.carry_out(cell, ops, ended)
                    out.ops = ops
                    ops.clear()
                    ended = now()
            took, waited = ended - began, began - envelope.at
            cell.handler_ns += took
            cell.waited_ns += waited
            row = recorder.next
            write_row(rows, row, envelope.id, envelope.cause, type_codes[type(message)], began, waited, took)
            recorder.next = row + ROW if row < LAST_ROW else 0
            if taps.active:
                taps.publish(cell, envelope, began, ended, "handled")
            began = ended
            if failed is not None:
                cell.current = None
                system.handling = None
                failure.on_failure(cell, failed)
                break
    finally:
        out.ops = CLOSED
        cell.current = None
        system.handling = None
    return served


def complete(cell: Cell, envelope: Envelope, now: int) -> BaseException | None:
    """After a handler has returned: account, commit, answer. What :func:`serve` does in place for a plain message."""
    out, system = cell.outbox, cell.system
    error, stashed = None, out.stashing
    ops, out.ops = out.ops, CLOSED
    if stashed:
        out.stashing = False
        error = stash_current(cell, envelope)
    else:
        cell.mailbox.accounts.handled += 1
        cell.release_origin(envelope)
    if ops:
        error = commit.carry_out(cell, ops, now) or error
    if envelope.reply_to is not None:
        value, later = out.take_reply()
        if not later and not stashed:
            handling, system.handling = system.handling, None
            envelope.reply_to.succeed(value)  # who waits may be called back at once: that is outside of the handler
            system.handling = handling
    return error


def _serve_on_thread(cell: Cell, lane: Lane) -> int:
    """Give the oldest message to the actor's thread. All others are held until its handler is back."""
    envelope = cell.mailbox.pop(lane)
    began = cell.system.clock.now()
    if envelope is None or not wanted(cell, envelope, began):
        return 1
    out = cell.outbox
    out.ops = []
    cell.current_since = out.now = began
    cell.current = envelope
    out.turn = envelope.turn
    cell.held |= BUSY
    cell.system.threads.submit_handler(cell, envelope)
    return 1


def handled_on_thread(cell: Cell, envelope: Envelope, state: object, error: BaseException | None) -> None:
    """Back on the loop after a handler ran on its own thread."""
    if cell.current is not envelope:  # the actor was restarted or abandoned meanwhile: its outcome is known already
        return
    cell.held &= ~BUSY
    if error is None and state is None and cell.state is not None:
        error = _no_state(cell, envelope.message)
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
    """Commit a handler that ran on its own thread."""
    system = cell.system
    cell.state = state
    error = complete(cell, envelope, system.clock.now())
    ended = system.clock.now()
    cell.handler_ns += ended - began
    cell.waited_ns += began - envelope.at
    cell.recorder.record(envelope.id, envelope.cause, type(envelope.message), began, began - envelope.at, ended - began)
    if system.taps.active:
        system.taps.publish(cell, envelope, began, ended, "handled")
    cell.current = None
    if error is not None:
        failure.on_failure(cell, error)


def _no_state(cell: Cell, message: object) -> HandlerError:
    return HandlerError(f"{cell.path}: receive() returned None for {message!r}; return the state")


def transact(cell: Cell, hook: Callable[[], object]) -> BaseException | None:
    """Run a lifecycle hook like a handler: all or nothing."""
    out, system = cell.outbox, cell.system
    ops: list[Operation] = []
    out.ops = ops
    out.now = system.clock.now()
    handling, system.handling = system.handling, cell
    try:
        state = hook()
        if inspect.iscoroutine(state):
            state.close()
            raise HandlerError(f"{cell.path}: {state.__qualname__}() must not be async")
    except BaseException as error:
        note_failure(cell, error, "lifecycle")
        if escapes(error):
            raise
        return error
    finally:
        out.ops = CLOSED
        system.handling = handling
    cell.state = state
    return commit.carry_out(cell, ops, out.now)


def handler_failed(cell: Cell, envelope: Envelope, error: BaseException, began: int) -> None:
    """A handler has raised: its message fails, and its actor is left to the supervisor."""
    fail_current(cell, envelope, error, began)
    failure.on_failure(cell, error)
    if escapes(error) and not cell.actor.own_thread:
        raise error


def fail_current(cell: Cell, envelope: Envelope, error: BaseException, began: int) -> None:
    """The message in hand has failed: it has changed nothing and sent nothing."""
    cell.system.handling = None
    out = cell.outbox
    out.ops = CLOSED
    out.stashing = False
    _, later = out.take_reply()
    if later:
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


def leave_thread(cell: Cell) -> None:
    """Let go of a handler that runs on its own thread: what it still does reaches neither outbox nor state."""
    cell.held &= ~BUSY
    cell.current = None
    cell.outbox = Outbox(cell)
    cell.system.threads.retire_handler(cell)


def note_failure(cell: Cell, error: BaseException, during: str) -> None:
    """Remember and log what was raised."""
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


def wanted(cell: Cell, envelope: Envelope, now: int) -> bool:
    """Whether a message must still be handled: not fenced, nor of a stale timer or dead effect, nor an expired ask."""
    mailbox, policy, origin, reply_to = cell.mailbox, envelope.policy, envelope.origin, envelope.reply_to
    if policy.limit and mailbox.typed_counts is not None:
        mailbox.typed_counts[type(envelope.message)] -= 1
    if policy.fenced and getattr(envelope.message.scope, "closed", False):  # type: ignore[attr-defined]
        discard(cell, envelope, now)
        return False
    if reply_to is not None and reply_to.deadline is not None and reply_to.deadline <= now:
        mailbox.accounts.expired += 1
        late = (now - envelope.at) / NS
        reply_to.fail(AskTimeout(f"{cell.path} came to the ask after {late:.2f} s, too late to handle it"))
        return False
    if origin is None:
        return True
    if origin.timer_key is not None:
        timer = cell.timers.get(origin.timer_key)
        if timer is None or timer.generation != origin.timer_generation:
            discard(cell, envelope, now)
            return False
        del cell.timers[origin.timer_key]
    elif origin.effect is not None and origin.effect.cancelled and policy.fenced:
        discard(cell, envelope, now)
        return False
    return True


def discard(cell: Cell, envelope: Envelope, now: int) -> None:
    """Do not handle a message that its scope, timer or effect has fenced."""
    cell.mailbox.accounts.fenced += 1
    cell.release_origin(envelope)
    if envelope.reply_to is not None:
        envelope.reply_to.fail(MailboxFull(f"{cell.path} did not take the ask: its scope is closed"))
    if cell.system.taps.active:
        cell.system.taps.publish(cell, envelope, now, now, "fenced")


def stash_current(cell: Cell, envelope: Envelope) -> BaseException | None:
    """Keep the message in hand for later; too many of them are a failure."""
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
