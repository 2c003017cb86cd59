"""What blocks progress, in one line: read from a snapshot, so it works on a hung session too."""

from __future__ import annotations

from sessionactors.runtime import TreeSnapshot

SLOW_HANDLER = 0.1
"""Seconds in one handler that are worth naming."""
STALE_MESSAGE = 0.5
"""Seconds in a mailbox that are worth naming."""


def why(snapshot: TreeSnapshot) -> str:
    """The actor and message (or the work outside) that everybody waits for."""
    for actor in snapshot.values():
        hand = actor.in_hand
        if hand is not None and hand.running > SLOW_HANDLER:
            return f"{actor.path} has been handling {hand.type} #{hand.id} from {hand.sender} for {hand.running:.2f} s"
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
        (effect.running, actor.path, effect.key)
        for actor in snapshot.values()
        for effect in actor.effects
        if effect.key not in STANDING
    ]
    if snapshot.obligations:
        oldest = min(snapshot.obligations, key=lambda obligation: obligation.since)
        age = (snapshot.now - oldest.since) / 1e9
        line = f"{oldest.owner} has waited {age:.2f} s for {oldest.waits_for}"
        if open_work:
            running, path, key = max(open_work)
            line += f"; {path} has been running {key} for {running:.2f} s"
        return line
    if open_work:
        running, path, key = max(open_work)
        return f"nothing is overdue; {path} has been running {key} for {running:.2f} s"
    return "nothing: no message waits, nothing is owed"


STANDING = frozenset({"listening"})
"""Effects that run as long as the session does."""
