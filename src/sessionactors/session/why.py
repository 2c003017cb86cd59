"""What blocks progress, in one line: read from a snapshot, so it works on a hung session too."""

from __future__ import annotations

from sessionactors.runtime import ActorSnapshot, BlockedLoop, EffectInfo, TreeSnapshot

SLOW_HANDLER = 0.1
"""Seconds in one handler that are worth naming."""
STALE_MESSAGE = 0.5
"""Seconds in a mailbox that are worth naming."""


STANDING = frozenset({"listening", "session", "frames"})
"""Effects that run as long as the session does."""


def why(snapshot: TreeSnapshot) -> str:
    """The actor and message (or the work outside) that everybody waits for."""
    blocked = {loop.loop: loop for loop in snapshot.blocked}
    for actor in snapshot.values():
        hand = actor.in_hand
        if hand is not None and hand.running > SLOW_HANDLER:
            line = f"{actor.path} has been handling {hand.type} #{hand.id} from {hand.sender} for {hand.running:.2f} s"
            return line if "actor" not in blocked else f"{line}, at {blocked['actor'].where}"
    for loop in blocked.values():
        return _holds(snapshot, loop)
    if snapshot.loop_blocked:
        return f"the actor loop has not run for {snapshot.loop_blocked:.2f} s, and no handler is running: see the log"
    for actor in snapshot.values():
        if actor.status.value in ("suspended", "restarting") and actor.control_depth + actor.data_depth:
            first = (*actor.control, *actor.data)[0]
            return (
                f"{actor.path} is {actor.status.value}; {first.type} #{first.id} from {first.sender} "
                f"has waited {first.age:.2f} s"
            )
    stale = max(snapshot.values(), key=lambda actor: actor.oldest)
    if stale.oldest > STALE_MESSAGE:
        first = (*stale.control, *stale.data)[0]
        return f"{stale.path} has not come to {first.type} #{first.id} from {first.sender} for {first.age:.2f} s"
    open_work = [
        (effect.running, _runs(actor, effect))
        for actor in snapshot.values()
        for effect in actor.effects
        if effect.key not in STANDING
    ]
    if snapshot.obligations:
        oldest = min(snapshot.obligations, key=lambda obligation: obligation.since)
        age = (snapshot.now - oldest.since) / 1e9
        line = f"{oldest.owner} has waited {age:.2f} s for {oldest.waits_for}"
        return f"{line}; {max(open_work)[1]}" if open_work else line
    if open_work:
        return f"nothing is overdue; {max(open_work)[1]}"
    return "nothing: no message waits, nothing is owed"


def _runs(actor: ActorSnapshot, effect: EffectInfo) -> str:
    """What an actor has running, and at which message's request."""
    line = f"{actor.path} has been running {effect.key} for {effect.running:.2f} s"
    if not effect.cause:
        return line
    asked = next((f"{done.type} " for done in actor.recent if done.id == effect.cause), "")
    return f"{line}, asked for by {asked}#{effect.cause}"


def _holds(snapshot: TreeSnapshot, loop: BlockedLoop) -> str:
    """Who holds a loop: user code of this room, of another one, or of none."""
    whose = "the actor loop" if loop.loop == "actor" else "the loop of user code"
    for actor in snapshot.values():
        for effect in actor.effects:
            if loop.by == f"{actor.path}#{effect.key}":
                return f"{_runs(actor, effect)}; it blocks {whose} for {loop.seconds:.2f} s, at {loop.where}"
    return f"{whose} has not run for {loop.seconds:.2f} s: {loop.by} blocks it, at {loop.where}"
