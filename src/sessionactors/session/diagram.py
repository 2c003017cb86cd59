"""The messages of a turn as a Mermaid sequence diagram: what the tutorial draws by hand, from the real messages."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from typing import Final

from sessionactors import messages
from sessionactors.messages import ear, output, room, session, tts
from sessionactors.runtime import Delivery

MEDIA: frozenset[type] = frozenset(
    {
        ear.FrameCaptured,
        ear.AudioHeard,
        ear.DetectorSaid,
        ear.RecognizerSaid,
        ear.SpeechContinues,
        tts.SegmentAudio,
        tts.AudioSynthesized,
        tts.AudioCredit,
        output.SinkReported,
        room.PublishTranscript,
        session.EventRaised,
        session.Publish,
    }
)
"""Messages that come many times a second, or only report: left out of diagrams."""


def _message_types() -> frozenset[type]:
    found: set[type] = set()
    for module_info in pkgutil.iter_modules(messages.__path__):
        module = importlib.import_module(f"{messages.__name__}.{module_info.name}")
        found.update(
            kind
            for kind in vars(module).values()
            if isinstance(kind, type) and hasattr(kind, "__policy__") and kind.__module__ == module.__name__
        )
    return frozenset(found)


_TRACED: Final = _message_types() - MEDIA
"""Found at import: a session starts on a loop, which reads no files."""


def trace_types() -> frozenset[type]:
    """All message types of a session but the media ones."""
    return _TRACED


def last_turn(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """The deliveries of the newest turn, and what led to it; all, when no turn is named."""
    turn = next((delivery.turn for delivery in reversed(deliveries) if delivery.turn), "")
    if not turn:
        return list(deliveries)
    mine = [delivery for delivery in deliveries if delivery.turn == turn]
    by_id = {delivery.id: delivery for delivery in deliveries}
    wanted = {delivery.id for delivery in mine}
    for delivery in mine:  # walk back to the input that caused the turn
        cause = by_id.get(delivery.cause)
        while cause is not None and cause.id not in wanted:
            wanted.add(cause.id)
            cause = by_id.get(cause.cause)
    return [delivery for delivery in deliveries if delivery.id in wanted]


def mermaid(deliveries: Iterable[Delivery], *, room: str) -> str:
    """A sequence diagram: one arrow for each message, repeats folded, milliseconds since the first."""
    rows = sorted(deliveries, key=lambda delivery: (delivery.began_at, delivery.id))
    lines = ["sequenceDiagram"]
    seen: list[str] = []
    for row in rows:
        for path in (row.sender, row.target):
            name = _name(path, room)
            if name not in seen:
                seen.append(name)
    lines.extend(f"    participant {_alias(name)} as {name}" for name in seen)
    began = rows[0].began_at if rows else 0
    for text, count in _folded(rows, room, began):
        lines.append(f"    {text}{f' x{count}' if count > 1 else ''}")
    return "\n".join(lines) + "\n"


def _folded(rows: Sequence[Delivery], room: str, began: int) -> list[tuple[str, int]]:
    folded: list[tuple[str, int]] = []
    last: tuple[str, str, str] | None = None
    for row in rows:
        sender, target = _name(row.sender, room), _name(row.target, room)
        kind = type(row.message).__name__
        key = (sender, target, kind)
        if key == last:
            text, count = folded[-1]
            folded[-1] = (text, count + 1)
            continue
        last = key
        arrow = {"handled": "->>", "fenced": "--x", "failed": "-x"}[row.outcome]
        at = (row.began_at - began) / 1e6
        folded.append((f"{_alias(sender)}{arrow}{_alias(target)}: {kind} ({at:.0f} ms)", 1))
    return folded


def _name(path: str, room: str) -> str:
    base = path.split("#", 1)[0]
    if base == room:
        return "supervisor"
    if base == "edge":
        return "outside"
    return base.removeprefix(f"{room}/").removeprefix("floor/")


def _alias(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name)
