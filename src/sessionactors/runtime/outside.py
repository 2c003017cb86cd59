"""What reaches an actor from outside its own handlers: timers, effects, and the people who ask.

All of it arrives as messages in the mailbox; nothing here runs a handler. Called by ``commit`` (the outbox) and by the
effects themselves, on the actor loop, except what says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import lifecycle
from .clock import NS
from .envelope import Envelope, Origin
from .errors import HandlerError
from .held import Status
from .policy import policy_of
from .reply import ReplyTo

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
        cell.deliver(
            Envelope(
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
    if effect.alarm is not None:
        effect.alarm.cancel()
    if cell.effects.get(effect.key) is effect:
        del cell.effects[effect.key]
    elif effect in cell.ending_effects:
        cell.ending_effects.remove(effect)
    if not (effect.cancelled and not effect.report) and not cell.stopping:
        message: object = None
        if error is not None:
            message = effect.failed(error)
        elif effect.done is not None:
            message = effect.done(value)
        if message is not None:
            from_effect(cell, effect, message, windowed=False)
    if cell.stopping:
        lifecycle.maybe_finish(cell)


def from_effect(cell: Cell, effect: Effect, message: object, *, windowed: bool) -> None:
    cell.deliver(
        Envelope(
            message,
            None,
            f"{cell.path}#{effect.key}",
            cell.tree.next_message_id(),
            effect.cause,
            effect.turn,
            cell.system.clock.now(),
            policy_of(type(message)),
            Origin(effect=effect) if windowed else None,
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
    blocked = cell.system.blocked_since()
    if blocked is not None:
        return f"{asked}the actor loop has not run for {blocked:.2f} s, and {doing}"
    return f"{asked}it was handled, but the reply was kept for later and has not come; {doing}"
