"""The life of a cell: start, system messages, restart, end, and who is told of it.

An actor ends at once for its senders; the end is over when its effects and children have ended too, or were abandoned.
Called by ``failure``, ``commit`` and the actor system, on the actor loop.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import pykka
import structlog

from . import commit, failure, handling, outside
from .clock import NS
from .containment import escapes
from .errors import HandlerError, SystemClosed
from .held import BUSY, LEAVING, RESTARTING, STARTING, STOPPING, SUSPENDED
from .messages import Kill, Resume, Step, Stop, Suspend, Terminated
from .policy import CONTROL, DATA
from .witness import Happening, Hook

if TYPE_CHECKING:
    from .cell import Cell

log = structlog.get_logger("sessionactors.runtime")

END_PATIENCE = 5 * NS
"""Nanoseconds that effects, children and handler of an ending actor may take before they are abandoned: its name must
become free, and who watches it must hear, also if an effect swallows its cancellation."""
CHILDREN_PATIENCE = NS
"""Nanoseconds that a restart waits for the children of the last incarnation, before it abandons them."""


def start(cell: Cell) -> None:
    """Begin to live: run ``started`` and then handle messages. A failure goes to the supervisor."""
    cell.tree.cells[cell.path] = cell

    def begin() -> object:
        initial = cell.actor.initial()
        return _returned(cell, "started", initial, cell.actor.started(initial, cell.outbox))

    error = handling.transact(cell, Hook.STARTED, begin)
    cell.held &= ~STARTING
    if error is not None:
        failure.on_failure(cell, error)
    else:
        cell.wake()


def never_start(cell: Cell) -> None:
    """A child whose parent has ended in the same handler: it takes no messages, and nothing of it is to be ended."""
    cell.held |= STOPPING
    cell.end_reason = "parent ended"
    cell.stopped = True
    cell.actor_stopped.set()


def _returned(cell: Cell, hook: str, given: object, state: object) -> object:
    if state is None and given is not None:
        raise HandlerError(f"{cell.path}: {hook}() returned None; return the state")
    return state


def serve_system(cell: Cell) -> bool:
    """Serve one system message; False if there is none."""
    waiting = cell.mailbox.system
    if not waiting:
        return False
    message = waiting.popleft()
    if cell.tree.witness is not None:
        cell.tree.witness.obeyed(cell, message)
    match message:
        case Stop():
            if message.reply_to is not None:
                cell.stop_requests.append(message)
            begin_stop(cell, message.reason, None)
        case Kill(error):
            handling.note_failure(cell, error, "kill")
            failure.on_failure(cell, error)
        case Suspend():
            cell.held |= SUSPENDED
        case Resume():
            cell.held &= ~SUSPENDED
            cell.wake()
        case Step():
            stepped = step(cell)
            if message.reply_to is not None:
                message.reply_to.succeed(stepped)
            return True
    if message.reply_to is not None and not isinstance(message, Stop):
        message.reply_to.succeed(True)
    return True


def step(cell: Cell) -> bool:
    """Handle one message of a suspended actor; False if none waits."""
    if cell.held != SUSPENDED:
        return False
    cell.held = 0
    mailbox, one = cell.mailbox, [cell]
    lane = CONTROL if mailbox.control else DATA
    taken = bool(mailbox.control or mailbox.data)
    handling.serve(one, one.pop, lane, 1)
    cell.held |= SUSPENDED
    return taken


def restart(cell: Cell, error: BaseException, delay: int) -> None:
    """Replace actor (and state) after ``delay`` ns; the mailbox waits meanwhile."""
    if cell.stopping:
        return
    if cell.held & BUSY and cell.current is not None:  # the stuck handler may return when it likes: it changes nothing
        handling.fail_current(cell, cell.current, error, cell.current_since)
        handling.leave_thread(cell)
    cell.held |= RESTARTING
    cell.restarts += 1
    cell.tree.restarts[cell.path] += 1
    silence(cell)
    cell.restart_error = error
    if cell.restart_alarm is not None:
        cell.restart_alarm.cancel()
    log.warning(
        "actor_restarting",
        room=cell.tree.name,
        actor=cell.path,
        message_id=0,
        restarts=cell.restarts,
        delay=delay / NS,
        error=repr(error),
    )
    cell.restart_alarm = cell.system.ticker.at(cell.system.clock.now() + delay, lambda: _restart_due(cell))


def _restart_due(cell: Cell) -> None:
    if cell.tree.witness is not None:
        cell.tree.witness.happened(cell, Happening.RESTART_DUE, None, cell.system.clock.now())
    reincarnate(cell)


def reincarnate(cell: Cell) -> None:
    """The new incarnation: a new actor object, and a new state unless it is kept."""
    if cell.stopping or not cell.held & RESTARTING:
        return
    if cell.children:  # their names must be free before the new incarnation starts its own
        restarts = cell.restarts

        def child_ended() -> None:
            if not cell.children and cell.restarts == restarts:  # not failed anew, with a delay of its own
                reincarnate(cell)

        for child in list(cell.children.values()):
            when_stopped(child, child_ended)
        cell.restart_alarm = cell.system.ticker.at(
            cell.system.clock.now() + CHILDREN_PATIENCE, lambda: _abandon_children(cell)
        )
        return
    if cell.restart_alarm is not None:
        cell.restart_alarm.cancel()
    error = cell.restart_error or RuntimeError("restarted")
    cell.restart_error = None
    kept = cell.state

    def begin() -> object:
        cell.make_actor()
        state = kept if cell.spec.keep_state and kept is not None else cell.actor.initial()
        return _returned(cell, "restarted", state, cell.actor.restarted(state, error, cell.outbox))

    if not cell.spec.keep_state:  # the right to answer was in the state that is gone
        _fail_kept_replies(cell, f"{cell.path} was restarted before it replied: {error!r}")
    cell.mailbox.unstash()
    cell.held &= ~RESTARTING  # before the hook: what it asks for belongs to the new incarnation
    failed = handling.transact(cell, Hook.RESTARTED, begin)
    if failed is not None:
        failure.on_failure(cell, failed)
    else:
        cell.wake()


def _abandon_children(cell: Cell) -> None:
    if cell.tree.witness is not None:
        cell.tree.witness.happened(cell, Happening.CHILDREN_ABANDONED, None, cell.system.clock.now())
    abandon_children(cell)


def abandon_children(cell: Cell) -> None:
    """Stop waiting for the children."""
    for child in list(cell.children.values()):
        abandon(child)


def _fail_kept_replies(cell: Cell, why: str) -> None:
    for kept in cell.kept_replies:
        kept.fail(pykka.ActorDeadError(why))
    cell.kept_replies.clear()


def silence(cell: Cell) -> None:
    """Cancel timers and effects and stop children: nothing of this incarnation goes on."""
    for key in list(cell.timers):
        outside.disarm_timer(cell, key)
    for key in list(cell.effects):
        outside.cancel_effect(cell, key, report=False)
    for child in reversed(list(cell.children.values())):
        begin_stop(child, "parent ended", None)


def begin_stop(cell: Cell, reason: str, error: BaseException | None) -> None:
    """End now. It is over when the effects and children have ended too, or were abandoned."""
    if cell.stopping:
        return
    failed_start = bool(cell.held & STARTING)
    cell.held |= STOPPING | LEAVING
    cell.end_reason, cell.end_error = reason, error
    if cell.restart_alarm is not None:
        cell.restart_alarm.cancel()
    silence(cell)
    if not failed_start and not cell.held & BUSY:
        last_words(cell)
    for envelope in cell.mailbox.drain():
        cell.dead_letter(envelope, "waiting when the actor ended", counted=True)
    _fail_kept_replies(cell, f"{cell.path} ended before it replied: {reason}")
    cell.held &= ~LEAVING
    maybe_finish(cell)
    if not cell.stopped and not cell.tree.closing:  # a closing tree has a deadline for all together
        alarm = cell.system.ticker.at(cell.system.clock.now() + END_PATIENCE, lambda: patience_over(cell))
        when_stopped(cell, alarm.cancel)


def last_words(cell: Cell) -> None:
    """The ``stopped`` hook of an actor that ends on purpose; after its handler, if that runs on a thread of its own."""

    def farewell() -> object:
        cell.actor.stopped(cell.state, cell.outbox)
        return cell.state

    if cell.end_error is None:
        handling.transact(cell, Hook.STOPPED, farewell)


def maybe_finish(cell: Cell) -> None:
    """Finish, if nothing of it is left."""
    if cell.stopped or cell.held & (BUSY | LEAVING):
        return
    if not cell.children and not cell.effects and not cell.ending_effects:
        finish(cell)


def patience_over(cell: Cell) -> None:
    """It had time enough to end."""
    if cell.tree.witness is not None:
        cell.tree.witness.happened(cell, Happening.ABANDONED, None, cell.system.clock.now())
    abandon(cell)


def abandon(cell: Cell) -> None:
    """Stop waiting for what does not end: the report names it."""
    if cell.stopped:
        return
    stuck = [*cell.effects.values(), *cell.ending_effects]
    now = cell.system.clock.now()
    if cell.held & BUSY and cell.current is not None:
        seconds = (now - cell.current_since) / NS
        cell.abandoned = f"at message {type(cell.current.message).__name__} #{cell.current.id}, for {seconds:.2f} s"
        cell.mailbox.accounts.waiting_at_close += 1
        if cell.current.reply_to is not None:
            cell.current.reply_to.fail(pykka.ActorDeadError(f"{cell.path} was abandoned {cell.abandoned}"))
        handling.leave_thread(cell)
    elif stuck:
        named = ", ".join(f"{effect.key} for {(now - effect.started_at) / NS:.2f} s" for effect in stuck)
        cell.abandoned = f"in effect {named}"
    elif cell.mailbox.system:
        cell.abandoned = "before it could stop"
    for effect in stuck:
        effect.abandoned = True
        cell.system.abandoned_effects.append(effect.name)
    abandon_children(cell)
    begin_stop(cell, "abandoned", None)
    finish(cell)


def finish(cell: Cell) -> None:
    """It has ended: tell all who wait for that."""
    if cell.stopped:
        return
    cell.stopped = True
    cell.actor_stopped.set()
    cell.system.taps.unsubscribe(cell)
    cell.tree.cell_ended(cell)
    if cell.tree.witness is not None:
        cell.tree.witness.finished(cell)
    for watcher, incarnation, tell_me in cell.watchers:
        _tell_watcher(cell, watcher, incarnation, tell_me)
    cell.watchers.clear()
    _answer_requests(cell)
    cell.current = None
    parent = cell.parent
    if parent is not None:
        if parent.children.get(cell.name) is cell:
            del parent.children[cell.name]
        if cell.end_reason not in ("parent ended", "abandoned"):
            failure.on_ended(cell)
        if parent.stopping:
            maybe_finish(parent)
    callbacks, cell.on_stopped = cell.on_stopped, []
    for callback in callbacks:
        callback()


def _answer_requests(cell: Cell) -> None:
    """All who asked for its end, or for a suspension or step that cannot come any more."""
    for message in cell.stop_requests:
        if message.reply_to is not None:
            message.reply_to.succeed(True)
    if cell.mailbox.system:
        for unserved in cell.mailbox.system:
            if unserved.reply_to is not None:
                unserved.reply_to.succeed(isinstance(unserved, Stop))
        cell.mailbox.system = None


def add_watcher(cell: Cell, watcher: Cell, incarnation: int, tell_me: Callable[[Terminated], object]) -> None:
    """Tell ``watcher`` when this actor has ended, at once if it has; a newer watch by the same replaces this."""
    if cell.stopped:
        _tell_watcher(cell, watcher, incarnation, tell_me)
        return
    cell.watchers = [watch for watch in cell.watchers if watch[0] is not watcher and not watch[0].stopped]
    cell.watchers.append((watcher, incarnation, tell_me))


def _tell_watcher(ended: Cell, watcher: Cell, incarnation: int, tell_me: Callable[[Terminated], object]) -> None:
    """What makes the message is the watcher's code, and so is its failure."""
    terminated = Terminated(ended.path, ended.end_reason or "stopped", ended.end_error)

    def tell() -> None:
        if watcher.stopping or watcher.restarts != incarnation:  # the incarnation that wanted to know is gone
            return
        try:
            message = tell_me(terminated)
        except BaseException as error:
            handling.note_failure(watcher, error, f"watch of {terminated.path}")
            failure.on_failure(watcher, error)
            if escapes(error):
                raise
            return
        foreign = ended.tree is not watcher.tree
        commit.told_of_end(watcher, message, terminated.path, watcher.system.clock.now(), from_outside=foreign)

    with suppress(SystemClosed):  # a watcher of another system that has closed
        watcher.system.call(tell)


def watches(cell: Cell, other: Cell) -> bool:
    """Whether this actor wants to be told of the other's end."""
    return any(watcher is cell and incarnation == cell.restarts for watcher, incarnation, _ in other.watchers)


def when_stopped(cell: Cell, callback: Callable[[], None]) -> None:
    """Call back when this actor has ended (at once if it has)."""
    if cell.stopped:
        callback()
    else:
        cell.on_stopped.append(callback)
