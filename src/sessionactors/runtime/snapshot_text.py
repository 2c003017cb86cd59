"""A snapshot as text: the tree that people read in a terminal, a log, or a failed test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .snapshot import ActorSnapshot, TreeSnapshot, WaitingMessage


def render(snapshot: TreeSnapshot) -> str:
    """The whole room."""
    total = snapshot.accounts
    lines = [
        (
            f"room {snapshot.room}: {len(snapshot)} actors, {total.received} messages received, "
            f"{total.handled} handled, {total.fenced} fenced, {total.dropped} dropped, {total.failed} failed, "
            f"{len(snapshot.dead_letters)} dead letters"
        )
    ]
    if snapshot.loop_blocked:
        lines.append(f"  ! the actor loop has not run for {snapshot.loop_blocked:.2f} s")
    for actor in snapshot.values():
        lines.extend(_actor(actor))
    for obligation in snapshot.obligations:
        due = (obligation.deadline - snapshot.now) / 1e9
        lines.append(
            f"  open: {obligation.key} of {obligation.owner} waits for {obligation.waits_for} (due in {due:.2f} s)"
        )
    return "\n".join(lines)


def _actor(actor: ActorSnapshot) -> list[str]:
    depth = actor.path.count("/")
    indent = "  " * (depth + 1)
    name = actor.path.rsplit("/", 1)[-1]
    facts = " ".join(f"{key}={value}" for key, value in actor.state.items())
    head = f"{indent}{name} [{actor.status.value}] control {actor.control_depth}, data {actor.data_depth}"
    if actor.accounts.handled:
        head += f", handled {actor.accounts.handled}"
    if actor.restarts:
        head += f", restarts {actor.restarts}"
    if actor.torn:
        head += ", torn"
    lines = [f"{head}  {facts}".rstrip()]
    if actor.in_hand is not None:
        hand = actor.in_hand
        lines.append(f"{indent}  in hand: {hand.type} #{hand.id} from {hand.sender} for {hand.running * 1000:.1f} ms")
    for lane, waiting in (("control", actor.control), ("data", actor.data)):
        lines.extend(f"{indent}  {lane}: {_waiting(message)}" for message in waiting)
    lines.extend(f"{indent}  timer {timer.key} in {timer.due_in:.3f} s" for timer in actor.timers)
    for effect in actor.effects:
        until = "" if effect.deadline_in is None else f", deadline in {effect.deadline_in:.2f} s"
        ending = ", cancelled" if effect.ending else ""
        lines.append(f"{indent}  effect {effect.key} for {effect.running:.2f} s{until}{ending}")
    if actor.last_error:
        lines.append(f"{indent}  last error: {actor.last_error}")
    return lines


def _waiting(message: WaitingMessage) -> str:
    scope = f" in {message.scope}" if message.scope else ""
    return f"{message.type} #{message.id} from {message.sender}, {message.age * 1000:.0f} ms old{scope}"
