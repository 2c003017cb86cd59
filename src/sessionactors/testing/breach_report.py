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
        led = led_to(run.deliveries, first.what)
        several = f"the last {DRAWN} of the {len(led)}" if len(led) > DRAWN else f"the {len(led)}"
        lines.append(f"{several} messages that led to it:")
        lines.append(diagram.mermaid(led[-DRAWN:], room=run.room))
    return "\n".join(lines)


def led_to(deliveries: Sequence[Delivery], what: str) -> list[Delivery]:
    """The messages that matter for a breach, all of them: those about whom it names, and what caused them.

    Sound and pictures are no news, and of a stream from one actor to another the last message stands for all. Where a
    breach names nobody, every message of the run may matter.
    """
    seen = [each for each in deliveries if type(each.message) not in diagram.MEDIA]
    names = set(NAMES.findall(what))
    about = [each for each in seen if any(_is_about(each, name) for name in names)]
    by_id = {each.id: each for each in deliveries}
    taken: dict[int, Delivery] = {}
    passed: set[int] = set()
    streams: set[tuple[str, str, type]] = set()
    for start in reversed(about or seen):
        each: Delivery | None = start
        while each is not None and each.id not in passed:
            passed.add(each.id)
            kind, key = type(each.message), (each.sender, each.target, type(each.message))
            if kind not in diagram.MEDIA and key not in streams:
                taken[each.id] = each
                if kind in diagram.STREAMS:
                    streams.add(key)
            each = by_id.get(each.cause)
    return sorted(taken.values(), key=lambda each: (each.began_at, each.id))


def _is_about(delivery: Delivery, name: str) -> bool:
    if name.startswith("#"):
        return delivery.id == int(name[1:])
    if name in (delivery.turn, delivery.target, delivery.target.rpartition("/")[2]):
        return True
    return any(getattr(delivery.message, field, None) == name for field in ("speech", "segment", "turn", "call_id"))
