"""A broken promise for people: what broke, by which order, how to see it again, and the messages that led to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sessionactors.session import diagram

if TYPE_CHECKING:
    from sessionactors.runtime import Delivery

    from .attempt import Outcome

DRAWN = 25
"""Messages in the diagram of a failure."""
NAMES = re.compile(r"[a-z][a-z-]*-\d+(?:/[a-z][a-z-]*-\d+)*|#\d+|call-\w+|scenario(?:/[a-z0-9-]+)+")
"""What a broken promise says of whom it is about: speeches, turns, segments, transcripts, messages, actors."""


def report(outcome: Outcome, *, again: str, reasons: Sequence[str] = ()) -> str:
    """The text.

    Args:
        outcome: breaks a promise.
        again: how the same run can be had again.
        reasons: the choices that were not first come first served, in words.
    """
    first, *others = outcome.broken
    lines = [f"{outcome.attempt.schedule} breaks {first}", *(f"  also {other}" for other in others)]
    lines += [f"  with {fault}" for fault in outcome.attempt.faults]
    if reasons:
        lines.append("first come first served, but for")
        lines += [f"  {reason}" for reason in reasons]
    lines += [f"  note: {note}" for note in outcome.choices.notes]
    lines.append(f"again: {again}")
    run = outcome.run
    if run is not None:
        drawn = past(run.deliveries, first.what)
        lines.append(f"the {len(drawn)} messages that led to it:")
        lines.append(diagram.mermaid(drawn, room=run.room))
    return "\n".join(lines)


def past(deliveries: Sequence[Delivery], what: str, most: int = DRAWN) -> list[Delivery]:
    """The messages that matter for a breach: the last ones about whom it names, and what caused them."""
    seen = [each for each in deliveries if type(each.message) not in diagram.MEDIA]
    if not seen:
        return []
    names = set(NAMES.findall(what))
    about = [each for each in seen if any(_is_about(each, name) for name in names)] if names else []
    by_id = {each.id: each for each in deliveries}
    taken: dict[int, Delivery] = {}
    streams: set[tuple[str, str, type]] = set()
    for start in [*reversed(about), *reversed(seen)]:
        each: Delivery | None = start
        while each is not None and len(taken) < most:
            key = (each.sender, each.target, type(each.message))
            if each.id not in taken and type(each.message) not in diagram.MEDIA and key not in streams:
                taken[each.id] = each
                if type(each.message) in diagram.STREAMS:
                    streams.add(key)
            each = by_id.get(each.cause)
        if len(taken) >= most:
            break
    return sorted(taken.values(), key=lambda each: (each.began_at, each.id))


def _is_about(delivery: Delivery, name: str) -> bool:
    if name.startswith("#"):
        return delivery.id == int(name[1:])
    if name in (delivery.turn, delivery.target, delivery.target.rpartition("/")[2]):
        return True
    return any(getattr(delivery.message, field, None) == name for field in ("speech", "segment", "turn", "call_id"))
