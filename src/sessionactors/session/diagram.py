"""The messages of a turn as a Mermaid sequence diagram: what the tutorial draws by hand, from the real messages."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sessionactors import messages
from sessionactors.messages import ear, llm, output, room, session, tts
from sessionactors.messages.turn import UserTurnEnded
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

STREAMS: frozenset[type] = frozenset(
    {ear.InterimTranscript, llm.ChunkArrived, llm.TextDelta, output.SegmentText, tts.SpeakText, tts.TextWanted}
)
"""Messages of which many make one thing: one arrow for all between two actors."""


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
    """The deliveries of the newest turn, and what led to it; all, when no turn is named.

    What belongs to no turn (yet) is told from when the user's voice set in: how it was heard, and whom it interrupted.
    """
    turn = next((delivery.turn for delivery in reversed(deliveries) if delivery.turn), "")
    if not turn:
        return list(deliveries)
    mine = [delivery for delivery in deliveries if delivery.turn == turn]
    wanted = {delivery.id for delivery in mine}
    began = _voice_began(mine)
    if began is not None:
        ended = _next_voice(deliveries, max(delivery.ended_at for delivery in mine))
        wanted |= {delivery.id for delivery in deliveries if not delivery.turn and began <= delivery.began_at < ended}
    by_id = {delivery.id: delivery for delivery in deliveries}
    for delivery in mine:  # walk back to the input that caused the turn
        cause = by_id.get(delivery.cause)
        while cause is not None and cause.id not in wanted:
            wanted.add(cause.id)
            cause = by_id.get(cause.cause)
    return [delivery for delivery in deliveries if delivery.id in wanted]


def _voice_began(deliveries: Iterable[Delivery]) -> int | None:
    for delivery in deliveries:
        if isinstance(delivery.message, UserTurnEnded):
            return delivery.message.started_speaking_at
    return None


def _next_voice(deliveries: Iterable[Delivery], after: int) -> float:
    """When the user began to speak again, or never."""
    began = (delivery.began_at for delivery in deliveries if isinstance(delivery.message, ear.SpeechStarted))
    return min((at for at in began if at > after), default=math.inf)


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
    lines.extend(f"    {arrow}" for arrow in _folded(rows, room, began))
    return "\n".join(lines) + "\n"


@dataclass(slots=True)
class _Arrow:
    """A line of the diagram."""

    text: str
    count: int
    last: float
    """Milliseconds at which it was last repeated."""


def _folded(rows: Sequence[Delivery], room: str, began: int) -> list[str]:
    """One arrow for repeats in a row, and one for all of a stream: where it begins, how many, until when."""
    arrows: list[_Arrow] = []
    streams: dict[tuple[str, str, str], _Arrow] = {}
    last: tuple[str, str, str] | None = None
    for row in rows:
        sender, target = _name(row.sender, room), _name(row.target, room)
        kind = type(row.message).__name__
        key = (sender, target, kind)
        at = (row.began_at - began) / 1e6
        known = arrows[-1] if key == last else streams.get(key)
        if known is not None:
            known.count += 1
            known.last = at
            continue
        last = key
        head = {"handled": "->>", "fenced": "--x", "failed": "-x"}[row.outcome]
        arrow = _Arrow(f"{_alias(sender)}{head}{_alias(target)}: {kind} ({at:.0f} ms", 1, at)
        arrows.append(arrow)
        if type(row.message) in STREAMS:
            streams[key] = arrow
    return [
        f"{arrow.text})" if arrow.count == 1 else f"{arrow.text} to {arrow.last:.0f} ms) x{arrow.count}"
        for arrow in arrows
    ]


def _name(path: str, room: str) -> str:
    base = path.split("#", 1)[0]
    if base == room:
        return "supervisor"
    if base == "edge":
        return "outside"
    return base.removeprefix(f"{room}/").removeprefix("floor/")


def _alias(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name)
