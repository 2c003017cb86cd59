"""A broken promise for people: what broke, by which order, how to see it again, and the messages that led to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sessionactors.messages.session import CloseSession
from sessionactors.session import diagram

if TYPE_CHECKING:
    from sessionactors.monitors import Violation
    from sessionactors.runtime import Delivery

    from .attempt import Outcome
    from .invariants import Broken
    from .scenario_run import Run

DRAWN = 25
"""Messages in the diagram of a failure."""
FIELDS = ("speech", "segment", "turn", "call_id", "request", "id")
"""Fields of messages that say whom they are about."""
BEHIND = 3
"""Messages that the last actor which knew of them handled next."""
OF_THE_END = frozenset({"P10", "P11", "P17", "P18"})
"""Promises that the close may break. All else was looked at before it."""
NAMES = re.compile(r"call-[\w-]+|[a-z][a-z-]*-\d+(?:/[a-z][a-z-]*-\d+)*|#\d+|scenario(?:/[a-z0-9-]+)+")
"""What a broken promise says of whom it is about: speeches, turns, segments, transcripts, messages, actors."""


def report(outcome: Outcome, *, again: str, reasons: Sequence[str] = (), violation: Violation | None = None) -> str:
    """The text.

    Args:
        outcome: breaks a promise.
        again: how the same run can be had again.
        reasons: the choices that were not first come first served, in words.
        violation: the message at which monitors saw it first, if they did.
    """
    first, *others = outcome.broken
    lines = [f"{outcome.attempt.schedule} breaks {first}", *(f"  also {other}" for other in others)]
    lines += [f"  with {fault}" for fault in outcome.attempt.faults]
    if reasons:
        lines.append("first come first served, but for")
        lines += [f"  {reason}" for reason in reasons]
    lines += [f"  note: {note}" for note in outcome.choices.notes]
    lines.append(f"again: {again}")
    if violation is not None:
        lines.append(f"first seen: {violation}")
    run = outcome.run
    if run is not None:
        led = led_to(run, first, violation)
        several = f"the last {DRAWN} of the {len(led)}" if len(led) > DRAWN else f"the {len(led)}"
        lines.append(f"{several} messages that led to it:")
        lines.append(diagram.mermaid(led[-DRAWN:], room=run.room))
    return "\n".join(lines)


def led_to(run: Run, broken: Broken, violation: Violation | None = None) -> list[Delivery]:
    """The messages that matter for a breach, all of them: those about whom it names, and what caused them.

    If nobody knows at which message it broke, it may have been one of the next that their last actor handled: some of
    those count too. What came behind its first sight has not led to it; nor has the close, where all was to be well
    before. Sound and pictures are no news, and of a stream from one actor to another the last message stands for all.
    Where a breach names nobody, every message of the run may matter.

    Args:
        run: in which it was found.
        broken: what.
        violation: the message at which monitors saw it first, if they did.
    """
    deliveries, at = _until_seen(run, broken, violation)
    names = set(NAMES.findall(broken.what))
    seen = [each for each in deliveries if type(each.message) not in diagram.MEDIA or f"#{each.id}" in names]
    names = {name for name in names if not name.startswith(f"{run.room}/")} or names  # rather whom than who owns it
    about = [each for each in seen if each.id == at or any(_is_about(each, name) for name in names)]
    if about and not at:
        last = seen.index(about[-1])
        about += [each for each in seen[last + 1 :] if each.target == about[-1].target][:BEHIND]
    by_id = {each.id: each for each in deliveries}
    taken: dict[int, Delivery] = {}
    passed: set[int] = set()
    streams: set[tuple[str, str, type]] = set()
    for start in reversed(about or seen):
        each: Delivery | None = start
        while each is not None and each.id not in passed:
            passed.add(each.id)
            kind, key = type(each.message), (each.sender, each.target, type(each.message))
            if (each is start or kind not in diagram.MEDIA) and key not in streams:
                taken[each.id] = each
                if kind in diagram.STREAMS:
                    streams.add(key)
            each = by_id.get(each.cause)
    return sorted(taken.values(), key=lambda each: (each.began_at, each.id))


def _until_seen(run: Run, broken: Broken, violation: Violation | None) -> tuple[Sequence[Delivery], int]:
    """The messages up to the one at which it broke, and its id; 0 if that is not known."""
    at = broken.at if violation is None else violation.message_id
    closes = not at and not run.closed_by_script and broken.promise not in OF_THE_END
    for place, delivery in enumerate(run.deliveries):
        if at and delivery.id == at:
            return run.deliveries[: place + 1], at
        if closes and type(delivery.message) is CloseSession:
            return run.deliveries[:place], 0
    return run.deliveries, 0


def _is_about(delivery: Delivery, name: str) -> bool:
    if name.startswith("#"):
        return delivery.id == int(name[1:])
    if name in (delivery.turn, delivery.target, delivery.target.rpartition("/")[2]):
        return True
    return any(getattr(delivery.message, field, None) == name for field in FIELDS)
