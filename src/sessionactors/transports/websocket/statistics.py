"""The account of a connection, and of several that took each other's place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from .close_code import CloseCode


@dataclass(frozen=True, slots=True)
class WebSocketStatistics:
    """The account of a connection."""

    received: int
    """Messages of the client."""
    sent: int
    """Messages to the client."""
    waiting: int
    """Messages that wait to be sent."""
    audio_dropped: float
    """Seconds of the agent's voice that were dropped because the client read too slowly."""
    flood_dropped: float
    """Seconds of the client's audio that were dropped because they came faster than anybody speaks."""
    faults: dict[CloseCode, int] = field(default_factory=dict)
    """Messages of the client that were wrong or too many."""


def sum_of(statistics: Sequence[WebSocketStatistics]) -> WebSocketStatistics:
    """Of one connection after the other. What waits is what waits on the last one."""
    faults: Counter[CloseCode] = Counter()
    for each in statistics:
        faults.update(each.faults)
    return WebSocketStatistics(
        received=sum(each.received for each in statistics),
        sent=sum(each.sent for each in statistics),
        waiting=statistics[-1].waiting,
        audio_dropped=sum(each.audio_dropped for each in statistics),
        flood_dropped=sum(each.flood_dropped for each in statistics),
        faults=dict(faults),
    )
