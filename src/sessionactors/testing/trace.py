"""A run as bytes: what was handled when, told and heard. The same schedule of the same code gives the same bytes."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .scenario_run import Run

PLAIN: Final = (str, int, float, bool, type(None))
"""What of a message is written down: other values may be objects of the process, which have no name of their own."""


def trace(run: Run) -> bytes:
    """One line for each choice, delivery, event and stretch of sound, in UTF-8."""
    lines = [f"schedule {run.schedule}"]
    if run.choices is not None:
        lines.append(f"choices {' '.join(map(str, run.choices.made))}")
    lines += [
        f"{each.began_at - run.began} {each.id} {each.cause} {each.sender} {each.target} {each.turn or '-'} "
        f"{each.outcome} {_plain(each.message)}"
        for each in run.deliveries
    ]
    lines += [f"event {timed.at:.9f} {_plain(timed.event)}" for timed in run.events]
    lines += [f"heard {heard.at:.9f} {heard.until:.9f} {heard.segment} {' '.join(heard.words)}" for heard in run.audio]
    return "\n".join(lines).encode()


def _plain(value: object) -> str:
    """Its type, and those of its fields that are plain values."""
    name = type(value).__name__
    if not is_dataclass(value):
        return name
    shown = ((field.name, getattr(value, field.name)) for field in fields(value))
    return f"{name}({', '.join(f'{key}={item!r}' for key, item in shown if isinstance(item, PLAIN))})"
