"""How long ``output`` waits for a sink to report, and what is said when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.output import PlayoutOverdue
from sessionactors.model.errors import SessionActorsError
from sessionactors.runtime import Outbox

from .playout_segment import Segment

if TYPE_CHECKING:
    from .output import OutputMessage

OVERDUE = "overdue"
"""The timer of what is owed."""

SINK_PATIENCE = 5.0
"""Seconds without a report from a sink that has audio to play, before the segment is given up."""

PLAYED_OUT = 0.1
"""Seconds: less than this left to play counts as nothing (a resampler holds some back, sinks report now and then)."""

CLEARED_WITHIN = 1.0
"""Seconds for a sink to report where a segment stopped that was cleared."""


class PlayoutLost(SessionActorsError):
    """Reported when a sink stopped reporting although it had audio to play."""


def expect_report(segment: str, left: float, out: Outbox[OutputMessage], *, ended: bool = False) -> None:
    """The sink owes a report while it has audio to play; while it waits for ``tts`` it owes nothing."""
    if ended or left > PLAYED_OUT:
        out.timer(OVERDUE, SINK_PATIENCE + left, PlayoutOverdue(segment))
    else:
        out.cancel_timer(OVERDUE)


def lost_playout(segment: Segment) -> PlayoutLost:
    """The failure of a segment of which nothing was reported in time."""
    patience = CLEARED_WITHIN if segment.cut else SINK_PATIENCE
    left = "it was cleared" if segment.cut else f"{segment.written - segment.position:.2f} s were left to play"
    label = segment.sink.label if segment.sink else ""
    return PlayoutLost(f"the sink {label} reported nothing of {segment.id} for {patience} s although {left}")
