"""Walking back from what came out to what went in: P21."""

from __future__ import annotations

from collections.abc import Iterator

from sessionactors.runtime import Delivery, ObligationExpired, Terminated
from sessionactors.runtime.envelope import EDGE, NO_CAUSE
from sessionactors.session.turn_latency import turn_latency
from sessionactors.testing.scenario_run import Run

from .broken import Broken


def p21_every_message_has_its_cause(run: Run) -> Iterator[Broken]:
    """From every message one can walk back, by messages that were handled before, to one that came from outside.

    That holds for audio, events and items too: each is a message on its way out.
    """
    if run.deliveries_lost:
        return
    kept: set[int] = set()
    acted: dict[str, int] = {}  # the first message that each handled: what it said before has no cause
    last = {delivery.target: place for place, delivery in enumerate(run.deliveries)}
    for place, delivery in enumerate(run.deliveries):
        if delivery.cause == NO_CAUSE:
            lives_on = last.get(delivery.sender, 0) > place  # else it is the news of its end
            spoke = acted.get(delivery.sender, delivery.id) < delivery.id
            if spoke and lives_on and not _from_outside(delivery, run):
                yield Broken("P21", f"{_named(delivery)} from {delivery.sender} says nothing of its cause")
        elif delivery.cause not in kept:
            yield Broken(
                "P21", f"{_named(delivery)} from {delivery.sender} names #{delivery.cause}, not handled before"
            )
        if delivery.outcome == "handled":
            kept.add(delivery.id)
            acted.setdefault(delivery.target, delivery.id)


def _from_outside(delivery: Delivery, run: Run) -> bool:
    """The kernel's own words, and what an actor says when it starts anew, have no message for their cause."""
    anew = run.snapshot is None or any(actor.restarts for actor in run.snapshot.values())
    news_of_its_end = delivery.sender.startswith(f"{delivery.target}/")
    if delivery.sender == EDGE or anew or news_of_its_end or run.killed:
        return True
    return isinstance(delivery.message, ObligationExpired | Terminated)


def p21_the_parts_of_a_turn_add_up(run: Run) -> Iterator[Broken]:
    """The last turn's way, from the last frame of speech to the first frame of the reply: no part is lost or twice."""
    latency = None if run.deliveries_lost else turn_latency(run.deliveries)
    if latency is None:
        return
    parts = sum(part.nanoseconds for part in latency.parts)
    whole = latency.ended_at - latency.began_at
    if parts != whole:
        yield Broken("P21", f"{latency.turn} took {whole} ns, and its parts {parts} ns")
    for before, after in zip(latency.chain, latency.chain[1:], strict=False):
        if after.cause != before.id and after.began_at < before.began_at:
            yield Broken("P21", f"{latency.turn}: {_named(after)} comes before {_named(before)}")


def _named(delivery: Delivery) -> str:
    return f"{type(delivery.message).__name__} #{delivery.id} for {delivery.target}"
