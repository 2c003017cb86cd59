"""Handling messages: fences, the handler, and the commit of state and outbox together.

Called by the dispatcher for one cell at a time, on the actor loop. What fails here goes to ``failure``; what the
outbox asks for is carried out by ``commit``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence, Sized
from typing import TYPE_CHECKING

import structlog

from . import commit, failure, lifecycle, observed, outside
from .clock import NS
from .containment import escapes
from .envelope import Envelope, Facts, Origin
from .errors import AskTimeout, HandlerError, MailboxFull
from .flight_recorder import NEXT_ROW, RAISED, write_row
from .held import BUSY
from .operation import CLOSED, Operation
from .outbox import Outbox
from .policy import DATA, Lane
from .witness import Fate, Hook

if TYPE_CHECKING:
    from .cell import Cell
    from .future import KernelFuture

log = structlog.get_logger("sessionactors.runtime")


def serve(  # noqa: C901, PLR0912, PLR0915 - see below
    ready: Sequence[Cell],
    take: Callable[[], Cell],
    lane: Lane,
    left: int,
    patience: int = 0,
    again: Callable[[Cell], object] | None = None,
    control: Sized = (),
    posted: Sized = (),
    until: KernelFuture | None = None,
) -> int:
    """Serve the cells that are ``ready`` in a lane, in the order of ``take``; returns what is then left of ``left``.

    Each handles what waits when its turn comes, oldest first, for ``patience`` ns at most: an actor that tells itself
    to go on telling leaves no more behind than its receivers take. With ``again``, which takes those that have more,
    they count as ready while they are served. Ends after ``left`` messages, when ``until`` is resolved, after a
    failure, and as soon as there is something in ``control`` or ``posted``: what must not wait for data (the
    dispatcher's control queue, and calls from other threads).

    The hot path of the kernel, and so one long function: a message costs the bytecodes on its way (decision 0005). The
    clock is read between handler and commit (the end of the handler, and the sending time of all it sent) and, if there
    was anything to commit, after it; the last reading is also the beginning of the next message, of whatever cell.
    """
    system = ready[0].system
    now, taps, data = system.clock.now, system.taps, lane is DATA
    ops: list[Operation] = []
    failed: BaseException | None = None
    code: int
    cause: int
    at: int
    checked: bool
    reply_to: KernelFuture | None
    origin: Origin | None
    enough: int
    began = now()
    try:
        while ready and left and not control and not posted and (until is None or not until._done):
            cell = take()
            mailbox = cell.mailbox
            waiting = mailbox.data if data else mailbox.control
            receive = cell.receive
            if receive is None or not waiting or cell.held:
                try:
                    if not waiting or cell.held:
                        left -= 1
                    elif cell.actor.own_thread:
                        left -= 1
                        _serve_on_thread(cell, lane)
                    else:
                        left = observed.serve(cell, waiting, left, began + patience, control, posted)
                finally:
                    if again is not None:
                        if mailbox.data and not cell.held:
                            again(cell)
                        else:
                            cell.ready_data = False
                began = now()
                continue
            out = cell.outbox
            accounts = mailbox.accounts
            recorder = cell.recorder
            rows = recorder.rows or recorder.open()
            first = began
            more = len(waiting)  # that it may still handle now
            if more > 1:
                enough = began + patience
                if more > left:
                    more = left
            left -= more
            state, row = cell.state, recorder.next
            facts: Facts | None = None  # of the message before
            out.ops = ops
            system.handling = cell
            try:
                while True:
                    envelope = waiting.popleft()
                    more -= 1
                    sent = envelope.facts
                    if sent is not facts:  # it is the same for all that were told in a row
                        facts = sent
                        _, cause, turn, at, policy, checked, reply_to, origin = facts
                        code = policy.code
                        out.turn = turn
                    if checked and not wanted(cell, envelope, began):
                        if not more or control or posted or not waiting or cell.held:
                            break
                        continue
                    cell.current = envelope
                    out.now = began
                    try:
                        state = receive(state, envelope.message, out)
                        if state is None and cell.state is not None:
                            raise no_state(cell, envelope.message)
                    except BaseException as error:
                        handler_failed(cell, envelope, error, began)
                        return left + more
                    cell.state = state
                    ended = now()
                    if not ops and not checked:
                        accounts.handled += 1
                    else:
                        if out.stashing or reply_to is not None or origin is not None:
                            failed = complete(cell, envelope, ops, ended)
                            out.ops = ops
                        else:
                            accounts.handled += 1
                            failed = commit.carry_out(cell, ops, ended, envelope.id)
                        ops.clear()
                        ended = now()
                        if more and (failed is not None or control or not waiting or cell.held):
                            left, more = left + more, 0  # a commit may hold, and drain
                    wait = began - at
                    write_row(rows, row, envelope.id, cause, code, began, wait, ended)
                    recorder.next = row = NEXT_ROW[row]
                    if taps.watched and type(envelope.message) in taps.watched:
                        taps.publish(cell, envelope, began, ended, "handled")
                    cell.waited_ns += wait
                    began = ended
                    if not more or posted or began >= enough:
                        break
                if failed is not None:
                    cell.current = system.handling = None
                    failure.on_failure(cell, failed)
                    return left + more
            finally:
                out.ops = CLOSED
                cell.current = None
                cell.handler_ns += began - first
                if again is not None:
                    if mailbox.data and not cell.held:
                        again(cell)
                    else:
                        cell.ready_data = False
            left += more
    finally:
        system.handling = None
    return left


def note_handled(cell: Cell, envelope: Envelope, began: int) -> None:
    """What insight keeps of a handled message."""
    ended = cell.system.clock.now()
    cell.handler_ns += ended - began
    cell.waited_ns += began - envelope.at
    cell.recorder.record(envelope, began, ended)
    taps = cell.system.taps
    if taps.watched and type(envelope.message) in taps.watched:
        taps.publish(cell, envelope, began, ended, "handled")
    cell.current = None


def complete(cell: Cell, envelope: Envelope, ops: list[Operation], now: int) -> BaseException | None:
    """After a handler has returned: account, commit, answer. What :func:`serve` does in place for a plain message."""
    out, system = cell.outbox, cell.system
    error, stashed = None, out.stashing
    out.ops = CLOSED
    if stashed:
        out.stashing = False
        error = stash_current(cell, envelope)
    else:
        cell.mailbox.accounts.handled += 1
        cell.release_origin(envelope)
    if ops:
        error = commit.carry_out(cell, ops, now, envelope.id) or error
    if envelope.reply_to is not None:
        value, later = out.take_reply()
        if not later and not stashed:
            handling, system.handling = system.handling, None
            envelope.reply_to.succeed(value)  # who waits may be called back at once: that is outside of the handler
            system.handling = handling
    return error


def _serve_on_thread(cell: Cell, lane: Lane) -> None:
    """Give the oldest message to the actor's thread. All others are held until its handler is back."""
    envelope = cell.mailbox.pop(lane)
    began = cell.system.clock.now()
    if envelope is None or not wanted(cell, envelope, began):
        return
    out = cell.outbox
    out.ops = []
    out.now = began
    cell.current = envelope
    out.turn = envelope.turn
    cell.held |= BUSY
    if cell.tree.witness is not None:
        cell.tree.witness.taken(cell, envelope, began)
    cell.system.threads.submit_handler(cell, envelope)


def handled_on_thread(cell: Cell, envelope: Envelope, state: object, error: BaseException | None) -> None:
    """Back on the loop after a handler ran on its own thread."""
    if cell.current is not envelope:  # the actor was restarted or abandoned meanwhile: its outcome is known already
        return
    cell.held &= ~BUSY
    if error is None and state is None and cell.state is not None:
        error = no_state(cell, envelope.message)
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
    """Commit a handler that ran on its own thread, or before witnesses."""
    ops, ended, witness = cell.outbox.ops, cell.system.clock.now(), cell.tree.witness
    if witness is not None:
        witness.handled(cell, envelope, began, ended, state, ops)
    cell.state = state
    error = complete(cell, envelope, ops, ended)
    cell.system.handling = None
    if witness is not None:
        witness.committed(cell, envelope, error)
    note_handled(cell, envelope, began)
    if error is not None:
        failure.on_failure(cell, error)


def no_state(cell: Cell, message: object) -> HandlerError:
    """What is wrong with a handler that forgot to return."""
    return HandlerError(f"{cell.path}: receive() returned None for {message!r}; return the state")


def transact(cell: Cell, kind: Hook, hook: Callable[[], object]) -> BaseException | None:
    """Run a lifecycle hook like a handler: all or nothing."""
    witness = cell.tree.witness
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
        if witness is not None:
            witness.hook_failed(cell, kind, out.now, error)
        if escapes(error):
            raise
        return error
    finally:
        out.ops = CLOSED
        system.handling = handling
    if witness is not None:
        witness.hooked(cell, kind, out.now, state, ops)
    cell.state = state
    return commit.carry_out(cell, ops, out.now, cell.cause_id)


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
    cell.recorder.record(envelope, began, RAISED)
    if cell.system.taps.active:
        cell.system.taps.publish(cell, envelope, began, cell.system.clock.now(), "failed")
    if cell.tree.witness is not None:
        cell.tree.witness.failed(cell, envelope, error, began)
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
        if cell.tree.witness is not None:
            cell.tree.witness.discarded(cell, envelope, Fate.EXPIRED, now)
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
    if cell.tree.witness is not None:
        cell.tree.witness.discarded(cell, envelope, Fate.FENCED, now)
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
