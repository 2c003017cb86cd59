"""Public states, waits, and the end of a session: P6, P9, P10, P11, P17."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sessionactors.actors import states
from sessionactors.model.events import AgentStateChangedEvent, CloseEvent, UserStateChangedEvent
from sessionactors.runtime import NS, ObligationExpired
from sessionactors.runtime.envelope import EDGE
from sessionactors.session.waits import WaitEdge
from sessionactors.testing.scenario_run import Run

from .broken import Broken

CLOSE_SLACK = 0.1
"""Seconds beyond its deadline that a close may take (P10)."""
NAMED_WITHIN = 1.0
"""Seconds after its deadline in which an obligation is named (P9)."""


def p06_legal_states_only(run: Run) -> Iterator[Broken]:
    """Agent and user state change along the table, from where they are, and each change names a message."""
    agent, user = run.of(AgentStateChangedEvent), run.of(UserStateChangedEvent)
    by_id = {delivery.id: delivery for delivery in run.deliveries if delivery.target == run.room}
    for name, changes, first, table in (
        ("agent", agent, "initializing", states.AGENT_TRANSITIONS),
        ("user", user, "listening", states.USER_TRANSITIONS),
    ):
        at: str = first
        for change in changes:
            if change.old_state != at:
                yield Broken("P6", f"{name} state was {at}, and changed from {change.old_state}")
            if change.new_state not in table[change.old_state]:  # type: ignore[index]
                yield Broken("P6", f"{name} state {change.old_state} -> {change.new_state} is not in the table")
            at = change.new_state
            if run.mode == "virtual" and change.message_id not in by_id and not _at_start(change):
                yield Broken("P6", f"{name} state -> {at} names message #{change.message_id}, which nobody handled")


def _at_start(change: AgentStateChangedEvent | UserStateChangedEvent) -> bool:
    """A session without a room listens as soon as it is started: no message is needed."""
    return change.old_state == "initializing" and change.message_id == 0


def p09_never_silent_for_ever(run: Run) -> Iterator[Broken]:
    """At the end nobody owes anything and the agent listens; what was overdue was named within a second."""
    for delivery in run.handled(ObligationExpired):
        late = (delivery.began_at - delivery.sent_at) / NS
        if late > NAMED_WITHIN:
            yield Broken("P9", f"{delivery.message} was told {late:.2f} s after its deadline")
    snapshot = run.snapshot
    if snapshot is None or run.closed_by_script:
        return
    if not run.settled or snapshot.obligations:
        owed = [f"{obligation.owner}: {obligation.waits_for}" for obligation in snapshot.obligations]
        yield Broken("P9", f"the session did not come to rest; owed: {owed or 'nothing'}")
    elif run.agent_states[-1] != "listening":
        yield Broken("P9", f"the agent ends {run.agent_states[-1]}")


def p10_closed_once_and_in_time(run: Run) -> Iterator[Broken]:
    """One ``close`` event, the last of all, in time; nothing given up."""
    closes = run.of(CloseEvent)
    if len(closes) != 1:
        yield Broken("P10", f"{len(closes)} close events")
    elif not isinstance(run.events[-1].event, CloseEvent):
        yield Broken("P10", f"{run.events[-1].event.type} came after the close event")
    if run.close_took > run.close_deadline + CLOSE_SLACK:
        yield Broken("P10", f"the close took {run.close_took:.3f} s, its deadline was {run.close_deadline} s")
    if run.report is not None and run.report.abandoned:
        yield Broken("P10", f"abandoned: {dict(run.report.abandoned)}")


def p11_no_circular_waits(run: Run) -> Iterator[Broken]:
    """No actor asks another; nobody's code waits for what waits for it; nobody waits any more when all is over."""
    for delivery in run.deliveries:
        if delivery.asked and delivery.sender != EDGE and "#" not in delivery.sender:
            kind = type(delivery.message).__name__
            yield Broken("P11", f"{delivery.sender} asked {delivery.target} with {kind} #{delivery.id}")
    for circle in _circles(run.waits):
        yield Broken("P11", "each waits for the next: " + ", ".join(map(str, circle)))
    if run.waits_left:
        yield Broken("P11", "the session is over, and " + "; ".join(map(str, run.waits_left)))


def _circles(edges: Sequence[WaitEdge]) -> Iterator[list[WaitEdge]]:
    for first in edges:
        way, node = [first], first.waits_for
        while node != first.waiter and len(way) <= len(edges):
            onward = next((edge for edge in edges if edge.waiter == node), None)
            if onward is None:
                break
            way.append(onward)
            node = onward.waits_for
        else:
            yield way


def p17_nothing_is_left_behind(run: Run) -> Iterator[Broken]:
    """After the close there is no actor, effect, timer, thread or registry entry of the session."""
    if run.leaks:
        yield Broken("P17", f"left behind: {list(run.leaks)}")
