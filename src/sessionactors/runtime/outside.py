"""What reaches an actor from outside its own handlers: timers, effects, and the people who ask.

All of it arrives as messages in the mailbox; nothing here runs a handler. Called by ``commit`` (the outbox) and by the
effects themselves, on the actor loop, except what says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import failure, handling, lifecycle
from .clock import NS
from .containment import escapes
from .envelope import Envelope, Origin
from .errors import EffectDeadlineExceeded, HandlerError
from .held import Status
from .policy import policy_of
from .reply import ReplyTo
from .witness import Happening

if TYPE_CHECKING:
    from .cell import Cell
    from .effect import Effect
    from .ticker import Alarm


class Timer:
    """One armed timer of an actor."""

    __slots__ = ("alarm", "due", "generation", "message")

    def __init__(self, generation: int, due: int, message: object) -> None:
        self.generation = generation
        self.due = due
        self.message = message
        self.alarm: Alarm | None = None


def arm_timer(cell: Cell, key: str, due: int, message: object) -> None:
    """Arm or re-arm; an older timer of the key is void, also when its message waits already."""
    disarm_timer(cell, key)
    cell.timer_generation += 1
    timer = Timer(cell.timer_generation, due, message)
    origin = Origin(timer_key=key, timer_generation=timer.generation)
    cause, turn = cell.cause_id, cell.outbox.turn

    def fire() -> None:
        cell.enter(
            Envelope.of(
                message,
                None,
                cell.path,
                cell.tree.next_message_id(),
                cause,
                turn,
                cell.system.clock.now(),
                policy_of(type(message)),
                origin,
            )
        )

    timer.alarm = cell.system.ticker.at(due, fire)
    cell.timers[key] = timer


def disarm_timer(cell: Cell, key: str) -> None:
    """Forget a timer."""
    timer = cell.timers.pop(key, None)
    if timer is not None and timer.alarm is not None:
        timer.alarm.cancel()


def cancel_effect(cell: Cell, key: str, *, report: bool) -> None:
    """Stop an effect; it is remembered until its coroutine has really ended."""
    effect = cell.effects.pop(key, None)
    if effect is not None:
        cell.ending_effects.append(effect)
        effect.cancel(report=report)


def effect_says(cell: Cell, effect: Effect, message: object) -> None:
    """A message that an effect sent."""
    from_effect(cell, effect, message, windowed=True)


def effect_ended(cell: Cell, effect: Effect, value: object, error: BaseException | None) -> None:
    """An effect's coroutine has ended: report it, unless it was cancelled without a report."""
    if effect.over:
        return
    effect.over = True
    if cell.tree.witness is not None:
        cell.tree.witness.happened(cell, Happening.EFFECT_ENDED, effect, cell.system.clock.now())
    if effect.alarm is not None:
        effect.alarm.cancel()
    effect_over(cell, effect)
    if not (effect.cancelled and not effect.report) and not cell.stopping:
        report_effect(cell, effect, value, error)
    if cell.stopping:
        lifecycle.maybe_finish(cell)


def effect_over(cell: Cell, effect: Effect) -> None:
    """Nothing of an effect is left."""
    effect.over = True
    if effect.abandoned:
        cell.system.abandoned_effects.remove(effect.name)
    if cell.effects.get(effect.key) is effect:
        del cell.effects[effect.key]
    elif effect in cell.ending_effects:
        cell.ending_effects.remove(effect)


def effect_expired(cell: Cell, effect: Effect) -> None:
    """An effect's deadline has passed: its owner hears of it now, however long the coroutine takes to end."""
    if cell.effects.get(effect.key) is not effect:
        return
    if cell.tree.witness is not None:
        cell.tree.witness.happened(cell, Happening.EFFECT_EXPIRED, effect, cell.system.clock.now())
    cancel_effect(cell, effect.key, report=False)
    seconds = ((effect.deadline or 0) - effect.started_at) / NS
    report_effect(cell, effect, None, EffectDeadlineExceeded(f"{effect.name} did not end within {seconds:.3f} s"))


def report_effect(cell: Cell, effect: Effect, value: object, error: BaseException | None) -> None:
    """Tell the owner how an effect ended. What makes the message is the owner's code, and so is its failure."""
    message: object = None
    try:
        if error is not None:
            message = effect.failed(error)
        elif effect.done is not None:
            message = effect.done(value)
    except BaseException as raised:
        handling.note_failure(cell, raised, f"report of effect {effect.key}")
        if cell.tree.witness is not None:
            cell.tree.witness.happened(cell, Happening.REPORT_FAILED, effect, cell.system.clock.now())
        failure.on_failure(cell, raised)
        if escapes(raised):
            raise
    if message is not None:
        from_effect(cell, effect, message, windowed=False)


def from_effect(cell: Cell, effect: Effect, message: object, *, windowed: bool) -> None:
    """Deliver a message of an effect to its owner; ``windowed``: it takes a place in the effect's window."""
    cell.enter(
        Envelope.of(
            message,
            None,
            f"{cell.path}#{effect.key}",
            cell.tree.next_message_id(),
            effect.cause,
            effect.turn,
            cell.system.clock.now(),
            policy_of(type(message)),
            Origin(effect=effect) if windowed else Origin(reserved=True),
        )
    )


def keep_reply(cell: Cell) -> ReplyTo:
    """The right to answer the current ask later."""
    envelope = cell.current
    if envelope is None or envelope.reply_to is None:
        raise HandlerError(f"{cell.path}: the message being handled is not an ask, there is nothing to reply to")
    kept = ReplyTo(envelope.reply_to, envelope.id)
    cell.kept_replies.append(kept)
    return kept


def forget_ask(cell: Cell, envelope: Envelope) -> None:
    """The handler that kept this ask has failed: nobody can answer it any more."""
    cell.kept_replies = [kept for kept in cell.kept_replies if kept.message_id != envelope.id]


def forget_reply(cell: Cell, kept: ReplyTo) -> None:
    """An ask was answered."""
    if kept in cell.kept_replies:
        cell.kept_replies.remove(kept)


def explain_wait(cell: Cell, envelope: Envelope, waited: float) -> str:
    """From any thread: why an ask has no answer yet."""
    asked = f"no reply to {type(envelope.message).__name__} #{envelope.id} from {cell.path} after {waited:.2f} s: "
    waiting = cell.mailbox.peek(envelope.policy.lane, 10_000)
    current = cell.current
    doing = "it is idle"
    if current is not None:
        running = (cell.system.clock.now() - cell.current_since) / NS
        if current is envelope:
            return f"{asked}its handler has been running for {running:.2f} s"
        doing = f"it has been handling {type(current.message).__name__} #{current.id} for {running:.2f} s"
    elif cell.status is not Status.IDLE:
        doing = f"it is {cell.status.value}"
    for position, other in enumerate(waiting):
        if other is envelope:
            lane = envelope.policy.lane.name.lower()
            return f"{asked}it is number {position + 1} of {len(waiting)} in the {lane} lane, and {doing}"
    if cell.stopped:
        return f"{asked}the actor has ended"
    if any(kept.message_id == envelope.id for kept in list(cell.kept_replies)):
        return f"{asked}it was handled, but the reply was kept for later and has not come; {doing}"
    if any(other is envelope for other in list(cell.mailbox.stashed or ())):
        return f"{asked}it is stashed, and {doing}"
    blocked = cell.system.blocked_since()
    stuck = "is busy" if blocked is None else f"has not run for {blocked:.2f} s"
    return f"{asked}it is still on its way to the actor: the actor loop {stuck}, and {doing}"
